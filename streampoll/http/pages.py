"""From one page of a list to the next; pure.

A next page's address is taken as path and query on the device that is polled, whatever host it names: a device behind
NAT or a proxy names itself as it knows itself, and a credential never goes to another host.
"""

import re
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from streampoll.http.convert import to_value
from streampoll.http.expression import compile_expression
from streampoll.http.plan import Kind, PageBy, Paging
from streampoll.http.port import Answer, Ask, Failure
from streampoll.model import Status

_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT: Final = re.compile(r""";\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)""", re.IGNORECASE)


def first_page(ask: Ask, paging: Paging) -> Ask:
    """Return the request of the first page."""
    if paging.by not in (PageBy.PAGE, PageBy.OFFSET):
        return ask
    size = ((paging.size_parameter, str(paging.size)),) if paging.size_parameter else ()
    return replace(ask, query=(*ask.query, (paging.parameter, str(paging.first)), *size))


def next_page(ask: Ask, paging: Paging, document: Any, answer: Answer, rows: int) -> Ask | None:
    """Return the request of the page after `ask`, whose answer had `rows` rows; None if it was the last."""
    match paging.by:
        case PageBy.LINK:
            return _at(ask, _link(answer.headers.get("link", "")))
        case PageBy.NEXT:
            return _at(ask, _word(paging, document))
        case PageBy.CURSOR:
            cursor = _word(paging, document)
            return _with(ask, paging.parameter, cursor) if cursor else None
    if not rows or (paging.size and rows < paging.size):
        return None
    step = paging.size if paging.by is PageBy.OFFSET else 1
    return _with(ask, paging.parameter, str(int(dict(ask.query)[paging.parameter]) + step))


def _word(paging: Paging, document: Any) -> str:
    value, _ = to_value(compile_expression(paging.expression)(document), Kind.AUTO)
    return "" if value is None or isinstance(value, bool) else str(value)


def _with(ask: Ask, name: str, value: str) -> Ask:
    """Return a request with a parameter of its query changed or added."""
    return replace(ask, query=(*(pair for pair in ask.query if pair[0] != name), (name, value)))


def _at(ask: Ask, address: str) -> Ask | None:
    """Return a request for an address on the same device; None if there is no address."""
    return elsewhere(ask, address) if address else None


def elsewhere(ask: Ask, address: str) -> Ask:
    """Return a request for the path and query of an address, absolute or relative. Raises Failure: it is none."""
    try:
        parts = urlsplit(urljoin(f"//device{ask.path}", address))
    except ValueError:
        raise Failure(Status.DECODE, "it names an address that is none") from None
    path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    return replace(ask, path=path, query=tuple(parse_qsl(parts.query, keep_blank_values=True)))


def _link(header: str) -> str:
    """Return the target of rel="next" in a Link header (RFC 8288); "" if there is none."""
    return next((target for target, rest in _LINK.findall(header) if _NEXT.search(rest)), "")
