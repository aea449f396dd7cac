"""Feeds one output from the shards that this process is the home of: follow -> decode -> send -> deliver.

What was not sent stays where it is and is read again after a pause, so that nothing piles up here. A send has a time
limit; whatever the other side does, one task of one process waits for it and nothing else.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from streampoll.config.settings import OutputSettings
from streampoll.errors import EntryError, UnavailableError
from streampoll.outputs.counts import OutputCounts
from streampoll.outputs.port import Decoded, OutputAway, OutputRefused, Sink
from streampoll.results.codec import decode_payload
from streampoll.shards.entries import decode_result
from streampoll.shards.outputs import Followed, Kept, OutputStreams, Reader

log = logging.getLogger(__name__)

_IDLE_S = 1.0
_AT_A_TIME = 100  # results in one send: with tables of a hundred rows that are 200,000 samples already
_FIRST_BACK_OFF_S = 0.5
_SLACK_S = 5.0  # beyond a send's time limit, in which its results are still this process's


@dataclass(frozen=True, slots=True)
class PumpPorts:
    """What a pump works with."""

    streams: OutputStreams
    homes: Callable[[], Sequence[int]]  # shards this process feeds outputs from, now
    now: Callable[[], float]  # wall-clock seconds of Redis
    outputs: Sequence[str]  # all that there are
    own_id: str


class Pump:
    """Feeds one output."""

    def __init__(self, name: str, settings: OutputSettings, sink: Sink, ports: PumpPorts) -> None:
        self.name = name
        self.counts = OutputCounts()
        self._settings = settings
        self._sink = sink
        self._ports = ports
        self._reader = Reader(ports.own_id, settings.timeout_s + _SLACK_S)
        self._back_off_s = 0.0
        self._rotation = 0

    async def run(self) -> None:
        """Feed for ever."""
        try:
            while True:
                wait_s = await self._turn()
                await asyncio.sleep(wait_s)
        finally:
            await self._sink.close()

    async def _turn(self) -> float:
        """Send what there is, at most a batch; return how long to wait until the next turn."""
        try:
            followed = await self._follow()
            if not followed:
                return _IDLE_S
            for portion in portions(followed):
                await self._feed(portion)
        except OutputAway as error:
            self._note_away(error)
            return error.wait_s or self._wait()
        except UnavailableError as error:  # Redis
            log.debug("output %s: %s", self.name, error)
            return self._wait()
        self._note_back()
        full = sum(len(each.kept) for each in followed) >= self._settings.batch
        return 0.0 if full else _IDLE_S

    async def _follow(self) -> list[Followed]:
        """Read a batch over the home shards, each in its turn to be the first."""
        homes = self._ports.homes()
        if not homes:
            return []
        count = -(-self._settings.batch // len(homes))
        some = min(len(homes), self._settings.batch)
        first = self._rotation % len(homes)
        self._rotation += some
        shards = (*homes, *homes)[first : first + some]
        found = await self._ports.streams.follow(self.name, shards, count, self._reader)
        return [each for each in found if each.kept]

    async def _feed(self, followed: Sequence[Followed]) -> None:
        """Send what was followed and note that it is delivered; what is refused or can't be read is dropped."""
        counts, kept = self.counts, [kept for each in followed for kept in each.kept]
        decoded = list(_readable(kept))
        try:
            await self._offer(decoded, Patience())
        except OutputAway:
            counts.retried += len(decoded)
            raise
        counts.drop("unreadable", len(kept) - len(decoded))
        counts.drop("behind", sum(each.missed for each in followed))
        await self._ports.streams.deliver(self.name, followed, self._ports.outputs)

    async def _offer(self, decoded: Sequence[Decoded], patience: "Patience") -> None:
        """Send results; where some are refused, the others are found by halves: a server takes all of them or none."""
        try:
            await self._send(decoded)
            self.counts.sent += len(decoded)
        except OutputRefused as error:
            if len(decoded) > 1 and patience.left > 0:
                half = len(decoded) // 2
                await self._offer(decoded[:half], patience)
                await self._offer(decoded[half:], patience)
                return
            patience.left -= 1
            log.error("output %s: %d results are dropped: %s", self.name, len(decoded), error)
            self.counts.fail(error, self._ports.now())
            self.counts.drop(error.cause, len(decoded))

    async def _send(self, decoded: Sequence[Decoded]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._sink.send(decoded)
        except TimeoutError:
            raise OutputAway(f"no answer within {self._settings.timeout_s:g} s") from None
        self.counts.took.note(loop.time() - began)

    def _wait(self) -> float:
        self._back_off_s = min(max(2 * self._back_off_s, _FIRST_BACK_OFF_S), self._settings.max_back_off_s)
        return self._back_off_s * random.uniform(0.5, 1.0)

    def _note_away(self, error: OutputAway) -> None:
        """Say once that the other side is away."""
        self.counts.fail(error, self._ports.now())
        if not self.counts.away:
            log.error("output %s: results wait in Redis; %s", self.name, error)
        self.counts.away = True

    def _note_back(self) -> None:
        self._back_off_s = 0.0
        if self.counts.away:
            log.warning("output %s: results are taken again", self.name)
        self.counts.away = False


@dataclass(slots=True)
class Patience:
    """How many more refusals of one portion are looked into: one that refuses everything is not asked for each."""

    left: int = 8


def portions(followed: Sequence[Followed]) -> Iterator[list[Followed]]:
    """Cut what was followed into what goes out at a time, in order.

    What is delivered is noted after each: results that were sent are not sent again for those behind them, which
    Prometheus would refuse as out of order.
    """
    portion: list[Followed] = []
    room = _AT_A_TIME
    for each in followed:
        rest = each
        while rest.kept:
            portion.append(Followed(rest.shard, rest.position, rest.kept[:room], rest.added))
            last = rest.kept[:room][-1]
            rest = Followed(rest.shard, b"%s %d" % (last.id, last.number), rest.kept[room:], rest.added)
            room = _AT_A_TIME - sum(len(part.kept) for part in portion)
            if not room:
                yield portion
                portion, room = [], _AT_A_TIME
    if portion:
        yield portion


def _readable(kept: Iterable[Kept]) -> Iterable[Decoded]:
    for each in kept:
        if each.entry is None:
            continue
        try:
            result = decode_result(each.entry)
            yield Decoded(result, *decode_payload(result.payload))
        except EntryError as error:
            log.warning("output: a result that can't be read is left out: %s", error)
