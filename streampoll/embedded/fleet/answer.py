"""What a request is answered with, by the rules of RFC 3416 section 4.2 and RFC 1157 section 4.1. Pure.

Sizes are upper bounds (a moving value counts with its widest encoding), so a reply is never above its limit and a
request always gets the same variables, whatever the counters say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from streampoll.embedded.fleet import ber
from streampoll.embedded.fleet.ber import Oid
from streampoll.embedded.fleet.personality import Personality, View
from streampoll.embedded.fleet.request import Pdu, Request
from streampoll.embedded.fleet.values import Value

HEADERS_BYTES = 48  # of a reply beyond its community and variable bindings, at most


class ErrorStatus(IntEnum):
    """The error-status values that the fleet sends."""

    NO_ERROR = 0
    TOO_BIG = 1
    NO_SUCH_NAME = 2
    NO_ACCESS = 6


@dataclass(frozen=True, slots=True)
class Limits:
    """How large replies may be."""

    max_reply_bytes: int  # a GETBULK reply is cut here, another is tooBig above it
    too_big_bytes: int = 0  # above it everything is tooBig, GETBULK too (as with agents that don't cut); 0: off


@dataclass(frozen=True, slots=True)
class Binding:
    """A variable of a reply."""

    name: bytes  # encoded
    value: Value

    @property
    def max_bytes(self) -> int:
        """The most bytes that it takes."""
        value = self.value
        content = len(self.name) + (len(value) if isinstance(value, bytes) else value.max_bytes)
        return content + 1 + len(ber.encode_length(content))


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply without its header: either bindings, or an error."""

    bindings: tuple[Binding, ...]
    status: ErrorStatus = ErrorStatus.NO_ERROR
    index: int = 0
    echo: bytes = b""  # the variable bindings of the request, in errors that repeat them


def answer(request: Request, personality: Personality, limits: Limits) -> Answer:
    """Answer a request from a personality's MIB."""
    match request.pdu:
        case Pdu.SET:
            refusal = ErrorStatus.NO_ACCESS if request.version else ErrorStatus.NO_SUCH_NAME
            return Answer((), refusal, 1, request.varbinds)
        case Pdu.GETBULK:
            found = Answer(_bulk(request, personality.view, limits.max_reply_bytes))
        case _ if request.version:
            found = Answer(_each(request, personality.view))
        case _:
            found = _each_v1(request, personality.v1_view)
    return _sized(found, request, limits)


def _sized(found: Answer, request: Request, limits: Limits) -> Answer:
    """Refuse an answer above the limits: v1 repeats the request's bindings, v2c sends none."""
    size = reply_bound(request, found.bindings)
    nothing_fits = request.pdu is Pdu.GETBULK and not found.bindings and request.oids and request.max_repetitions
    if nothing_fits or size > limits.max_reply_bytes or 0 < limits.too_big_bytes < size:
        return Answer((), ErrorStatus.TOO_BIG, 0, b"" if request.version else request.varbinds)
    return found


def reply_bound(request: Request, bindings: tuple[Binding, ...]) -> int:
    """Return the most bytes that a reply with these bindings takes."""
    return HEADERS_BYTES + len(request.community) + sum(binding.max_bytes for binding in bindings)


def _each(request: Request, view: View) -> tuple[Binding, ...]:
    """Answer GET and GETNEXT of v2c: what is missing is an exception in its place."""
    one = _exactly if request.pdu is Pdu.GET else _following
    return tuple(one(view, oid)[1] for oid in request.oids)


def _each_v1(request: Request, view: View) -> Answer:
    """Answer GET and GETNEXT of v1: the first missing variable fails the whole request."""
    bindings = []
    for place, oid in enumerate(request.oids, 1):
        binding = _exactly(view, oid)[1] if request.pdu is Pdu.GET else _following(view, oid)[1]
        if binding.value in _EXCEPTIONS:
            return Answer((), ErrorStatus.NO_SUCH_NAME, place, request.varbinds)
        bindings.append(binding)
    return Answer(tuple(bindings))


_EXCEPTIONS = (ber.NO_SUCH_OBJECT, ber.NO_SUCH_INSTANCE, ber.END_OF_MIB_VIEW)


def _exactly(view: View, oid: Oid) -> tuple[Oid, Binding]:
    value = view.get(oid)
    if value is None:
        value = ber.NO_SUCH_INSTANCE if view.has_object(oid) else ber.NO_SUCH_OBJECT
    return oid, Binding(ber.encode_oid(oid), value)


def _following(view: View, oid: Oid) -> tuple[Oid, Binding]:
    found = view.after(oid)
    if found is None:
        return oid, Binding(ber.encode_oid(oid), ber.END_OF_MIB_VIEW)
    return found[0], Binding(ber.encode_oid(found[0]), found[1])


def _bulk(request: Request, view: View, max_bytes: int) -> tuple[Binding, ...]:
    """Answer GETBULK: non-repeaters once, the rest row by row, until the reply is full or all columns have ended."""
    room = max_bytes - reply_bound(request, ())
    bindings: list[Binding] = []
    for binding in _bulk_bindings(request, view):
        room -= binding.max_bytes
        if room < 0:
            break
        bindings.append(binding)
    return tuple(bindings)


def _bulk_bindings(request: Request, view: View) -> Iterator[Binding]:
    """Yield the bindings of RFC 3416 section 4.2.3 in order, without regard to the size."""
    for oid in request.oids[: request.non_repeaters]:
        yield _following(view, oid)[1]
    columns = list(request.oids[request.non_repeaters :])
    for _ in range(request.max_repetitions if columns else 0):
        row = [_following(view, oid) for oid in columns]
        yield from (binding for _, binding in row)
        columns = [oid for oid, _ in row]
        if all(binding.value is ber.END_OF_MIB_VIEW for _, binding in row):
            return
