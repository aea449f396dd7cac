"""The polling handler: whatever becomes of a poll, its row says so."""

import asyncio
import math
import time
from dataclasses import replace
from functools import partial

import pytest

from streampoll.model import Asked, Outcome, QueueClass, Status, Target
from streampoll.pollers.handler import Poll, PollHandler, PollPorts
from streampoll.results.codec import decode_payload, encode_payload
from streampoll.shards.entries import Delivered, Entry, Kind, decode_result, encode_target
from streampoll.worker.port import Bury, Disposition, Finish, Release

NOW = 1_000_000.0
TARGET = Target("core-1", "192.0.2.1", 0, "system", "", {})
POLLED = Outcome(Status.OK, requests=2, varbinds=7)


def delivered(expiry: int = 0, kind: str = Kind.POLL, body: bytes = b"", delivery: int = 1) -> Delivered:
    entry = Entry(kind, "j", 999_960, expiry, body or encode_target(TARGET))
    return Delivered(QueueClass.POLLING, 3, b"999960000-0", entry, delivery, 0.0)


def handler(poll: Poll | None = None) -> PollHandler:
    async def answer(_: Target, __: float) -> Outcome:
        return POLLED

    async def close() -> None:
        pass

    return PollHandler(PollPorts(poll or answer, encode_payload, lambda: NOW, "w1", close))


async def handled(it: PollHandler, *batch: Delivered) -> list[Disposition]:
    """Serve a batch, and make what was only drafted."""
    return [answer() if isinstance(answer, partial) else answer for answer in await it.handle(batch)]


def row_of(disposition: Disposition) -> tuple[str, int, Status, str]:
    """Return (device, slot, status, error) of the one row that a disposition emits."""
    assert isinstance(disposition, Finish | Bury)
    [emit] = disposition.emits
    assert emit.queue is QueueClass.RESULTS
    result = decode_result(emit.entry)
    return result.device, result.slot, result.status, decode_payload(result.payload)[0].error


async def test_a_poll_becomes_a_row_with_its_outcome_and_trace() -> None:
    it = handler()
    [finish] = await handled(it, delivered(delivery=2))
    assert row_of(finish) == ("core-1", 999_960, Status.OK, "")
    assert isinstance(finish, Finish)
    trace = decode_payload(decode_result(finish.emits[0].entry).payload)[1]
    assert (trace.delivery, trace.consumer, trace.dispatched) == (2, "w1", 999_960.0)
    assert trace.read == trace.dispatched  # the read had been sent before, and waited
    assert (it.counts.by_status, it.counts.requests, it.counts.varbinds) == ({"ok": 1}, 2, 7)


async def test_when_a_device_was_asked_is_told_by_the_clock_of_redis() -> None:
    """A poller tells the time by its host's clock, which is decades ahead here."""
    at = time.time()

    async def poll(_: Target, __: float) -> Outcome:
        return Outcome(Status.OK, first_reply=at, requests=2, asked=Asked(at - 3, at, 1, (at - 2,)))

    [finish] = await handled(handler(poll), delivered())

    assert isinstance(finish, Finish)
    trace = decode_payload(decode_result(finish.emits[0].entry).payload)[1]
    times = trace.asked.first, trace.asked.retried[0], trace.first_reply, trace.asked.last_reply
    assert times == pytest.approx((NOW - 3, NOW - 2, NOW, NOW), abs=2.0)
    assert trace.asked.retries == 1


async def test_a_worker_that_was_late_says_so_in_its_row() -> None:
    it = PollHandler(replace(handler()._ports, lag_s=lambda: 3.2))

    [finish] = await handled(it, delivered())

    assert isinstance(finish, Finish)
    assert decode_payload(decode_result(finish.emits[0].entry).payload)[1].lag_s == 3.2


async def test_an_entry_whose_next_slot_has_begun_is_not_polled() -> None:
    async def fail(_: Target, __: float) -> Outcome:
        raise AssertionError

    [finish] = await handled(handler(fail), delivered(expiry=int(NOW) - 2))
    assert row_of(finish)[2:] == (Status.EXPIRED, "not polled: its next slot began 2.0 s before")


@pytest.mark.parametrize(("expiry", "limit_s"), [(0, math.inf), (int(NOW) + 10, 10.0)])
async def test_a_poll_ends_by_its_expiry(expiry: int, limit_s: float) -> None:
    deadlines: list[float] = []

    async def note(_: Target, deadline: float) -> Outcome:
        deadlines.append(deadline - asyncio.get_running_loop().time())
        return POLLED

    await handled(handler(note), delivered(expiry))
    assert deadlines == [pytest.approx(limit_s, abs=1.0)]


async def test_a_bug_in_a_poller_is_a_row_and_its_traceback_is_written_once(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: Target, __: float) -> Outcome:
        raise ZeroDivisionError("by design")

    dispositions = await handled(handler(fail), delivered(), delivered())
    assert {row_of(each)[2:] for each in dispositions} == {
        (Status.ERROR, "a bug in the poller: ZeroDivisionError: by design")
    }
    assert len(caplog.records) == 1


async def test_a_cancelled_poll_is_no_bug() -> None:
    async def hang(_: Target, __: float) -> Outcome:
        await asyncio.Event().wait()
        return POLLED

    task = asyncio.create_task(handler(hang).handle([delivered()]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_it_does_not_know_is_handed_back_once_and_then_buried_with_a_row() -> None:
    it = handler()
    [first] = await handled(it, delivered(kind="dance"))
    [second] = await handled(it, delivered(kind="dance", delivery=2))
    assert first == Release("no worker knows entries of kind 'dance'", counted=True)
    assert isinstance(second, Bury)
    assert row_of(second)[2:] == (Status.ERROR, "no worker knows entries of kind 'dance'")


async def test_a_body_that_can_not_be_read_is_buried_without_a_row() -> None:
    [disposition] = await handled(handler(), delivered(body=b"\xc1", delivery=2))
    assert isinstance(disposition, Bury)
    assert disposition.cause
    assert not disposition.emits


async def test_an_attempt_that_did_not_end_is_a_row_with_the_cause() -> None:
    assert row_of(handler().fail(delivered(), Status.CRASHED, "died 3 times"))[2:] == (Status.CRASHED, "died 3 times")
