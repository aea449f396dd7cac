"""One poll's story, from its slot to its row: when each thing happened, and where the time went. Pure.

Times are those of the one clock (Redis TIME), out of the trace that a row carries; what did not happen is left out, and
so is what the row does not tell: rows from before requests were timed have no requests and no last reply.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from streampoll.model import Status
from streampoll.results.reader import StoredPoll
from streampoll.results.render import clock, plain

LATE_S: Final = 1.0  # what took longer is said to be where the time went


class Wait(StrEnum):
    """What a poll may wait for."""

    COORDINATOR = "for the coordinator"
    WORKER = "in the stream, for a worker"
    OTHERS = "for the worker that had it before, and did not finish it"
    PLACE = "for a free place in the worker"
    TURN = "in the worker, for its turn to be sent"
    DEVICE = "for the device"
    MAKING = "for the worker, after the device's last reply"
    STORE = "for the store"


_IN_WORKER: Final = (Wait.PLACE, Wait.TURN, Wait.DEVICE, Wait.MAKING)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happened."""

    what: str
    at: float  # seconds since the epoch
    took_s: float  # since the thing before
    wait: Wait  # what it had waited for
    more: str = ""  # said behind it


@dataclass(frozen=True, slots=True)
class Story:
    """What became of one poll."""

    poll: StoredPoll
    chapters: tuple[Chapter, ...]

    @property
    def waits(self) -> dict[Wait, float]:
        """How long it waited for what, in seconds."""
        waits: dict[Wait, float] = {}
        for chapter in self.chapters:
            waits[chapter.wait] = waits.get(chapter.wait, 0.0) + chapter.took_s
        return waits

    @property
    def longest(self) -> Wait | None:
        """For what it waited the longest; None if not for long, or if the row has no trace."""
        waits = self.waits
        longest = max(waits, key=waits.__getitem__)
        return longest if self.poll.trace.dispatched and waits[longest] >= LATE_S else None

    @property
    def waited(self) -> str:
        """The same in words; "" for None."""
        longest = self.longest
        return longest + self._how() if longest is Wait.DEVICE else longest or ""

    def _how(self) -> str:
        """Say more of a device that was waited for."""
        if not self.poll.trace.first_reply:
            return ", which did not answer"
        pairs = pairwise(self.chapters)  # what led to a retry, and what followed it
        again = sum(after.took_s for before, after in pairs if "sent again" in (before.what, after.what))
        if again >= self.waits[Wait.DEVICE] / 2:
            retries = self.poll.trace.asked.retries
            return f": {retries} {'requests' if retries > 1 else 'request'} had to be sent again"
        first = next((chapter.took_s for chapter in self.chapters if chapter.what == "first reply"), 0.0)
        return "'s first reply" if first >= self.waits[Wait.DEVICE] / 2 else ", reply by reply"


def story_of(poll: StoredPoll) -> Story:
    """Tell a stored poll's story."""
    before, chapters = float(poll.slot), []
    for what, at, wait, more in (each for each in _happened(poll) if each[1]):
        chapters.append(Chapter(what, at, max(0.0, at - before), wait, more))
        before = max(before, at)
    return Story(poll, tuple(chapters))


def _happened(poll: StoredPoll) -> Iterator[tuple[str, float, Wait, str]]:
    """Yield what happened, in order: (what, when, what was waited for, more); at 0.0 if it did not."""
    trace = poll.trace
    yield "dispatched", trace.dispatched, Wait.COORDINATOR, ""
    yield "read", trace.read and max(trace.read, trace.dispatched), *_reading(poll)
    yield "started", trace.started, Wait.PLACE, ""
    yield from _talk(poll)
    yield "done", trace.done, _end(poll), _counts(poll)
    yield "stored", poll.slot + poll.stored_ms / 1000, Wait.STORE, ""


