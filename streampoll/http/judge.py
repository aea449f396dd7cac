"""Which answers are data. Everything else is a failure that says what came instead, never in the device's words."""

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec

from streampoll.http.plan import Format, Request
from streampoll.http.port import Answer, Failure
from streampoll.model import Status

_PASSWORD: Final = re.compile(rb"<input[^>]{0,200}type\s*=\s*[\"']?password", re.IGNORECASE)
_LOOKED_AT: Final = 1 << 16  # bytes of a page that are searched for a password field
_HTML: Final = ("text/html", "application/xhtml+xml")
_TYPES: Final = {
    Format.JSON: ("application/json", "text/json"),
    Format.PROMETHEUS: ("text/plain", "application/openmetrics-text"),
}


def check(answer: Answer, request: Request) -> None:
    """Return if an answer is what the request is for.

    Raises:
        Failure: not 200, another content type, a login page.
    """
    if answer.status in (401, 403):
        raise Failure(Status.AUTH, phrase(answer.status))
    if 300 <= answer.status < 400 and answer.status != HTTPStatus.NOT_MODIFIED:
        raise Failure(Status.REFUSED, f"{phrase(answer.status)}: sent elsewhere, and redirects are not followed")
    if answer.status != HTTPStatus.OK:
        raise Failure(Status.REFUSED, phrase(answer.status))
    if is_login_page(answer):
        raise Failure(Status.AUTH, "a login page came instead of data")
    if not _is_wanted(answer.content_type, request):
        kind = re.sub(r"[^a-z0-9/+.-]", "?", answer.content_type)[:60]
        raise Failure(Status.DECODE, f"content type {kind}, not {wanted(request)}")


def is_login_page(answer: Answer) -> bool:
    """Tell whether an answer is a page that asks for a password."""
    is_html = answer.content_type in _HTML or answer.body[:512].lstrip()[:1] == b"<"
    return is_html and _PASSWORD.search(answer.body, 0, _LOOKED_AT) is not None


def wanted(request: Request) -> str:
    """Return the content type that a request asks for."""
    return request.content_types[0] if request.content_types else _TYPES[request.format][0]


def phrase(status: int) -> str:
    """Return "HTTP 404 Not Found"; the words are the standard's, not the device's."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def read_json(body: bytes) -> Any:
    """Return a JSON document, integers exact.

    Raises:
        Failure: it is none.
    """
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Failure(Status.DECODE, "not JSON" if body.strip() else "an empty answer, not JSON") from None
    except RecursionError:
        raise Failure(Status.DECODE, "JSON that is nested too deep") from None


def _is_wanted(kind: str, request: Request) -> bool:
    """Tell whether a content type is the format's. A device that names none is believed; its body must still parse."""
    known = (*_TYPES[request.format], *request.content_types)
    return not kind or kind in known or (request.format is Format.JSON and kind.endswith("+json"))
