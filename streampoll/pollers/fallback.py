"""Which of a device's credentials a poll uses, and what its outcome means for the next one. Pure.

A device may name several credentials of one protocol. Then:

- *not accepted* (`auth`): the next one is tried in the same poll, each at most once and at most four. When none was
  accepted, there is one more round at the next poll; over a protocol with accounts then none for five minutes, then
  ten, up to an hour, so that no account is locked out. That holds for a device with a single credential too.
- *silence*, which over SNMP is also how an agent refuses a community: nothing more is tried in this poll, so a dead
  device costs what it always costs. A device that has never answered is asked with the next credential at each poll;
  one that has is asked with that credential for three polls, then by turns with another one and with it.
- *an answer*: this credential is tried first from now on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from streampoll.model import Outcome, Status

MOST_TRIED: Final = 4  # credentials in one poll
LOYAL_POLLS: Final = 3  # silent polls in a row that a credential which worked is held to
_ROUNDS: Final = 2  # in which no credential was accepted, before there is a pause
_PAUSE_S: Final = 300.0
_LONGEST_PAUSE_S: Final = 3600.0


class Verdict(Enum):
    """What an outcome says of the credential that was used."""

    ACCEPTED = auto()
    REFUSED = auto()
    SILENT = auto()  # no answer at all: the device is down, or over SNMP refuses the credential
    UNCLEAR = auto()  # it says nothing of the credential


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a device and its credentials of one protocol."""

    worked: str = ""  # the credential that was accepted last; "" if none was yet
    silent: int = 0  # polls in a row
    refused: int = 0  # rounds in a row in which none was accepted
    since: float = 0.0  # wall clock, of the first of those rounds
    pause_until: float = 0.0  # wall clock; no attempt before


UNKNOWN: Final = Standing()


def verdict(outcome: Outcome) -> Verdict:
    """Return what an outcome says of the credential."""
    if outcome.status.answered:
        return Verdict.ACCEPTED
    if outcome.status is Status.AUTH:
        return Verdict.REFUSED
    if outcome.status is Status.TIMEOUT and not outcome.first_reply:
        return Verdict.SILENT
    return Verdict.UNCLEAR


def in_turn(names: Sequence[str], standing: Standing, silence_refuses: bool) -> Sequence[str]:
    """Return a device's credentials in the order for its next poll, the one to begin with first."""
    if len(names) == 1:
        return names
    worked = [name for name in names if name == standing.worked]
    line = [*worked, *(name for name in names if name != standing.worked)]
    if standing.refused and len(line) > MOST_TRIED:  # the others have their round too
        begin = standing.refused * MOST_TRIED % len(line)
        line = [*line[begin:], *line[:begin]]
    first = line[_turn(len(line), standing.silent, bool(worked)) if silence_refuses else 0]
    return [first, *(name for name in line if name != first)][:MOST_TRIED]


def _turn(count: int, silent: int, loyal: bool) -> int:
    """Return the place in line of the credential to begin with, after so many silent polls."""
    if not loyal:
        return silent % count
    strange = silent - LOYAL_POLLS  # 0: the first other one, 1: the one that worked, 2: the next other one, …
    return 0 if strange < 0 or strange % 2 else 1 + strange // 2 % (count - 1)


@lru_cache(maxsize=4096)
def accepted(name: str) -> Standing:
    """Return a device's standing once a credential was accepted; one object for all devices that use it."""
    return Standing(name)


def silent(standing: Standing) -> Standing:
    """Return a device's standing after a poll that it did not answer."""
    return replace(standing, silent=standing.silent + 1)


def answered(standing: Standing) -> Standing:
    """Return a device's standing after an answer that says nothing of the credential."""
    return replace(standing, silent=0) if standing.silent else standing


def refused(standing: Standing, now: float, locks_out: bool) -> Standing:
    """Return a device's standing after a round in which no credential was accepted."""
    rounds = standing.refused + 1
    pause_s = min(_PAUSE_S * 2 ** min(rounds - _ROUNDS, 10), _LONGEST_PAUSE_S) if rounds >= _ROUNDS else 0.0
    until = now + pause_s if pause_s and locks_out else 0.0
    return Standing(standing.worked, 0, rounds, standing.since or now, until)
