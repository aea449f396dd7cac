"""What `streampoll notify` shows: routes explained, and the groups that are open."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from streampoll.config.notifications import Notifications
from streampoll.model import Event
from streampoll.notifications.group import Group
from streampoll.notifications.routes import Route, why_not
from streampoll.observe import words
from streampoll.results.render import clock


def as_facts(group: Group) -> dict[str, Any]:
    """Return a group as JSON has it."""
    members = group.members.values()
    return {
        "route": group.route,
        "group": group.name,
        "open": sum(not member.closed for member in members) + group.more,
        "acknowledged": sum(member.acknowledged and not member.closed for member in members),
        "severity": max(member.event.severity for member in members).name.lower(),
        "told_at": clock(group.told_at) if group.told_at else None,
        "next_at": clock(group.due) if group.due else None,
        "steps": group.step,
        "events": [str(number) for number in group.members],
    }


def table(groups: Sequence[Group], known: Notifications, now: float) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("route", "group", "severity", "open", "acknowledged", "told", "next", "escalated"):
        shown.add_column(title, overflow="fold")
    for group in groups:
        facts, route = as_facts(group), known.route(group.route)
        told = f"{words.span(now - group.told_at)} ago" if group.told_at else "not yet"
        following = f"in {words.span(max(0.0, group.due - now))}" if group.due else words.UNKNOWN
        steps = f"{group.step} of {len(route.steps)}" if route else "its route is gone"
        counts = (facts["severity"], str(facts["open"]), str(facts["acknowledged"]))
        shown.add_row(group.route, Text(group.name), *counts, told, following, steps)
    return shown


def explain(known: Sequence[Route], event: Event, now: float) -> list[dict[str, Any]]:
    """Return each route, whether it takes the event, and why not if not."""
    explained: list[dict[str, Any]] = []
    ended_by = ""
    for route in known:
        why = f"route '{ended_by}' took it before" if ended_by else why_not(route, event, now)
        explained.append(
            {"route": route.name, "takes": not why, "why_not": why, **(_plan(route, event) if not why else {})}
        )
        if not why and not route.go_on:
            ended_by = route.name
    return explained


def _plan(route: Route, event: Event) -> dict[str, Any]:
    return {
        "group": Group(route.name, route.group_of(event)).name,
        "channels": list(route.channels),
        "wait_s": route.wait_s,
        "repeat_s": route.repeat_s,
        "escalate": [{"after_s": step.after_s, "channels": list(step.channels)} for step in route.steps],
    }


def lines(explained: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what `explain` found as people read it."""
    if not explained:
        yield "there are no routes: nobody is told of anything"
    for route in explained:
        if not route["takes"]:
            yield f"{route['route']}: no: {route['why_not']}"
            continue
        repeat = f", again each {words.span(route['repeat_s'])}" if route["repeat_s"] else ""
        yield f"{route['route']}: takes it, in group '{route['group']}'"
        yield f"  after {words.span(route['wait_s'])}: {', '.join(route['channels'])}{repeat}"
        for step in route["escalate"]:
            yield f"  after {words.span(step['after_s'])} more, if nobody acknowledges: {', '.join(step['channels'])}"
