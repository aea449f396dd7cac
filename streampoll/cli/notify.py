"""`streampoll notify`: try a channel, see which route an event would take, see what is open."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from streampoll.cli import EXIT_FAILED
from streampoll.cli.drawing import table_console
from streampoll.cli.names import offer_devices
from streampoll.cli.notify_view import as_facts, explain, lines, table
from streampoll.cli.options import config_option, json_line, json_option
from streampoll.config.load import load_inventory, load_notifications
from streampoll.config.notifications import Notifications
from streampoll.config.report import nearest
from streampoll.config.settings import Settings
from streampoll.config.units import parse_since
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError, Fault
from streampoll.model import Change, Event, Severity, labels_of
from streampoll.notifications.group import Group, decode_group, is_group
from streampoll.notifications.message import Listed, Message
from streampoll.notifications.policy import Reason
from streampoll.notifications.port import NotSent
from streampoll.notifications.ports import SPACE
from streampoll.notifications.senders import Senders
from streampoll.observe import words
from streampoll.shards.records import Records

SEVERITIES = [severity.name.lower() for severity in Severity]


@click.group("notify")
def command() -> None:
    """Look after notifications: try channels, explain routes, see what is open.

    \b
    Examples:
      streampoll notify test noc-mail
      streampoll notify routes --device core-1 --severity critical
      streampoll notify list
    """


@command.command("test")
@click.argument("channel")
@config_option
@json_option
def test(channel: str, config: Path, as_json: bool) -> int:
    """Send one test message through CHANNEL, now and from here, and say what became of it.

    Workers are not asked, nor Redis: it is this process that reads the channel's secrets and sends. Exit code 1 if the
    channel does not take it.

    \b
    Example:
      streampoll notify test noc-mail --config /etc/streampoll
    """
    known = _load(config)[1]
    if channel not in known.channels:
        hint = nearest(channel, known.channels) or "notifications.toml has no channels"
        raise ConfigError([Fault("CHANNEL", f"there is no channel {channel!r}", hint)])
    tried = asyncio.run(_try(known, channel))
    if as_json:
        click.echo(json.dumps({"channel": channel, "sent": tried.sent, "said": tried.said, "seconds": tried.took_s}))
    else:
        click.echo(f"{channel}: {'' if tried.sent else 'not '}sent: {tried.said} ({words.seconds(tried.took_s)})")
    return 0 if tried.sent else EXIT_FAILED


@dataclass(frozen=True, slots=True)
class _Tried:
    sent: bool
    said: str
    took_s: float


async def _try(known: Notifications, channel: str) -> _Tried:
    """Send a message about a made-up event, so that templates are tried too."""
    senders, began = Senders(), time.monotonic()
    try:
        said = await senders.send(known.channels, _test_message(channel, int(time.time())), known.style)
        return _Tried(True, said, time.monotonic() - began)
    except NotSent as why:
        return _Tried(False, why.cause, time.monotonic() - began)
    finally:
        await senders.close()


def _test_message(channel: str, now: int) -> Message:
    text = f"This is a test of channel {channel}; nothing is wrong."
    event = Event(0, "test", "streampoll", "", Severity.INFO, {}, now, now, Change.OPENED, None, text)
    key = f"test-{channel}-{now}"
    return Message(
        channel, key, Reason.OPENED, now, "test", "TEST", (Listed(event, True, False),), opened=1, standing=1
    )


@command.command("routes")
@config_option
@click.option(
    "--device", default="", shell_complete=offer_devices, help="Name of a device; its labels are the inventory's."
)
@click.option("--rule", default="", help="Name of a rule.")
@click.option("--row", default="", help="A row, as an interface.")
@click.option("--severity", type=click.Choice(SEVERITIES), default="critical", show_default=True, help="How bad it is.")
@click.option("--label", "labels", multiple=True, metavar="NAME=TEXT", help="A label; may be given several times.")
@click.option("--at", default="", help="When: 2026-01-31T03:00.  [default: now]")
@json_option
def routes(config: Path, at: str, as_json: bool, device: str, labels: Sequence[str], **of: str) -> int:
    """Show which routes a made-up event would take at a time, and why not the others.

    Exit code 1 if none takes it.

    \b
    Examples:
      streampoll notify routes --device core-1 --severity critical
      streampoll notify routes --label site=zurich --severity warning --at 2026-01-31T03:00
    """
    settings, known = _load(config)
    now = _moment(at)
    made_up = _event(int(now), device, _labels(config, settings, device, labels), **of)
    explained = explain(known.routes, made_up, now)
    if as_json:
        click.echo(json.dumps({"routes": explained}))
    else:
        for line in lines(explained):
            click.echo(line)
    return 0 if any(route["takes"] for route in explained) else EXIT_FAILED


@command.command("list")
@config_option
@json_option
def list_groups(config: Path, as_json: bool) -> int:
    """List the groups that are open: what is in them, when they were last told of, and when the next message is due.

    \b
    Example:
      streampoll notify list --json | jq .group
    """
    settings, known = _load(config)
    groups = asyncio.run(_groups(settings))
    now = time.time()
    if as_json:
        for group in groups:
            click.echo(json_line(as_facts(group)))
    elif groups:
        table_console().print(table(groups, known, now))
    else:
        click.echo("nothing is open")
    return 0


async def _groups(settings: Settings) -> list[Group]:
    """Read the groups of all shards, those told last at the end."""
    from streampoll.app.redis_side import open_redis  # here: `--help` need not load the clients

    async with open_redis(settings) as side:
        found = await Records(side.topology, side.keys).every(SPACE, range(settings.shards.count))
    records = [record for of_shard in found.values() for name, record in of_shard.items() if is_group(name)]
    return sorted(map(decode_group, records), key=lambda group: (group.told_at, group.route, group.key))


def _load(config: Path) -> tuple[Settings, Notifications]:
    settings = read_settings(config, os.environ)
    return settings, load_notifications(config, settings, os.environ)


def _moment(text: str) -> float:
    try:
        return parse_since(text, time.time()) if text else time.time()
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time; write 2026-01-31T03:00", param_hint="--at") from None


def _event(now: int, device: str, labels: dict[str, str], rule: str, row: str, severity: str) -> Event:
    return Event(0, rule, device, row, Severity[severity.upper()], labels, now, now, Change.OPENED, None, "")


def _labels(config: Path, settings: Settings, device: str, said: Sequence[str]) -> dict[str, str]:
    """Return the labels that the inventory gives a device, with those that were said."""
    labels = _labels_of(config, settings, device) if device else {}
    for label in said:
        name, is_there, text = label.partition("=")
        if not is_there or not name:
            raise click.BadParameter(f"{label!r} is not NAME=TEXT", param_hint="--label")
        labels[name] = text
    return labels


def _labels_of(config: Path, settings: Settings, name: str) -> dict[str, str]:
    for device in load_inventory(config, settings):
        if device.name == name:
            return labels_of(device)
    click.echo(f"warning: the inventory has no device {name!r}; it has the labels that --label gives", err=True)
    return {}
