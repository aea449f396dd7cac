"""Replies as templates: the whole of a reply is one linear function of the device's moment.

All bytes of a reply after the request-id, read as one large integer, are

    constant + sum(coefficient[q] * moment[q] for the quantities q that occur in it)

since every moving value is linear, has its own bytes, and never carries out of them (values.py keeps each in a range
where its width is fixed). So forty moving counters cost two multiplications and one conversion to bytes. Where a width
is not fixed (a 32-bit counter, the uptime in the day after a boot) the reply is put together value by value.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from streampoll.embedded.fleet import ber
from streampoll.embedded.fleet.answer import Answer
from streampoll.embedded.fleet.request import Pdu, Request
from streampoll.embedded.fleet.values import UPTIME_MIN, Moment, Moving, Quantity


@dataclass(frozen=True, slots=True)
class Plan:
    """How to answer one request, whatever its request-id, on any device of one personality."""

    request: Request
    answer: Answer
    head: bytes  # the message up to the request-id's content
    tail: bytes  # what follows it, where nothing in it moves; else b""
    tail_bytes: int  # how long that is; 0: it varies, only the slow path serves
    constant: int
    terms: tuple[tuple[int, int], ...]  # (quantity, coefficient)


def make_plan(request: Request, answer: Answer) -> Plan:
    """Lay a reply out."""
    moving = [binding.value for binding in answer.bindings if isinstance(binding.value, Moving)]
    if any(not value.width for value in moving):
        return Plan(request, answer, b"", b"", 0, 0, ())
    head, tail = _frame(request, answer, [_bind(binding.name, _blank(binding.value)) for binding in answer.bindings])
    if not moving:
        return Plan(request, answer, head, tail, len(tail), 0, ())
    constant, terms = _linear(answer, int.from_bytes(tail, "big"))
    return Plan(request, answer, head, b"", len(tail), constant, terms)


def render(plan: Plan, request_id: bytes, moment: Moment) -> bytes:
    """Make the reply of a device at a moment."""
    if plan.tail:
        return plan.head + request_id + plan.tail
    if plan.tail_bytes and moment[Quantity.UPTIME] >= UPTIME_MIN:
        number = plan.constant
        for quantity, coefficient in plan.terms:
            number += coefficient * moment[quantity]
        return plan.head + request_id + number.to_bytes(plan.tail_bytes, "big")
    return render_slowly(plan, request_id, moment)


def render_slowly(plan: Plan, request_id: bytes, moment: Moment) -> bytes:
    """Make the same reply value by value."""
    bindings = []
    for binding in plan.answer.bindings:
        value = binding.value
        bindings.append(_bind(binding.name, value if isinstance(value, bytes) else value.at(moment)))
    head, tail = _frame(plan.request, plan.answer, bindings)
    return head + request_id + tail


def _linear(answer: Answer, number: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Put the moving values into the blanks of a tail: from the last binding to the first, counting bits."""
    coefficients: defaultdict[int, int] = defaultdict(int)
    shift = 0
    for binding in reversed(answer.bindings):
        value = binding.value
        if isinstance(value, Moving):
            number += value.constant << shift
            for quantity, coefficient in value.terms:
                coefficients[quantity] += coefficient << shift
        shift += 8 * len(_bind(binding.name, _blank(value)))
    return number, tuple((int(quantity), coefficient) for quantity, coefficient in coefficients.items())


def _blank(value: bytes | Moving) -> bytes:
    """Return a value encoded with zeros where it moves; those are always its last bytes."""
    return value if isinstance(value, bytes) else ber.encode(value.tag, bytes(value.width))


def _bind(name: bytes, value: bytes) -> bytes:
    return ber.encode(ber.SEQUENCE, name + value)


def _frame(request: Request, answer: Answer, bindings: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return a response without its request-id's content: what comes before and after that."""
    tail = ber.encode_integer(answer.status) + ber.encode_integer(answer.index)
    tail += ber.encode(ber.SEQUENCE, answer.echo or b"".join(bindings))
    number = bytes((ber.INTEGER, len(request.request_id)))
    pdu_bytes = len(number) + len(request.request_id) + len(tail)
    pdu = bytes((Pdu.RESPONSE,)) + ber.encode_length(pdu_bytes)
    header = ber.encode_integer(request.version) + ber.encode(ber.OCTETS, request.community)
    message = bytes((ber.SEQUENCE,)) + ber.encode_length(len(header) + len(pdu) + pdu_bytes)
    return message + header + pdu + number, tail
