"""The state of a device, poll by poll: up, degraded, down, unreachable, unknown; and whether it flaps. Pure.

A device is down when every job that polls it has gone without an answer `down_after` times in a row, and up again after
`up_after` answered polls. One that began to fail, or answers in part, is degraded; down behind a parent that is down,
or has begun to fail, is unreachable. What says nothing of the device (expired, config, a bug of ours) changes nothing,
and so does a time-out of a poller that was starved itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

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
    parent_down: bool


@dataclass(slots=True)
class DeviceState:
    """What is kept of a device from poll to poll."""

    standing: Standing = Standing.UNKNOWN
    since: int = 0  # the slot it stands so since
    failures: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # job -> (in a row, slot, interval)
    answers: int = 0  # answered polls in a row
    changes: list[int] = field(default_factory=list)  # slots of changes between up and down
    flapping: bool = False

    def packable(self) -> list[Any]:
        """Return it as plain data."""
        failures = {job: list(of) for job, of in self.failures.items()}
        return [self.standing.value, self.since, failures, self.answers, self.changes, self.flapping]

    @classmethod
    def unpack(cls, data: Any) -> "DeviceState":
        """Read back what `packable` made; anything else is a device that nothing is known of."""
        match data:
            case [str(standing), int(since), dict(failures), int(answers), list(changes), bool(flapping)]:
                counts = {job: (of[0], of[1], of[2]) for job, of in failures.items()}
                return cls(Standing(standing), since, counts, answers, list(changes), flapping)
        return cls()

    @property
    def failing(self) -> bool:
        """True if it is down, or its last poll went without an answer: what its children ask for."""
        return self.standing in (Standing.DOWN, Standing.UNREACHABLE) or any(of[0] for of in self.failures.values())


def stand(before: DeviceState, look: Look, rules: StateRules) -> DeviceState:
    """Return how a device stands after a poll."""
    if look.status not in _ANSWERS and look.status not in _SILENCES:
        return before
    if look.status is Status.TIMEOUT and look.lag_s >= STARVED_S:
        return before
    silent = look.status in _SILENCES
    failures = _counted(before.failures, look, silent)
    answers = 0 if silent else before.answers + 1
    standing = _standing(before, look, rules, failures, answers)
    changes = _changes(before, standing, look.slot, rules)
    since = before.since if standing is before.standing else look.slot
    return DeviceState(standing, since, failures, answers, changes, _flaps(before, changes, rules))


def _counted(failures: Mapping[str, tuple[int, int, int]], look: Look, silent: bool) -> dict[str, tuple[int, int, int]]:
    """Count a poll to its job; jobs that have not polled for some intervals are forgotten."""
    kept = {job: of for job, of in failures.items() if not of[2] or look.slot - of[1] <= _KEPT * max(of[2], 60)}
    before = kept.get(look.job, (0, 0, 0))[0]
    kept[look.job] = (before + 1 if silent else 0, look.slot, look.interval_s)
    return kept


def _standing(
    before: DeviceState,
    look: Look,
    rules: StateRules,
    failures: Mapping[str, tuple[int, int, int]],
    answers: int,
) -> Standing:
    least = min(count for count, _, _ in failures.values())
    was_down = before.standing in (Standing.DOWN, Standing.UNREACHABLE)
    if least >= rules.down_after or (was_down and answers < rules.up_after):
        return Standing.UNREACHABLE if look.parent_down else Standing.DOWN
    troubled = look.status is not Status.OK or any(count for count, _, _ in failures.values())
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
