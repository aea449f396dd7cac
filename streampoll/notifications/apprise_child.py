"""The process in which apprise runs: one message a line of JSON on stdin, one answer a line on stdout.

    {"url": "mailto://…", "title": "…", "body": "…"}   ->   {"sent": true, "cause": ""}

A process of its own, since apprise brings 45 MB that a worker need not have, since what it does blocks, and since a
service that hangs is ended for good with its process; a thread would hang on. Addresses come in by stdin: they hold
tokens, and a process's arguments and environment can be read by others.

What apprise and its libraries log may quote an address, so none of it leaves here: of all of it, what is told is one of
the phrases below, or an HTTP status. It imports nothing of streampoll: it starts in half a second.
"""

import json
import logging
import os
import re
import sys
from typing import Final

IDLE_S: Final = 30
_STATUS: Final = re.compile(r"error=(\d{3})\b")
_PHRASES: Final = (
    (re.compile(r"authenticat|credentials|\b535\b", re.IGNORECASE), "it does not accept the credentials"),
    (re.compile(r"certificate", re.IGNORECASE), "its certificate is not trusted"),
    (re.compile(r"refused", re.IGNORECASE), "connection refused"),
    (re.compile(r"timed? ?out", re.IGNORECASE), "it did not answer in time"),
    (re.compile(r"name or service|resolve|getaddrinfo", re.IGNORECASE), "no address of that name"),
    (re.compile(r"connection|socket", re.IGNORECASE), "the connection failed"),
)
_UNKNOWN: Final = "it did not take the message"


class _Heard(logging.Handler):
    """Keeps what is logged while a message is sent."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def answer(line: str) -> dict[str, object]:
    """Send the message of one line and return the answer."""
    import apprise

    asked = json.loads(line)
    heard = _Heard()
    root = logging.getLogger()
    root.handlers[:] = [heard]
    root.setLevel(logging.DEBUG)
    asset = apprise.AppriseAsset(app_id="streampoll", app_desc="streampoll", app_url="", secure_logging=True)
    service = apprise.Apprise(asset=asset)
    if not service.add(asked["url"]):
        return {"sent": False, "cause": "apprise does not know such an address, or a part of it is missing"}
    if "body" not in asked:
        return {"sent": True, "cause": ""}
    sent = service.notify(body=asked["body"], title=asked["title"], body_format=apprise.NotifyFormat.TEXT)
    return {"sent": bool(sent), "cause": "" if sent else _cause(heard.lines)}


def _cause(lines: list[str]) -> str:
    """Say what went wrong without a word of what was logged."""
    text = "\n".join(lines)
    found = _STATUS.search(text)
    if found:
        return f"HTTP {found[1]}"
    return next((phrase for pattern, phrase in _PHRASES if pattern.search(text)), _UNKNOWN)


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is nobody's answer
    os.dup2(1, 2)
    for line in sys.stdin:
        try:
            reply = answer(line)
        except Exception as error:  # noqa: BLE001 - whatever a plugin does is one message that was not sent
            reply = {"sent": False, "cause": f"{_UNKNOWN} ({type(error).__name__})"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
