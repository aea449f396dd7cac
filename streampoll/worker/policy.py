"""What a supervisor does next, as a pure function of what it sees: `decide(now, crew, rules) -> actions`.

    an index without a child                    Fork, not before its back-off is over
    two children at one index                   Drain the older as soon as the newer has beaten: no gap
    a child to be replaced (configuration, tasks, memory)   Fork beside it, one in the crew at a time
    no beat for too long                        Trace (its stack goes to the log), at the next tick Kill
    draining for too long                       Kill
    stopping                                    Drain all; told again: Kill all

All times are monotonic seconds, 0.0 for "not yet". Nothing here forks, kills, sleeps or logs.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

DRAIN_SLACK_S = 5.0
"""A child bounds its own drain with `drain_s`, then cuts and closes; a quarter and this more, and it is stuck."""

TRACE_S = 0.25
"""What a stuck child is given to write its stack."""

RAN_WELL_S = 30.0
"""A child that lived this long begins a new count of failures."""

_BACKOFF_BASE_S = 0.5
_BACKOFF_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How one crew is kept; a zero in the last four means never."""

    processes: int = 1
    start_timeout_s: float = 30.0  # a child that has not beaten once by then is replaced
    drain_s: float = 20.0  # what a child is given to end in after SIGTERM
    hard_limit_s: float = 600.0  # a child whose loop has not beaten for this long is killed
    max_tasks: int = 0  # a child is replaced after about this many entries (each its own, within 10 %)
    max_rss_mb: int = 0  # a child is replaced above this resident size


@dataclass(frozen=True, slots=True)
class Child:
    """One forked process, as the parent sees it at this tick."""

    pid: int
    index: int  # its place in the crew, from 0
    serial: int  # counts the crew's forks: higher is newer
    forked: float
    task_limit: int = 0  # `max_tasks` with this child's jitter; 0: none
    beat: float = 0.0  # when its loop last beat
    done: int = 0  # entries done
    rss_mb: float = 0.0
    outdated: bool = False  # forked before the configuration was last read
    traced: float = 0.0  # when it was asked for its stack
    drained: float = 0.0  # when it was told to drain
    killed: float = 0.0  # when it was sent SIGKILL


@dataclass(frozen=True, slots=True)
class CrewView:
    """All children of a role, and what was asked of them."""

    children: Sequence[Child]
    not_before: Mapping[int, float] = field(default_factory=dict)  # index -> end of its back-off
    awake_since: float = 0.0  # when the parent itself last woke late (stopped, suspended): older beats prove nothing
    stopping: bool = False
    hurry: bool = False  # asked to stop a second time


@dataclass(frozen=True, slots=True)
class Fork:
    """Start a child at this index."""

    index: int
    why: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Send SIGTERM: read nothing more, finish, exit."""

    pid: int
    why: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Ask a stuck child for its stack, before it is killed."""

    pid: int
    why: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL: it does not answer, or nobody wants to wait."""

    pid: int
    why: str


Action = Fork | Drain | Trace | Kill


def decide(now: float, crew: CrewView, rules: Rules) -> list[Action]:
    """Return what to do at this tick, in this order."""
    if crew.hurry:
        return [Kill(child.pid, "told to stop twice") for child in crew.children if not child.killed]
    actions = [*_stuck(now, crew, rules)]
    if crew.stopping:
        return actions + [Drain(child.pid, "stopping") for child in crew.children if not child.drained]
    if staffing := [*_staff(now, crew, rules)]:
        return actions + staffing
    return [*actions, *_replace(now, crew, rules)]


def _stuck(now: float, crew: CrewView, rules: Rules) -> Iterator[Action]:
    """End the children that no longer answer; each is asked for its stack first."""
    for child in crew.children:
        why = "" if child.killed else _why_stuck(now, child, crew.awake_since, rules)
        if why:
            if not child.traced:
                yield Trace(child.pid, why)
            elif now - child.traced >= TRACE_S:
                yield Kill(child.pid, why)


def _why_stuck(now: float, child: Child, awake_since: float, rules: Rules) -> str:
    """Say what is wrong with a child, or "" if nothing is."""
    if child.drained and now - max(child.drained, awake_since) > 1.25 * rules.drain_s + DRAIN_SLACK_S:
        return f"it did not drain within {rules.drain_s:g} s"
    if not child.beat and now - max(child.forked, awake_since) > rules.start_timeout_s:
        return f"it did not start within {rules.start_timeout_s:g} s"
    silent_s = now - max(child.beat, awake_since)
    if child.beat and rules.hard_limit_s and silent_s > rules.hard_limit_s:
        return f"its loop has been stuck for {silent_s:.1f} s"
    return ""


def _staff(now: float, crew: CrewView, rules: Rules) -> Iterator[Action]:
    """Fill the empty places, and empty those that are filled twice or no longer wanted."""
    places = _places(crew.children)
    for index in range(rules.processes):
        if not places[index] and now >= crew.not_before.get(index, 0.0):
            yield Fork(index, "none runs in its place")
    for index, held in sorted(places.items()):
        if index >= rules.processes:
            yield from (Drain(child.pid, "fewer processes are wanted") for child in held)
        elif len(held) > 1 and held[-1].beat:
            yield from (Drain(child.pid, f"pid {held[-1].pid} has taken over") for child in held[:-1])


def _replace(now: float, crew: CrewView, rules: Rules) -> Iterator[Action]:
    """Fork beside one child that is due for replacement, once everything else has settled."""
    settled = len(crew.children) == rules.processes and all(c.beat and not c.drained for c in crew.children)
    if not settled or any(now < until for until in crew.not_before.values()):
        return
    due = ((child, _why_replace(child, rules)) for child in crew.children)
    yield from [Fork(child.index, f"to replace pid {child.pid}: {why}") for child, why in due if why][:1]


def _why_replace(child: Child, rules: Rules) -> str:
    """Say why a healthy child has had its time, or "" if it has not."""
    if child.outdated:
        return "the configuration was read again"
    if 0 < child.task_limit <= child.done:
        return f"{child.done} tasks done"
    if 0 < rules.max_rss_mb < child.rss_mb:
        return f"{child.rss_mb:.0f} MB resident"
    return ""


def _places(children: Sequence[Child]) -> defaultdict[int, list[Child]]:
    """Group by index, oldest first, the children that hold their place: all but those told to drain."""
    places: defaultdict[int, list[Child]] = defaultdict(list)
    for child in sorted(children, key=lambda child: child.serial):
        if not child.drained:
            places[child.index].append(child)
    return places


def backoff_s(failures: int, jitter: float) -> float:
    """Return how long a place stays empty after its nth failure in a row: none after the first, then doubling to 30 s.

    `jitter` is a random number in [0, 1): the upper half of the delay is left to it.
    """
    if failures <= 1:
        return 0.0
    longest_s: float = min(_BACKOFF_MAX_S, _BACKOFF_BASE_S * 2 ** min(failures - 2, 16))
    return longest_s * (0.5 + jitter / 2)


def jittered_limit(limit: int, jitter: float) -> int:
    """Return a child's own `max_tasks`, within 10 % of the rule, so that a crew does not fall due all at once."""
    return max(1, round(limit * (0.9 + jitter / 5))) if limit else 0
