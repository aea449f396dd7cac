"""What becomes of a group when something happens to one of its events, and when its time has come. Pure.

    join(group, event)     the group with the event in it, and when its next flush is due
    flush(group)           what to tell whom now, and the group as it is afterwards

A group is told of first when its news is `wait_s` old, then of further news at most each `interval_s`, and again each
`repeat_s` while something in it is open and nobody has acknowledged it; each step of the escalation is told once, so
long after the first message. In quiet hours all of it waits for their end, unless something in it is severe enough.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from streampoll.model import Change, Event
from streampoll.notifications.group import Group, Member
from streampoll.notifications.routes import Route

MOST_MEMBERS: Final = 500
"""Events of a group that are kept one by one; of more only the number is: no message lists them all."""


LOST_S: Final = 300.0
"""A flush that is overdue for so long will not come any more."""


class Reason(StrEnum):
    """Why a message is sent."""

    OPENED = "opened"  # something is new or got worse
    CLOSED = "closed"  # something is over, nothing is new
    REPEAT = "repeat"  # nothing is new: a reminder
    ESCALATED = "escalated"  # a reminder that goes to more people
    NOTICE = "notice"  # a text of a workflow, or a test


@dataclass(frozen=True, slots=True)
class Telling:
    """One message that a flush asks for."""

    reason: Reason
    channels: tuple[str, ...]
    members: tuple[Member, ...]  # what is in it, the news first
    more: int  # open beyond those


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did."""

    group: Group | None  # None: nothing is left of it
    telling: Telling | None = None


def join(group: Group, event: Event, route: Route, now: float, joins: bool = True) -> Group | None:
    """Return the group once an event has changed; None if nothing is left of it.

    What comes twice or late changes nothing. With `joins` False an event that is not in the group does not get in.
    """
    known = group.members.get(event.id)
    if known is not None and event.change is not Change.ACKNOWLEDGED and _is_late(event, known):
        return group
    match event.change:
        case Change.ACKNOWLEDGED:
            changed = _acknowledge(group, known)
        case Change.CLOSED:
            changed = _close(group, known, event, route)
        case _:
            changed = _open(group, known, event, joins)
    return _settled(changed, route, now)


def flush(group: Group, route: Route, now: float) -> Flushed:
    """Return what is to be told at this moment, and the group after it."""
    due = replace(group, due=0.0)
    if _kept_quiet(due, route, now):
        return Flushed(_scheduled(due, route, now))
    reason = _reason(due, route, now)
    if reason is None:
        return Flushed(_settled(due, route, now))
    step = _step(due, route, now)
    members = tuple(sorted(due.members.values(), key=_urgency))
    telling = Telling(reason, _channels(route, due.step, step, reason), members, due.more)
    after = replace(
        due,
        members={number: _as_told(member) for number, member in due.members.items() if _stays(member)},
        news_at=0.0,
        told_at=now,
        began_at=due.began_at or now,
        step=step,
    )
    return Flushed(_settled(after, route, now), telling)


def _is_late(event: Event, known: Member) -> bool:
    return event.at < known.event.at or (event.at == known.event.at and known.closed)


def _open(group: Group, known: Member | None, event: Event, joins: bool) -> Group:
    if known is None:
        if not joins:
            return group
        if len(group.members) >= MOST_MEMBERS:
            return replace(group, more=group.more + (event.change is Change.OPENED))
        return _with(group, Member(event))
    told = -1 if known.closed else known.told  # it was over, and begins anew
    return _with(group, replace(known, event=event, told=told, acknowledged=known.acknowledged and told >= 0))


def _close(group: Group, known: Member | None, event: Event, route: Route) -> Group:
    if known is None:
        return replace(group, more=max(0, group.more - 1)) if group.more else group
    if known.told < 0 or not route.recovery:  # nobody knows of it, or nobody wants to know
        return replace(group, members=_without(group.members, event.id))
    return _with(group, replace(known, event=event))


