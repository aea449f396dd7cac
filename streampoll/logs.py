"""Where log lines go and how they look: one line an event, to stderr (systemd adds the time there)."""

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from streampoll.config.settings import LogSettings

_PLAIN = "%(levelname)s %(process)d %(name)s: %(message)s"
_POLL = ("job", "device", "slot", "shard")
_CONTEXT = (*_POLL, "worker")
_DATED = "%(asctime)s " + _PLAIN


def set_up_logs(settings: LogSettings, file: Path | None = None) -> None:
    """Send log lines to stderr, or to a file."""
    handler: logging.Handler = logging.FileHandler(file) if file else logging.StreamHandler(sys.stderr)
    plain = _Formatter(_PLAIN if _journal() and not file else _DATED)
    handler.setFormatter(_JsonFormatter() if settings.format == "json" else plain)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for noisy in ("asyncio", "watchfiles", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def about(job: str = "", device: str = "", slot: int = 0, shard: int = -1) -> dict[str, str | int]:
    """Return the `extra` of a line about a poll, or what is known of one."""
    said: dict[str, str | int] = {}
    if job:
        said["job"] = job
    if device:
        said["device"] = device
    if slot:
        said["slot"] = slot
    if shard >= 0:
        said["shard"] = shard
    return said


def name_process(worker: str) -> None:
    """Have all further lines of this process say which worker they are of, as `stats` names it; once, after a fork."""
    named = _Named(worker)
    for handler in logging.getLogger().handlers:
        handler.addFilter(named)


def thin_out(library: str, every_s: float = 60.0, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Let a library that says the same again and again have one line in so many seconds; once, after a fork."""
    seldom = _Seldom(library, every_s, monotonic)
    for handler in logging.getLogger().handlers:
        handler.addFilter(seldom)


def _journal() -> bool:
    """Return True where stderr is systemd's journal, which dates lines itself."""
    return "JOURNAL_STREAM" in os.environ and not sys.stderr.isatty()


class _Named(logging.Filter):
    """Keeps every line, and adds whose it is."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self._worker
        return True


class _Seldom(logging.Filter):
    """Keeps one line a while of a library, whichever of its loggers it is from; all lines of others."""

    def __init__(self, library: str, every_s: float, monotonic: Callable[[], float]) -> None:
        super().__init__(library)
        self._every_s = every_s
        self._monotonic = monotonic
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        now = self._monotonic()
        if now < self._next:
            return False
        self._next = now + self._every_s
        return True


class _JsonFormatter(logging.Formatter):
    """One JSON object a line; what a call says of job, device, slot, shard or worker has keys of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("streampoll."),
            "pid": record.process,
            "message": record.getMessage(),
        }
        line |= {key: getattr(record, key) for key in _CONTEXT if hasattr(record, key)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Formatter(logging.Formatter):
    """Shortens our module names, `worker.consume`, and adds what a line is about where its text does not name it."""

    def format(self, record: logging.LogRecord) -> str:
        record.name = record.name.removeprefix("streampoll.")
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        known = {key: str(getattr(record, key)) for key in _POLL if hasattr(record, key)}
        unsaid = [f"{key}={value}" for key, value in known.items() if not _names(record.message, value)]
        return " ".join([super().formatMessage(record), *unsaid])


def _names(text: str, value: str) -> bool:
    """Tell whether a value stands in a text as a word of its own."""
    return re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", text) is not None
