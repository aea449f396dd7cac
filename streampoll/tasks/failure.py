"""Exceptions as data: type, text, traceback, each bounded. An exception itself is never sent anywhere."""

import traceback
from typing import Final

from streampoll.tasks.port import Failure

MAX_TEXT: Final = 1_000
MAX_TRACEBACK: Final = 8_000


def failure_of(error: BaseException) -> Failure:
    """Describe an exception; of a long traceback the end, where it happened."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return bounded(name, _text(error), "".join(traceback.format_exception(error)))


def bounded(name: str, text: str, story: str = "") -> Failure:
    """Make a failure of text from anybody."""
    return Failure(_sound(name)[:200], _sound(text)[:MAX_TEXT], _sound(story)[-MAX_TRACEBACK:])


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as trouble:  # noqa: BLE001 - somebody else's __str__
        return f"its text can't be had: {type(trouble).__name__}"


def _sound(text: str) -> str:
    """Return text that PostgreSQL stores: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
