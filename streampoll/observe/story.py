"""One poll's story, from its slot to its row: when each thing happened, and where the time went. Pure.

Times are those of the one clock (Redis TIME), out of the trace that a row carries; what did not happen is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from streampoll.results.reader import StoredPoll
from streampoll.results.slots import SlotTally

_WAITS: Final = {
    "dispatched": "for the coordinator",
    "read": "in the stream, for a worker",
    "started": "for a free place in the worker",
    "first reply": "for the device's first reply",
    "done": "for the rest of the device's replies",
    "stored": "for the store",
}
_LATE_S: Final = 1.0  # what took longer is said to be where the time went


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happened."""

    what: str
    after_s: float  # since the slot
    took_s: float  # since the thing before


@dataclass(frozen=True, slots=True)
class Story:
    """What became of one poll."""

    poll: StoredPoll
    chapters: tuple[Chapter, ...]

    @property
    def slowest(self) -> Chapter | None:
        """Where most of the time went, if that was long enough to speak of."""
        longest = max(self.chapters, key=lambda chapter: chapter.took_s, default=None)
        return longest if longest is not None and longest.took_s >= _LATE_S else None

    @property
    def waited(self) -> str:
        """For what it waited the longest; "" if not for long, or if the row has no trace."""
        slowest = self.slowest
        if slowest is None or not self.poll.trace.dispatched:
            return ""
        answered = any(chapter.what == "first reply" for chapter in self.chapters)
        return _WAITS[slowest.what] if answered or slowest.what != "done" else "for the device, which did not answer"


def story_of(poll: StoredPoll) -> Story:
    """Tell a stored poll's story."""
    trace = poll.trace
    times = [
        ("dispatched", trace.dispatched), ("read", trace.read), ("started", trace.started),
        ("first reply", trace.first_reply), ("done", trace.done),
    ]  # fmt: skip
    happened = [(what, at) for what, at in times if at] + [("stored", poll.slot + poll.stored_ms / 1000)]
    before, chapters = float(poll.slot), []
    for what, at in happened:
        chapters.append(Chapter(what, at - poll.slot, max(0.0, at - before)))
        before = max(before, at)
    return Story(poll, tuple(chapters))


def story_lines(story: Story) -> Iterator[str]:
    """Yield the story line by line."""
    poll, trace = story.poll, story.poll.trace
    for chapter in story.chapters:
        more = f"  to {trace.consumer}, delivery {trace.delivery}" if chapter.what == "read" else ""
        yield f"{chapter.what:<12} {chapter.after_s:>9.3f} s after the slot   +{chapter.took_s:.3f} s{more}"
    outcome = poll.outcome
    yield f"{poll.status.word}: {outcome.requests} requests with retries, {outcome.varbinds} values" + (
        f"; {outcome.error}" if outcome.error else ""
    )
    if (slowest := story.slowest) is not None and story.waited:
        yield f"most of the time, {slowest.took_s:.1f} s, it waited {story.waited}"


def story_json(story: Story) -> dict[str, Any]:
    """Return the story as one object."""
    poll = story.poll
    return {
        "device": poll.device, "job": poll.job, "slot": poll.slot, "status": poll.status.word,
        "error": poll.outcome.error or None, "requests": poll.outcome.requests, "values": poll.outcome.varbinds,
        "consumer": poll.trace.consumer or None, "delivery": poll.trace.delivery,
        "story": [{"what": each.what, "after_s": round(each.after_s, 3), "took_s": round(each.took_s, 3)}
                  for each in story.chapters],
        "waited": story.waited or None,
    }  # fmt: skip


def without_row(tally: SlotTally | None, slot: int) -> str:
    """Say why a poll has no row, as far as its slot's books tell."""
    if tally is None or not tally.expected:
        return f"nothing was due at {slot}"
    if not tally.final:
        return "it is not over: something of that slot is still in Redis"
    if tally.skipped:
        return f"{tally.skipped} of {tally.expected} polls of that slot were skipped: `streampoll audit` has the cause"
    if tally.lost:
        return f"{tally.lost} of {tally.expected} polls of that slot were lost with data of Redis"
    if tally.missing:
        return f"{tally.missing} of {tally.expected} polls of that slot are missing: see `streampoll audit --list`"
    return f"the device was not among the {tally.expected} that were due then"
