"""What happens next in a run, from where its steps are. Pure: states in, decisions out.

    waiting -> queued -> running -> ok | failed | skipped | unknown | cancelled

A step is started once all it needs has ended well. Once one has failed (and its failure is not allowed) nothing new is
started; what is under way ends, and then the steps that make up for those that ran are done, the last first, one at a
time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from streampoll.workflows.plan import Does, Step, Workflow

_BACKOFF_MOST_S: Final = 3600.0


class State(StrEnum):
    """Where a step is. The words are stored: never rename one."""

    WAITING = "waiting"  # for what it needs, or its turn in a fan-out
    QUEUED = "queued"  # its entry is on its way, or waits for its time
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"  # a condition was not true, or the run ended before
    UNKNOWN = "unknown"  # it runs once, and its process died meanwhile: a person says what became of it
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it by itself."""
        return self not in (State.WAITING, State.QUEUED, State.RUNNING, State.UNKNOWN)


class RunState(StrEnum):
    """Where a run is. The words are stored: never rename one."""

    RUNNING = "running"
    UNDOING = "undoing"  # it has failed, and what it did is being made up for
    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self not in (RunState.RUNNING, RunState.UNDOING)


@dataclass(frozen=True, slots=True)
class At:
    """Where one step is."""

    state: State
    ended: float = 0.0  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Next:
    """What is to be done now."""

    run: RunState
    start: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()


def what_next(workflow: Workflow, at: Mapping[str, At], failed: bool = False) -> Next:
    """Return which steps are to be started and skipped, and where the run is then; `failed`: it has before."""
    undoing = workflow.undoing
    plain = [step for name, step in workflow.steps.items() if name not in undoing]
    if failed or any(at[step.name].state is State.FAILED and not step.allow_failure for step in plain):
        return _undo(workflow, at)
    start, skip = _ready(plain, at)
    states = [State.SKIPPED if step.name in skip else at[step.name].state for step in plain]
    if not start and all(state.ended for state in states):
        return Next(RunState.OK, (), (*skip, *(name for name in workflow.steps if name in undoing)))
    return Next(RunState.RUNNING, start, skip)


def _ready(steps: Iterable[Step], at: Mapping[str, At]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the steps whose turn it is, and those that are left out with what they need."""
    states = {name: each.state for name, each in at.items()}
    allowed = {step.name for step in steps if step.allow_failure}
    start: dict[str, None] = {}
    skip: dict[str, None] = {}
    again = True
    while again:
        again = False
        for step in steps:
            if states[step.name] is not State.WAITING or step.name in start:
                continue
            needs = [states[need] for need in step.needs]
            if State.SKIPPED in needs or State.CANCELLED in needs:
                states[step.name] = State.SKIPPED
                skip[step.name] = None
                again = True
            elif all(_satisfied(need, states[need], allowed) for need in step.needs):
                start[step.name] = None
    return tuple(start), tuple(skip)


def _satisfied(name: str, state: State, allowed: set[str]) -> bool:
    return state is State.OK or (state is State.FAILED and name in allowed)


def _undo(workflow: Workflow, at: Mapping[str, At]) -> Next:
    """Return what is to be made up for next in a run that has failed."""
    waiting = tuple(
        name for name, each in at.items() if _idle(workflow.steps[name], each) and name not in workflow.undoing
    )
    busy = (State.QUEUED, State.RUNNING, State.UNKNOWN)
    if any(each.state in busy for name, each in at.items() if name not in waiting):
        return Next(RunState.UNDOING, (), waiting)
    ran = [step for step in workflow.steps.values() if step.undo and at[step.name].state in (State.OK, State.FAILED)]
    for step in sorted(ran, key=lambda step: at[step.name].ended, reverse=True):
        if at[step.undo].state is State.WAITING:
            return Next(RunState.UNDOING, (step.undo,), waiting)
    idle = tuple(name for name in workflow.undoing if at[name].state is State.WAITING)
    return Next(RunState.FAILED, (), (*waiting, *idle))


def _idle(step: Step, at: At) -> bool:
    """Return whether a step has not begun, or does nothing but wait."""
    return at.state is State.WAITING or (at.state is State.QUEUED and step.does is Does.WAIT)


def pause_s(step: Step, attempt: int, spread: float) -> float:
    """Return the pause after a failed attempt (1: the first), with full jitter: `spread` is from 0 to 1."""
    longest = min(step.backoff_s * 2.0 ** min(attempt - 1, 20), _BACKOFF_MOST_S)
    return longest * (0.5 + spread / 2)


def tries_again(step: Step, attempt: int) -> bool:
    """Return whether a step that failed at this attempt is tried once more."""
    return not step.once and attempt <= step.retries
