"""`streampoll events`: what rules found wrong, now and before; taken in hand."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich import box
from rich.table import Table
from rich.text import Text

from streampoll.cli.drawing import table_console
from streampoll.cli.names import offer_devices
from streampoll.cli.options import answer, config_option, json_option, since_option, who
from streampoll.errors import ConfigError, Fault
from streampoll.model import Severity
from streampoll.observe import words
from streampoll.results.event_log import EventLog, EventSearch, StoredEvent
from streampoll.results.render import clock

_STYLES = {Severity.INFO: "", Severity.WARNING: "yellow", Severity.ERROR: "red", Severity.CRITICAL: "bold red"}
_severities = click.Choice([each.word for each in Severity])


@click.group("events", invoke_without_command=True)
@click.pass_context
@config_option
@click.option("--open", "only_open", is_flag=True, help="Only what is wrong now.")
@since_option("1d")
@click.option("--device", default="", shell_complete=offer_devices, help="Only this device's.")
@click.option("--rule", default="", help="Only this rule's.")
@click.option("--severity", type=_severities, default="info", show_default=True, help="This bad, or worse.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="The newest so many.")
@json_option
def command(
    ctx: click.Context, /, config: Path, only_open: bool, since: float, severity: str, as_json: bool, **of: Any
) -> int:
    """Show events that are open, or changed lately. Exit code 1 if --open finds one of severity error or worse.

    \b
    Examples:
      streampoll events --open
      streampoll events --since 2h --device core-1 --json
      streampoll events show 11474308562103426928
      streampoll events ack 11474308562103426928 --note "on it"
    """
    if ctx.invoked_subcommand:
        return 0
    said = ctx.get_parameter_source("since") is ParameterSource.COMMANDLINE
    least = Severity[severity.upper()]
    wanted = EventSearch(0 if only_open and not said else int(since), only_open, least=least, **of)
    found = asyncio.run(_read(config, wanted))
    _print(found, as_json)
    return int(only_open and any(each.severity >= Severity.ERROR for each in found))


@command.command("show")
@config_option
@click.argument("name", metavar="ID")
@json_option
def show(config: Path, name: str, as_json: bool) -> int:
    """Show one event whole, as JSON; with --json on one line."""
    [event] = asyncio.run(_found(config, [name]))
    click.echo(json.dumps(_as_json(event), indent=None if as_json else 2))
    return 0


@command.command("ack")
@config_option
@click.option("--note", default="", metavar="TEXT", help="What others should know.")
@click.argument("names", metavar="ID…", nargs=-1, required=True)
@json_option
def acknowledge(config: Path, note: str, names: Sequence[str], as_json: bool) -> int:
    """Take events in hand: no more reminders, no escalation; recovery is still told."""
    done = asyncio.run(_acknowledge(config, names, note))
    for event, ours in done:
        why = "acknowledged" if ours else "is over" if event.closed else f"{event.acknowledged_by} has it already"
        answer(as_json, {**_as_json(event), "taken": ours}, f"{event.id}: {why}: {event.text}")
    return 0 if all(ours for _, ours in done) else 1


async def _read(config: Path, wanted: EventSearch) -> list[StoredEvent]:
    from streampoll.app.events import open_events  # here: `--help` need not load the clients

    async with open_events(config) as desk:
        return await desk.log.events(wanted)


async def _found(config: Path, names: Sequence[str]) -> list[StoredEvent]:
    from streampoll.app.events import open_events

    async with open_events(config) as desk:
        return [await _one(desk.log, name) for name in names]


async def _acknowledge(config: Path, names: Sequence[str], note: str) -> list[tuple[StoredEvent, bool]]:
    from streampoll.app.events import open_events

    async with open_events(config) as desk:
        found = [await _one(desk.log, name) for name in names]
        ours = [await desk.acknowledge(event, who(), note) for event in found]
        return [(await _one(desk.log, str(event.id)), done) for event, done in zip(found, ours, strict=True)]


async def _one(log: EventLog, name: str) -> StoredEvent:
    """Return the event of a number."""
    known = name.isascii() and name.isdigit() and int(name[:20]) < 1 << 64 and len(name) <= 20
    found = await log.event(int(name)) if known else None
    if found is None:
        raise ConfigError([Fault("ID", f"there is no event {name[:40]!r}", "`streampoll events` lists them")])
    return found


def _as_json(event: StoredEvent) -> dict[str, Any]:
    return {**asdict(event), "id": str(event.id), "severity": event.severity.word, "labels": dict(event.labels)}


def _print(found: Sequence[StoredEvent], json_wanted: bool) -> None:
    if json_wanted:
        for event in found:
            click.echo(json.dumps(_as_json(event)))
    elif found:
        table_console().print(_table(found))
    else:
        click.echo("no events")


def _table(found: Sequence[StoredEvent]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("id", "severity", "opened", "for", "what", ""):
        table.add_column(title, overflow="fold", no_wrap=title in ("id", "opened"))
    for event in found:
        lasted = words.span((event.closed or time.time()) - event.opened)
        table.add_row(
            str(event.id), Text(event.severity.word, _STYLES[event.severity]), clock(event.opened),
            lasted if event.closed else f"{lasted}, open", Text(event.text), Text(_remark(event)),
        )  # fmt: skip
    return table


def _remark(event: StoredEvent) -> str:
    if event.acknowledged_at:
        return f"acknowledged by {event.acknowledged_by or '?'} {event.acknowledged_note}".rstrip()
    return f"not told: {event.suppressed}" if event.suppressed else ""
