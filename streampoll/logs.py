"""Where log lines go and how they look: one line an event, to stderr (systemd adds the time there)."""

import logging
import os
import sys
from pathlib import Path

from streampoll.config.settings import LogSettings

_PLAIN = "%(levelname)s %(process)d %(name)s: %(message)s"
_DATED = "%(asctime)s " + _PLAIN


def set_up_logs(settings: LogSettings, file: Path | None = None) -> None:
    """Send log lines to stderr, or to a file."""
    handler: logging.Handler = logging.FileHandler(file) if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(_PLAIN if _journal() and not file else _DATED))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for noisy in ("asyncio", "watchfiles", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _journal() -> bool:
    """Return True where stderr is systemd's journal, which dates lines itself."""
    return "JOURNAL_STREAM" in os.environ and not sys.stderr.isatty()


class _Formatter(logging.Formatter):
    """Shortens our module names: `worker.consume`, not `streampoll.worker.consume`."""

    def format(self, record: logging.LogRecord) -> str:
        record.name = record.name.removeprefix("streampoll.")
        return super().format(record)