def _acknowledge(group: Group, known: Member | None) -> Group:
    return group if known is None or known.closed else _with(group, replace(known, acknowledged=True))


def _with(group: Group, member: Member) -> Group:
    return replace(group, members={**group.members, member.event.id: member})


def _without(members: Mapping[int, Member], number: int) -> dict[int, Member]:
    return {key: member for key, member in members.items() if key != number}


def _settled(group: Group, route: Route, now: float) -> Group | None:
    """Return a group with its news dated and its next flush set; None if nothing is in it."""
    if not group.members:
        return None
    news = any(member.is_news for member in group.members.values())
    dated = replace(group, news_at=(group.news_at or now) if news else 0.0)
    return _scheduled(dated, route, now)


def _scheduled(group: Group, route: Route, now: float) -> Group:
    """Return a group with its next flush: a new serial wherever the time is another one than before.

    One that is overdue stays as it is: news that comes in all the time must not put it off each time. One that is long
    overdue is lost (in the dead letters, by a bug), and set anew.
    """
    due = _due(group, route, now)
    if due == group.due or (now - LOST_S < group.due <= due <= now):
        return group
    return replace(group, due=due, serial=max(group.serial + 1, int(now * 1000)))


def _due(group: Group, route: Route, now: float) -> float:
    """Return when the group is to be looked at next; 0.0 if there is nothing to wait for."""
    times = [*_times(group, route)]
    if not times:
        return 0.0
    due = max(min(times), now)
    return route.quiet.ends(due) if route.quiet and not _breaks_through(group, route) else due


def _times(group: Group, route: Route) -> Iterable[float]:
    if group.news_at:
        first = group.news_at + route.wait_s
        yield max(first, group.told_at + route.interval_s) if group.told_at else first
    if not group.told_at or not _presses(group):
        return
    if route.repeat_s:
        yield group.told_at + route.repeat_s
    if group.step < len(route.steps):
        yield group.began_at + route.steps[group.step].after_s


def _reason(group: Group, route: Route, now: float) -> Reason | None:
    """Say why there is something to tell now; None if there is not."""
    if any(member.is_news and not member.closed for member in group.members.values()):
        return Reason.OPENED
    if _presses(group):
        if _step(group, route, now) > group.step:
            return Reason.ESCALATED
        if group.told_at and route.repeat_s and now >= group.told_at + route.repeat_s:
            return Reason.REPEAT
    return Reason.CLOSED if any(member.closed for member in group.members.values()) else None


def _step(group: Group, route: Route, now: float) -> int:
    """Return how many steps of the escalation are due by now."""
    if not group.began_at or not _presses(group):
        return group.step
    due = sum(now >= group.began_at + step.after_s for step in route.steps)
    return max(group.step, due)


def _channels(route: Route, before: int, step: int, reason: Reason) -> tuple[str, ...]:
    """Return whom to tell: all who were told before, and those of the steps that are taken now."""
    first = before if reason is Reason.ESCALATED else 0
    own = () if reason is Reason.ESCALATED else route.channels
    later = [name for each in route.steps[first:step] for name in each.channels]
    return tuple(dict.fromkeys((*own, *later)))


def _presses(group: Group) -> bool:
    return any(member.presses for member in group.members.values())


def _kept_quiet(group: Group, route: Route, now: float) -> bool:
    return route.quiet is not None and route.quiet.holds(now) and not _breaks_through(group, route)


def _breaks_through(group: Group, route: Route) -> bool:
    return any(member.event.severity >= route.through and not member.acknowledged for member in group.members.values())


def _stays(member: Member) -> bool:
    """Tell whether people hear of it again: of what is over, and of what is told once, they do not."""
    return not member.closed and not member.once


def _as_told(member: Member) -> Member:
    return replace(member, told=max(member.told, int(member.event.severity)))


def _urgency(member: Member) -> tuple[bool, bool, int, str, str]:
    """Order what a message lists: news before what is known, what is open before what is over, the worst first."""
    return member.closed, not member.is_news, -member.event.severity, member.event.device, member.event.row
