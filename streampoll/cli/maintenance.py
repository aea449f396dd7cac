"""`streampoll maintenance`: times in which people know that something is wrong, and are not told."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from streampoll.cli.names import offer_devices
from streampoll.cli.options import Span, answer, config_option, json_option, number_argument, who
from streampoll.config.convert import Place
from streampoll.config.load import load_inventory, load_settings
from streampoll.config.report import Report, nearest
from streampoll.config.selector import read_selector
from streampoll.config.source import nowhere
from streampoll.errors import ConfigError, Fault
from streampoll.results.event_log import Window
from streampoll.results.render import clock


@click.group("maintenance")
def command() -> None:
    """Announce maintenance: events of these devices are stored meanwhile, and nobody is told.

    Windows that come again and again are written into rules.toml: docs/rules.md.

    \b
    Examples:
      streampoll maintenance add --device core-1 --for 2h --reason "new line card"
      streampoll maintenance add --site zurich --tag lab --for 30m
      streampoll maintenance list
      streampoll maintenance end 3
    """


@command.command("add")
@config_option
@click.option("--device", "devices", multiple=True, shell_complete=offer_devices, help="A device; may be given again.")
@click.option("--group", "groups", multiple=True, help="All devices of a group.")
@click.option("--site", multiple=True, help="All devices of a site.")
@click.option("--tag", "tags", multiple=True, help="All devices with a tag.")
@click.option("--all", "everything", is_flag=True, help="Every device.")
@click.option("--for", "length_s", type=Span(), default="1h", show_default=True, help="How long: 30m, 2h.")
@click.option("--in", "later_s", type=Span(0), default="0s", help="Begin so much later.")
@click.option("--reason", default="", metavar="TEXT", help="What others should know.")
@json_option
def add(
    config: Path, everything: bool, length_s: int, later_s: int, reason: str, as_json: bool, **kinds: Sequence[str]
) -> int:
    """Begin a window; of several kinds of devices those are meant that are of each kind."""
    select = _select(everything, kinds)
    _refuse_unknown(config, kinds["devices"])
    since = int(time.time()) + later_s
    window = Window(0, since, since + length_s, select, who(), reason)
    window = replace(window, id=asyncio.run(_add(config, window)))
    answer(as_json, _as_json(window), f"maintenance {window.id}: until {clock(window.until)}")
    return 0


@command.command("list")
@config_option
@json_option
def list_windows(config: Path, as_json: bool) -> int:
    """List windows that are open or to come."""
    for window in asyncio.run(_list(config)):
        of = "; ".join(f"{key} {_listed(value)}" for key, value in window.selector.items())
        when = f"{clock(window.since)} to {clock(window.until)}"
        text = f"{window.id:>4}  {when}  {of}  {window.by} {window.reason}".rstrip()
        answer(as_json, _as_json(window), text)
    return 0


@command.command("end")
@config_option
@number_argument
@json_option
def end(config: Path, number: int, as_json: bool) -> int:
    """End window NUMBER now. What is still wrong is told then."""
    if not asyncio.run(_end(config, number)):
        fault = Fault("NUMBER", f"no window {number} is open or to come", "`streampoll maintenance list` has them")
        raise ConfigError([fault])
    answer(as_json, {"id": number, "ended": True}, f"maintenance {number} has ended")
    return 0


async def _add(config: Path, window: Window) -> int:
    from streampoll.app.events import open_events  # here: `--help` need not load the clients

    async with open_events(config) as desk:
        return await desk.log.add_window(window)


async def _list(config: Path) -> Sequence[Window]:
    from streampoll.app.events import open_events

    async with open_events(config) as desk:
        return await desk.log.windows()


async def _end(config: Path, number: int) -> bool:
    from streampoll.app.events import open_events

    async with open_events(config) as desk:
        return await desk.log.end_window(number)


def _select(everything: bool, kinds: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the selector of what was named, checked as one in a file is."""
    select: dict[str, Any] = {kind: list(names) for kind, names in kinds.items() if names}
    if bool(select) == everything:
        raise click.UsageError("name devices (--device, --group, --site, --tag), or say --all")
    report, select = Report(), select or {"all": True}
    read_selector(select, Place(nowhere("maintenance"), report))
    report.refuse()
    return select


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _as_json(window: Window) -> dict[str, Any]:
    return {**asdict(window), "selector": dict(window.selector)}


def _refuse_unknown(config: Path, devices: Sequence[str]) -> None:
    """Refuse a device that the inventory does not have: a slip of the pen would wake people at night.

    Where the inventory is not on this host, or has faults, names are taken as they are: silence must still be had.
    """
    if not devices:
        return
    settings = load_settings(config, os.environ)
    try:
        known = {device.name for device in load_inventory(config, settings)}
    except ConfigError as error:
        why = str(error).partition("\n")[0]
        click.echo(f"streampoll: names of devices are not checked, for the inventory can't be read: {why}", err=True)
        return
    unknown = [name for name in devices if name not in known]
    if unknown:
        raise ConfigError([Fault("--device", f"there is no device {name!r}", nearest(name, known)) for name in unknown])
