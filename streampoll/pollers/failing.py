"""Says in the log which devices begin to fail and which answer again: a few lines a minute, the rest as a number.

A poll that ends well costs one look into a dictionary. What fails is remembered by (job, device), up to a bound.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from streampoll.logs import about
from streampoll.model import Outcome, Status

log = logging.getLogger(__name__)

Later = Callable[[float, Callable[[], None]], object]
"""Calls something after so many seconds."""

_MINUTE_S: Final = 60.0
_MOST: Final = 20_000  # pairs remembered, some 8 MB
_STALE_S: Final = 3_600.0  # since it failed last: it may have another home by now
_MOST_TEXT: Final = 300  # characters of a cause


@dataclass(slots=True)
class Spell:
    """A device fails by one job."""

    since: float  # its first poll that failed, wall-clock seconds
    last: float
    polls: int
    named: bool  # there was a line about it


class Failing:
    """The devices that fail, as this process has seen it."""

    def __init__(self, lines: int, monotonic: Callable[[], float] = time.monotonic, later: Later | None = None) -> None:
        """At most so many `lines` a minute; 0: nothing is remembered, nor said."""
        self._lines = _Minute(lines, monotonic, later or _call_later) if lines else None
        self.spells: dict[
            tuple[str, str], Spell
        ] = {}  # by (job, device) whose last poll failed; looked into at each poll
        self._full = False

    def note(self, key: tuple[str, str], outcome: Outcome, slot: int, shard: int, now: float) -> None:
        """Take an outcome that is none of a device that was well and still is; `now` in wall-clock seconds."""
        if self._lines is None or outcome.status is Status.EXPIRED:  # which is our doing, not the device's
            return
        if outcome.status.answered:
            if (spell := self.spells.pop(key, None)) is not None:
                self._full = False
                self._answers(key, spell, about(*key, slot, shard), now)
            return
        if (spell := self.spells.pop(key, None)) is None:
            if not self._room(now):
                return
            spell = Spell(now, now, 0, self._begins(key, outcome, about(*key, slot, shard)))
        spell.polls += 1
        spell.last = now
        self.spells[key] = spell  # behind all others: the first is the one that failed longest ago

    def close(self) -> None:
        """Say what has not been said."""
        if self._lines is not None:
            self._lines.sum_up()

    def _begins(self, key: tuple[str, str], outcome: Outcome, extra: dict[str, str | int]) -> bool:
        assert self._lines is not None
        if not self._lines.take("began"):
            return False
        cause = " ".join(outcome.error.split())[:_MOST_TEXT]
        log.warning(
            "device %s begins to fail by job %s: %s: %s", key[1], key[0], outcome.status.word, cause, extra=extra
        )
        return True

    def _answers(self, key: tuple[str, str], spell: Spell, extra: dict[str, str | int], now: float) -> None:
        assert self._lines is not None
        if spell.named and self._lines.take("answered"):
            log.info(
                "device %s answers again by job %s: %d polls failed, the first %.0f s ago",
                key[1], key[0], spell.polls, now - spell.since, extra=extra,
            )  # fmt: skip

    def _room(self, now: float) -> bool:
        """Tell whether one more can be remembered; what has not been polled here for long is forgotten for it."""
        if len(self.spells) < _MOST:
            return True
        oldest = next(iter(self.spells))
        if self.spells[oldest].last < now - _STALE_S:
            del self.spells[oldest]
            return True
        if not self._full:
            self._full = True
            log.warning("%d devices fail: of more it is not said any more", _MOST)
        return False


class _Minute:
    """So many lines a minute; what is beyond them is counted, and said in one line at its end."""

    def __init__(self, most: int, monotonic: Callable[[], float], later: Later) -> None:
        self._most = most
        self._monotonic = monotonic
        self._later = later
        self._ends = 0.0
        self._left = most
        self._unsaid = {"began": 0, "answered": 0}

    def take(self, what: str) -> bool:
        """Tell whether a line may be written; if not, it counts among what is said later."""
        now = self._monotonic()
        if now >= self._ends:
            self._ends, self._left = now + _MINUTE_S, self._most
        if self._left > 0:
            self._left -= 1
            return True
        if not any(self._unsaid.values()):
            self._later(self._ends - now, self.sum_up)
        self._unsaid[what] += 1
        return False

    def sum_up(self) -> None:
        """Say how many lines were not written, if any."""
        began, answered = self._unsaid["began"], self._unsaid["answered"]
        self._unsaid = {"began": 0, "answered": 0}
        if began or answered:
            log.warning(
                "and %d more devices began to fail, %d answered again: log.device_lines is %d a minute",
                began, answered, self._most,
            )  # fmt: skip


def _call_later(seconds: float, call: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, call)
