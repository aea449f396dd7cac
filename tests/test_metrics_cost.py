"""What counting costs the hot path: a handful of calls a poll, and no memory. How long they take is the machine's."""

import sys
import tracemalloc
from types import FrameType

from streampoll.model import Outcome, Status
from streampoll.pollers.counts import PollCounts

CALLS = 3  # `note` itself, and one for each of its two histograms
POLLS = 1_000
KEPT = 2_048  # bytes after POLLS: counters that have become larger numbers, and nothing that grows with polls

OUTCOME = Outcome(Status.OK, requests=2, varbinds=9, protocol="snmp")


def _counted_before() -> PollCounts:
    counts = PollCounts()
    counts.note(OUTCOME, 0.02, 0.3)
    return counts


def test_counting_a_poll_takes_a_handful_of_calls() -> None:
    counts = _counted_before()
    called: list[str] = []

    def seen(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_qualname)

    sys.setprofile(seen)
    counts.note(OUTCOME, 0.02, 0.3)
    sys.setprofile(None)

    assert called[0] == "PollCounts.note"
    assert len(called) <= CALLS, called


def test_counting_a_poll_keeps_nothing() -> None:
    counts = _counted_before()

    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(POLLS):
        counts.note(OUTCOME, 0.02, 0.3)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert counts.requests == 2 * (POLLS + 1)
    assert after - before < KEPT
