"""Where log lines go and how they look: one line an event, to stderr (systemd adds the time there)."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from streampoll.config.settings import LogSettings

_PLAIN = "%(levelname)s %(process)d %(name)s: %(message)s"
_CONTEXT = ("job", "device", "slot", "shard", "worker")
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


def _journal() -> bool:
    """Return True where stderr is systemd's journal, which dates lines itself."""
    return "JOURNAL_STREAM" in os.environ and not sys.stderr.isatty()


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
    """Shortens our module names: `worker.consume`, not `streampoll.worker.consume`."""

    def format(self, record: logging.LogRecord) -> str:
        record.name = record.name.removeprefix("streampoll.")
        return super().format(record)