def _reading(poll: StoredPoll) -> tuple[Wait, str]:
    trace = poll.trace
    if trace.delivery <= 1:
        return Wait.WORKER, f"by {trace.consumer}"
    return Wait.OTHERS, f"by {trace.consumer}, in delivery {trace.delivery}"


def _talk(poll: StoredPoll) -> Iterator[tuple[str, float, Wait, str]]:
    """Yield what went to and fro between worker and device, in the order of time."""
    asked, first_reply = poll.trace.asked, poll.trace.first_reply
    left = asked.retries - len(asked.retried)
    said = [("first request", asked.first, Wait.TURN, "")]
    for number, at in enumerate(asked.retried, 1):
        last = number == len(asked.retried)
        said.append(("sent again", at, Wait.DEVICE, f"and {left} more times" if left > 0 and last else ""))
    said.append(("first reply", first_reply, Wait.DEVICE, ""))
    if asked.last_reply > first_reply:
        said.append(("last reply", asked.last_reply, Wait.DEVICE, ""))
    return iter(sorted(said, key=lambda each: each[1]))


def _end(poll: StoredPoll) -> Wait:
    """Return what was waited for last: the device, unless all of its replies had come."""
    asked = poll.trace.asked
    if poll.status in (Status.EXPIRED, Status.CRASHED) or not poll.trace.started:
        return Wait.MAKING
    waited_in_vain = max(asked.retried, default=0.0) > asked.last_reply or not poll.status.answered
    ended_late = poll.status is not Status.OK and poll.trace.done - asked.last_reply >= LATE_S
    return Wait.DEVICE if not asked.last_reply or waited_in_vain or ended_late else Wait.MAKING


def _counts(poll: StoredPoll) -> str:
    outcome, retries = poll.outcome, poll.trace.asked.retries
    if not outcome.requests:
        return ""
    again = f" ({retries} of them sent again)" if retries else ""
    values = f", with {_many(outcome.varbinds, 'value')}" if outcome.varbinds else ""
    return f"after {_many(outcome.requests, 'request')}{again}{values}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def heading(story: Story) -> str:
    """Return what stands above a story."""
    poll = story.poll
    head = f"{poll.job} of {poll.device}, due {clock(poll.slot)}: {poll.status.word}"
    return f"{head}, {plain(poll.outcome.error)}" if poll.outcome.error else head


def chapter_line(chapter: Chapter) -> str:
    """Return one line of a story: when, how long after the line before, and what."""
    told = clock(chapter.at) or ""
    time_of_day = told[11:-1] if told.endswith("Z") else told  # the day is in the heading
    return f"{time_of_day:<12} {f'+{chapter.took_s:.3f} s':>11}  {chapter.what} {chapter.more}".rstrip()


def conclusion(story: Story) -> str:
    """Say in one line where the time went; "" if there was none to speak of."""
    longest = story.longest
    if longest is None:
        return ""
    after_s, lag_s = story.chapters[-1].at - story.poll.slot, story.poll.trace.lag_s
    said = f"Of the {after_s:.1f} s until it was stored, it waited {story.waits[longest]:.1f} s {story.waited}."
    if lag_s >= LATE_S and longest in _IN_WORKER:
        said += f" But the worker itself stood still for up to {lag_s:.1f} s around then, and noticed nothing."
    return said


def story_json(story: Story) -> dict[str, Any]:
    """Return the story as one object."""
    poll = story.poll
    return {
        "device": poll.device, "job": poll.job, "slot": clock(poll.slot), "status": poll.status.word,
        "error": poll.outcome.error or None, "requests": poll.outcome.requests, "retries": poll.trace.asked.retries,
        "values": poll.outcome.varbinds, "consumer": poll.trace.consumer or None, "delivery": poll.trace.delivery,
        "story": [{"what": each.what, "at": clock(each.at), "after_s": round(each.at - poll.slot, 3),
                   "took_s": round(each.took_s, 3)} for each in story.chapters],
        "waited": story.waited or None, "worker_lag_s": poll.trace.lag_s,
    }  # fmt: skip
