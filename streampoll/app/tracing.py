"""Whether a process makes spans, and what makes them: nothing, not even an import, where no variable asks for them."""

import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from streampoll.logs import thin_out
from streampoll.model import QueueClass
from streampoll.shards.port import Dispatch, Dispatched
from streampoll.worker.port import Handler

if TYPE_CHECKING:
    from streampoll.tracing.telemetry import Telemetry

log = logging.getLogger(__name__)

Now = Callable[[], float]
Told = Callable[[Sequence[Dispatch], Sequence[Dispatched], float], Awaitable[None]]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_HOW = "`pip install 'streampoll[otel]'`"


class Spans:
    """What makes the spans of one process, or leaves everything as it is."""

    def __init__(self, telemetry: "Telemetry | None", now: Now) -> None:
        self._telemetry = telemetry
        self._now = now

    def around(self, queue: QueueClass, handler: Handler) -> Handler:
        """Return a class's handler with spans around it; where there are none, the handler."""
        if self._telemetry is None:
            return handler
        from streampoll.tracing.handler import Traced

        return Traced(queue, handler, self._telemetry, self._now)

    def dispatched(self) -> Told | None:
        """Return what is told of each round trip of a leader; None where nobody is."""
        if self._telemetry is None:
            return None
        from streampoll.tracing.dispatch import DispatchSpans

        return DispatchSpans(self._telemetry, self._now)

    def close(self) -> None:
        """Send the last spans."""
        if self._telemetry is not None:
            self._telemetry.close()


class Tracing:
    """What the variables of OpenTelemetry ask for; read, and imported, before processes are forked."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._exporters = _exporters(environ) if asked_for(environ) else []

    def begin(self, service: str, own_id: str, now: Now) -> Spans:
        """Start what makes spans in a process that was forked; `now` is the wall clock of Redis."""
        if not self._exporters:
            return Spans(None, now)
        from streampoll.version import VERSION

        identity = {
            "service.name": f"streampoll-{service}", "service.namespace": "streampoll",
            "service.instance.id": own_id, "service.version": VERSION,
        }  # fmt: skip
        thin_out("opentelemetry")  # of a collector that is away it would write with every attempt
        return Spans(_telemetry(self._exporters, identity), now)


def asked_for(environ: Mapping[str, str]) -> bool:
    """Tell whether somebody wants traces: an endpoint or an exporter is named, and nothing switches them off."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    return bool(exporter) or any(environ.get(name) for name in _ENDPOINTS)


def _telemetry(exporters: Sequence[Callable[[], Any]], identity: Mapping[str, str]) -> "Telemetry | None":
    """Return what makes spans; None, which is said, where the SDK or an exporter refuses what variables ask for."""
    try:
        from streampoll.tracing.telemetry import Telemetry

        telemetry = Telemetry([make() for make in exporters], identity)
        telemetry.share()
    except Exception as error:  # noqa: BLE001 - whatever an exporter of others raises: polls go on
        _refused(error)
        return None
    return telemetry


def _refused(error: Exception) -> None:
    why = " ".join(str(error).split())
    log.warning("no traces: what OTEL_… variables ask for can't be had: %s: %s", type(error).__name__, why)


def _exporters(environ: Mapping[str, str]) -> Sequence[Callable[[], Any]]:
    """Return what makes exporters; what is missing is said, and no reason not to poll."""
    try:
        telemetry = import_module("streampoll.tracing.telemetry")
    except ModuleNotFoundError as missing:
        log.warning("traces are asked for by OTEL_… variables, but %s is not installed: %s", missing.name, _HOW)
        return ()
    except Exception as error:  # noqa: BLE001 - an SDK that does not fit
        _refused(error)
        return ()
    try:
        found: Sequence[Callable[[], Any]] = telemetry.find_exporters(environ)
    except telemetry.NoSuchExporter as error:
        log.warning("no traces: %s; %s brings that of OTLP over HTTP", error, _HOW)
        return ()
    except Exception as error:  # noqa: BLE001 - of an exporter's own import
        _refused(error)
        return ()
    return found
