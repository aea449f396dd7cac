"""The state of a device, poll by poll: up, degraded, down, unreachable, unknown; and whether it flaps. Pure.

A device is down when every job that polls it has gone without an answer `down_after` times in a row, and up again after
`up_after` answered polls. One that began to fail, or answers in part, is degraded. What says nothing of the device
(expired, config, a bug of ours) changes nothing, and so does a time-out of a poller that was starved itself.

Silence behind a parent that fails is the parent's: the device is unreachable, and down by itself only after
`down_after` more polls in which the parent answered. As results come in any order, a parent that nothing was heard of
since the device fell silent is waited for: for as many polls again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from streampoll.analysis.port import Above
from streampoll.analysis.rule import StateRules
from streampoll.model import Status

STARVED_S: Final = 0.5
"""A poller whose loop was this late says nothing by a time-out (a request waits for two seconds by default)."""

_KEPT: Final = 3  # intervals after which a job that polls no more does not count
_ANSWERS: Final = (Status.OK, Status.PARTIAL, Status.REFUSED, Status.AUTH, Status.DECODE)  # somebody is there
_SILENCES: Final = (Status.TIMEOUT, Status.UNREACHABLE)


class Standing(StrEnum):
    """How a device stands."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Look:
    """What one poll says of its device."""

    job: str
    slot: int
    interval_s: int  # 0: unknown
    status: Status
    lag_s: float
    parent: Above | None  # None: it is behind no other


class DeviceState(msgspec.Struct, array_like=True):
    """What is kept of a device from poll to poll; packed, an array in this order."""

    standing: Standing = Standing.UNKNOWN
    since: int = 0  # the slot it stands so since
    failures: dict[str, tuple[int, int, int]] = msgspec.field(default_factory=dict)  # job -> (in a row, slot, interval)
    answers: int = 0  # answered polls in a row
    changes: list[int] = msgspec.field(default_factory=list)  # slots of changes between up and down
    flapping: bool = False
    answered: int = 0  # the slot of the last poll that it answered
    silent_since: int = 0  # the slot of the first poll since then that it did not; 0: it answers
    excused: int = 0  # polls in a row without an answer that its parent is to blame for

    def packable(self) -> list[Any]:
        """Return it as plain data."""
        return [
            self.standing.value, self.since, self.failures, self.answers, self.changes, self.flapping,
            self.answered, self.silent_since, self.excused,
        ]  # fmt: skip

    @classmethod
    def unpack(cls, data: Any) -> "DeviceState":
        """Read back what `packable` made; anything else is a device that nothing is known of."""
        try:
            return msgspec.convert(data, cls)
        except msgspec.ValidationError:
            return cls()

    @property
    def above(self) -> Above:
        """What the devices behind it ask for."""
        return Above(_is_down(self.standing) or any(of[0] for of in self.failures.values()), self.answered)


def stand(before: DeviceState, look: Look, rules: StateRules) -> DeviceState:
    """Return how a device stands after a poll."""
    if look.status not in _ANSWERS and look.status not in _SILENCES:
        return before
    if look.status is Status.TIMEOUT and look.lag_s >= STARVED_S:
        return before
    silent = look.status in _SILENCES
    failures = _counted(before.failures, look, silent)
    least = min(count for count, _, _ in failures.values())
    after = DeviceState(
        before.standing,
        before.since,
        failures,
        answers=0 if silent else before.answers + 1,
        answered=before.answered if silent else look.slot,
        silent_since=(before.silent_since or look.slot) if silent else 0,
        excused=least if silent and look.parent and look.parent.failing else min(before.excused, least),
    )
    after.standing = _standing(after, look, rules, least)
    after.changes = _changes(before, after.standing, look.slot, rules)
    after.since = before.since if after.standing is before.standing else look.slot
    after.flapping = _flaps(before, after.changes, rules)
    return after


def _counted(failures: Mapping[str, tuple[int, int, int]], look: Look, silent: bool) -> dict[str, tuple[int, int, int]]:
    """Count a poll to its job, however long that had nothing to say; other jobs that polled no more are forgotten."""
    kept = {job: of for job, of in failures.items() if not of[2] or look.slot - of[1] <= _KEPT * max(of[2], 60)}
    before = failures.get(look.job, (0, 0, 0))[0]
    kept[look.job] = (before + 1 if silent else 0, look.slot, look.interval_s)
    return kept


def _standing(state: DeviceState, look: Look, rules: StateRules, least: int) -> Standing:
    """Return how a device stands whose polls are counted in `state`, which says how it stood before."""
    if least >= rules.down_after:
        heard = look.parent is None or look.parent.failing or look.parent.answered >= state.silent_since
        if least - state.excused >= (rules.down_after if heard else 2 * rules.down_after):
            return Standing.DOWN
        if state.excused:
            return Standing.UNREACHABLE
        if not heard and not _is_down(state.standing):
            return Standing.DEGRADED
        return state.standing
    if _is_down(state.standing) and state.answers < rules.up_after:
        return state.standing
    troubled = look.status is not Status.OK or any(count for count, _, _ in state.failures.values())
    return Standing.DEGRADED if troubled else Standing.UP


def _is_down(standing: Standing) -> bool:
    return standing in (Standing.DOWN, Standing.UNREACHABLE)


def _changes(before: DeviceState, standing: Standing, slot: int, rules: StateRules) -> list[int]:
    """Return the slots of changes between up and down within the window; the first state ever is no change."""
    changes = [at for at in before.changes if slot - at <= rules.flap_window_s]
    if before.standing is not Standing.UNKNOWN and _is_down(before.standing) is not _is_down(standing):
        changes.append(slot)
    return changes[-4 * rules.flap_changes :]


def _flaps(before: DeviceState, changes: list[int], rules: StateRules) -> bool:
    """Tell whether it flaps; it ends at half of what it begins at."""
    return len(changes) >= (rules.flap_changes + 1) // 2 if before.flapping else len(changes) >= rules.flap_changes
