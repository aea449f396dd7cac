"""Spans of what a leader dispatches: one for a round trip, and one for each poll whose trace is sampled."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from streampoll.shards.entries import decode_target
from streampoll.shards.port import Answer, Dispatch, Dispatched
from streampoll.tracing.identity import poll_trace
from streampoll.tracing.telemetry import End, Telemetry
from streampoll.tracing.way import Way, about_poll

_AT_ONCE: Final = 100  # spans made in one go: some 10 ms
_PAUSE_S: Final = 0.002  # then; without it 6,400 spans overflow the SDK's queue of 2,048, for its thread hardly runs


class DispatchSpans:
    """Told of each round trip; it makes the roots that the other spans of polls hang from."""

    def __init__(self, telemetry: Telemetry, now: Callable[[], float]) -> None:
        self._telemetry = telemetry
        self._now = now

    async def __call__(self, parts: Sequence[Dispatch], answers: Sequence[Dispatched], began: float) -> None:
        """Make the spans of parts that were sent at `began` and have been answered now.

        A round trip may have thousands of polls: between parts others get their turn, the thread that sends spans too.
        """
        ended = self._now()
        added = [part for part, said in zip(parts, answers, strict=True) if said.answer is Answer.OK]
        ways: list[Way] = []
        for part in added:
            ways.extend(self._sampled(part))
            await asyncio.sleep(0)
        whole = self._telemetry.start_batch(
            "dispatch batch", began, [way.trace for way in ways],
            {"streampoll.parts": len(parts), "streampoll.polls": sum(len(part.polls) for part in added)},
        )  # fmt: skip
        linked = [whole.context] if whole.context else []
        for number, way in enumerate(ways, 1):
            self._telemetry.start(way, began, "producer", linked).end(ended, End())
            if number % _AT_ONCE == 0:
                await asyncio.sleep(_PAUSE_S)
        whole.end(ended, End())

    def _sampled(self, part: Dispatch) -> Sequence[Way]:
        """Return the spans of those of a part's polls that are sampled."""
        ways = []
        for _, body in part.polls:
            device = decode_target(body)[0].device
            way = Way(poll_trace(part.job, device, part.tick), "dispatch", first=True)
            if self._telemetry.samples(way):
                way.says = about_poll(part.job, device, part.tick) | {"streampoll.shard": part.shard}
                ways.append(way)
        return ways
