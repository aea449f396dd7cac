"""The adapter of OpenTelemetry's SDK: spans in traces whose ids are known beforehand, sent in the background.

Sampler, span limits, batches, endpoint, headers, resource: all of it is the SDK's and follows its standard variables.
It is made in a forked child, never before: its exporter has a thread.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from streampoll.tracing.identity import root_span
from streampoll.tracing.way import Attribute, Way
from streampoll.version import VERSION

MakeExporter = Callable[[], Any]

_GROUP = "opentelemetry_traces_exporter"
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}  # protocol -> entry point
_MOST_LINKS = 128  # the SDK's own bound: more would only be made to be dropped
_CLOSE_S = 2.0  # for the last spans: a collector that is away must not keep a process from ending


class NoSuchExporter(Exception):  # noqa: N818 - reads as the state it is
    """A variable names an exporter that is not installed."""


def find_exporters(environ: Mapping[str, str]) -> list[MakeExporter]:
    """Return what makes the exporters that OTEL_TRACES_EXPORTER names, found as the SDK's own set-up does.

    Raises:
        NoSuchExporter: one is not installed.
    """
    names = [name.strip() for name in (environ.get("OTEL_TRACES_EXPORTER") or "otlp").split(",")]
    return [_exporter(_OTLP.get(_protocol(environ), "?") if name == "otlp" else name) for name in names if name]


def _protocol(environ: Mapping[str, str]) -> str:
    own = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    return own or "http/protobuf"


def _exporter(name: str) -> MakeExporter:
    for found in entry_points(group=_GROUP, name=name):
        make: MakeExporter = found.load()
        return make
    raise NoSuchExporter(f"no exporter {name!r} of OpenTelemetry is installed")


@dataclass(frozen=True, slots=True)
class End:
    """What came of what a span is about."""

    says: Mapping[str, Attribute] = field(default_factory=dict)
    failure: str = ""  # why it is an error; "": it is none
    moments: Sequence[tuple[str, float]] = ()  # (what happened, when), seconds since the epoch


class OpenSpan:
    """A span that has begun."""

    __slots__ = ("_span",)

    def __init__(self, span: Any) -> None:
        self._span = span

    @property
    def context(self) -> Any:
        """What a link to it is made of; None for a span that is not recorded."""
        return self._span.get_span_context() if self._span.is_recording() else None

    def current(self) -> AbstractContextManager[Any]:
        """Have spans that others begin in the block hang from this one."""
        used: AbstractContextManager[Any] = trace.use_span(
            self._span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        )
        return used

    def end(self, at: float, end: End) -> None:
        """End it at a time in seconds since the epoch, with what came of it."""
        self._span.set_attributes(end.says)
        for name, moment in end.moments:
            self._span.add_event(name, timestamp=_nanoseconds(moment))
        if end.failure:
            self._span.set_status(trace.StatusCode.ERROR, end.failure)
        self._span.end(_nanoseconds(at))


class Telemetry:
    """Makes the spans of one process."""

    def __init__(self, exporters: Sequence[Any], identity: Mapping[str, str]) -> None:
        """`identity` says who the process is, by the names of OpenTelemetry's resources; variables beat it."""
        self._ids = _Ids()
        told = OTELResourceDetector().detect().attributes
        resource = Resource.create({name: text for name, text in identity.items() if name not in told})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("streampoll", VERSION)

    def share(self) -> None:
        """Have code of users in this process (pollers, tasks, what they import) make its spans with it too."""
        trace.set_tracer_provider(self._provider)

    def samples(self, way: Way) -> bool:
        """Tell whether a trace is recorded: what the sampler says of its id, in whichever process it is asked."""
        return bool(self._provider.sampler.should_sample(None, way.trace, way.name).decision.is_sampled())

    def start(self, way: Way, at: float, kind: str = "consumer", linked: Sequence[Any] = ()) -> OpenSpan:
        """Begin a span of a sampled trace, at a time in seconds since the epoch."""
        links = [*(trace.Link(_root(other)) for other in way.linked), *(trace.Link(context) for context in linked)]
        if way.first:
            with self._ids.chosen(way.trace, root_span(way.trace)):
                return self._start(way.name, Context(), kind, way.says, links, at)
        return self._start(way.name, _below(_root(way.trace)), kind, way.says, links, at)

    def start_batch(self, name: str, at: float, traces: Sequence[int], says: Mapping[str, Attribute]) -> OpenSpan:
        """Begin the span of a batch, a trace of its own, with links to the sampled ones that are in it."""
        links = [trace.Link(_root(each)) for each in traces[:_MOST_LINKS]]
        return self._start(name, Context(), "internal", says, links, at)

    def _start(
        self, name: str, context: Any, kind: str, says: Mapping[str, Attribute], links: Sequence[Any], at: float
    ) -> OpenSpan:  # fmt: skip
        how = trace.SpanKind[kind.upper()]
        return OpenSpan(self._tracer.start_span(name, context, how, dict(says), links, _nanoseconds(at)))

    def close(self) -> None:
        """Send the last spans, but not for long."""
        last = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        last.start()
        last.join(_CLOSE_S)


class _Ids:
    """Ids of spans and traces: random, but for a root, whose are known beforehand."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self._own = threading.local()  # threads of users' tasks make spans of their own

    @contextmanager
    def chosen(self, trace_id: int, span_id: int) -> Iterator[None]:
        """Give these to the one span that begins in the block."""
        self._own.ids = (trace_id, span_id)
        try:
            yield
        finally:
            self._own.ids = None

    def generate_trace_id(self) -> int:
        """Return 128 bits."""
        ids = getattr(self._own, "ids", None)
        return int(ids[0] if ids else self._random.generate_trace_id())

    def generate_span_id(self) -> int:
        """Return 64 bits."""
        ids = getattr(self._own, "ids", None)
        return int(ids[1] if ids else self._random.generate_span_id())

    def is_trace_id_random(self) -> bool:
        """A hash is as good as random to those who sample by its bits."""
        return True


def _root(trace_id: int) -> Any:
    """Return the context of a sampled trace's root, which another process has made, or will."""
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(trace_id, root_span(trace_id), is_remote=True, trace_flags=flags)


def _below(parent: Any) -> Any:
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


def _nanoseconds(at: float) -> int:
    return round(at * 1e6) * 1000  # a float of today holds no more
