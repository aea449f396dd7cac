"""`streampoll discover CIDR…`: finds devices and writes an inventory."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from streampoll.cli.drawing import table_console
from streampoll.cli.options import config_option, json_line, json_option
from streampoll.config.credentials import DEFAULT, Credentials
from streampoll.config.load import load_credentials, load_inventory, load_profiles, load_settings, source_directory
from streampoll.config.report import nearest
from streampoll.config.settings import Settings, SnmpSettings
from streampoll.discovery.networks import Networks
from streampoll.discovery.probe import Prober
from streampoll.discovery.proposal import Proposal, propose
from streampoll.discovery.report import Seen, check_writable, write_inventory
from streampoll.discovery.sweep import sweep
from streampoll.errors import ConfigError, Fault
from streampoll.model import Device, Outcome, Target
from streampoll.ping.icmp import IcmpPinger, may_ping
from streampoll.pollers.snmp import SnmpPoller
from streampoll.results.render import plain
from streampoll.snmp.plan import CollectPlan

_TRIES_S = 4.0  # of one address with one credential, at the most, beyond time-outs and retries


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for."""

    networks: Networks
    credentials: tuple[str, ...]
    snmp: SnmpSettings
    port: int
    ping: bool
    rate_per_s: int
    at_once: int


@click.command("discover")
@click.argument("cidrs", nargs=-1, required=True, metavar="CIDR…")
@config_option
@click.option("--credential", "names", multiple=True, help="Name of a credential to try; give several in their order.")
@click.option("--port", type=click.IntRange(1, 65535), help="UDP port of agents.  [default: snmp.port]")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.05), default=1.0, show_default=True,
              help="Seconds to wait for each reply.")  # fmt: skip
@click.option("--retries", type=click.IntRange(0, 5), default=1, show_default=True, help="Further tries over SNMP.")
@click.option("--no-ping", is_flag=True, help="Ask every address over SNMP, also those that answer no ping.")
@click.option("--rate", "rate_per_s", type=click.IntRange(1, 20_000), default=1000, show_default=True,
              help="Addresses begun a second.")  # fmt: skip
@click.option("--at-once", type=click.IntRange(1, 50_000), default=4000, show_default=True, help="Addresses in flight.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Inventory file to write (CSV).")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@json_option
def command(cidrs: tuple[str, ...], config: Path, output: Path | None, as_json: bool, **options: Any) -> int:
    """Find the devices of networks: who answers ping, then SNMP, with which credential; propose what to poll of them.

    Devices of the configuration's inventory are not proposed again. A device that answers at several addresses is
    proposed once. Ctrl-C ends early and keeps what was found. Exit code 0, or 1 if nothing was found.

    \b
    Examples:
      streampoll discover 192.0.2.0/24 --credential core --credential old-v2c
      streampoll discover 10.0.0.0/16 --credential v3 -o inventory/site-a.csv
      streampoll discover 10.1.0.0/20 --credential v3 --no-ping --rate 200 --json
    """
    if output is not None:
        check_writable(output, options["force"])
    settings = load_settings(config, os.environ)
    if output is not None:
        _check_not_known(output, config, settings)
    credentials = load_credentials(config, settings, os.environ)
    asked = _read(cidrs, settings, credentials, options)
    profiles = load_profiles(config, settings)
    known = _known(config, settings)
    seen, ended = _run(asked, credentials)
    fresh = [each for each in seen.found if each.address not in {device.address for device in known}]
    proposals = propose(fresh, profiles, (device.name for device in known))
    if output is not None:
        write_inventory(output, proposals, options["port"] or 0)
    if as_json:
        click.echo(json_line(_as_json(seen, proposals, ended)))
    else:
        _draw(table_console(), seen, proposals, output)
    return 130 if not ended else 0 if seen.found else 1


def _read(cidrs: Sequence[str], settings: Settings, credentials: Credentials, options: dict[str, Any]) -> _Asked:
    """Check what was asked for before anything is sent."""
    names = tuple(options["names"]) or (DEFAULT,)
    for name in names:
        if name not in credentials:
            what = f"there is no credential {name!r}"
            raise ConfigError(
                [Fault("--credential", what, nearest(name, credentials) or "write it into credentials.toml")]
            )
        if credentials.protocol(name) != "snmp":
            what = f"{name!r} is for {credentials.protocol(name)}"
            raise ConfigError([Fault("--credential", what, "name one for snmp")])
        credentials[name]  # a secret that can't be read ends it here
    snmp = replace(settings.snmp, timeout_s=options["timeout_s"], retries=options["retries"])
    ping = not options["no_ping"] and may_ping()
    if not ping and not options["no_ping"]:
        click.echo(
            "this user may not send ICMP: every address is asked over SNMP (net.ipv4.ping_group_range)", err=True
        )
    return _Asked(
        Networks(cidrs), names, snmp, options["port"] or 0, ping, options["rate_per_s"], options["at_once"]
    )  # fmt: skip


def _known(config: Path, settings: Settings) -> Sequence[Device]:
    """Return the devices of the inventory, if there is one yet."""
    return load_inventory(config, settings) if _inventory(config, settings) else ()


def _inventory(config: Path, settings: Settings) -> set[Path]:
    """Return the files of the inventory that are there."""
    base = source_directory(config)
    return {base / path for pattern in settings.paths.inventory for path in glob(pattern, root_dir=base)}


def _check_not_known(output: Path, config: Path, settings: Settings) -> None:
    """Refuse to write over a file of the inventory: its devices are not proposed again, so it would lose them.

    Raises:
        ConfigError: it is one.
    """
    if output.exists() and any(path.exists() and output.samefile(path) for path in _inventory(config, settings)):
        what = f"{output} is part of the inventory, and the devices in it are not proposed again"
        raise ConfigError([Fault("--output", what, "name another file for the new ones, or move this one away first")])


def _run(asked: _Asked, credentials: Credentials) -> tuple[Seen, bool]:
    """Sweep; return what was seen, and whether it came to its end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_sweep(asked, credentials))


async def _sweep(asked: _Asked, credentials: Credentials) -> tuple[Seen, bool]:
    seen, poller = Seen(), SnmpPoller(asked.snmp)
    pinger = IcmpPinger() if asked.ping else None

    async def ask(target: Target, plan: CollectPlan, name: str, deadline: float) -> Outcome:
        return await poller.poll(target, plan, credentials[name], deadline)

    limit_s = asked.snmp.timeout_s * (asked.snmp.retries + 1) + _TRIES_S
    prober = Prober(ask, asked.credentials, pinger, asked.port, asked.snmp.timeout_s, limit_s)
    running = asyncio.ensure_future(
        sweep(asked.networks, prober.probe, seen.note, rate_per_s=asked.rate_per_s, at_once=asked.at_once)
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, running.cancel)
    try:
        with _Bar(asked.networks.count, seen):
            await running
    except asyncio.CancelledError:
        return seen, False
    finally:
        await poller.close()
        if pinger is not None:
            await pinger.close()
    return seen, True


class _Bar:
    """A progress bar on stderr while a sweep runs; nothing where nobody sees it."""

    def __init__(self, total: int, seen: Seen) -> None:
        self._seen = seen
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=console, transient=True,
        ) if console.is_terminal else None  # fmt: skip
        self._total = total

    def __enter__(self) -> None:
        if self._progress is None:
            return
        self._progress.start()
        task = self._progress.add_task("discover", total=self._total)
        self._timer = asyncio.get_running_loop().create_task(self._follow(task), name="progress")

    async def _follow(self, task: Any) -> None:
        while True:
            assert self._progress is not None
            found = len(self._seen.found)
            self._progress.update(task, completed=self._seen.asked, description=f"found {found:,}")
            await asyncio.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._timer.cancel()
            self._progress.stop()


def _table(proposals: Sequence[Proposal]) -> Table:
    """Return proposals as a table; what does not fit is cut from the description alone."""
    table = Table(box=None, pad_edge=False)
    rows = [
        (each.name, _addresses(each), each.profile, each.found.credential, each.vendor, each.found.description)
        for each in proposals
    ]
    for place, column in enumerate(("name", "address", "profile", "credential", "vendor")):
        table.add_column(column, no_wrap=True, min_width=max(len(plain(row[place])) for row in rows))
    table.add_column("description", no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def _addresses(proposal: Proposal) -> str:
    found = proposal.found
    return f"{found.address} (+{len(proposal.also)})" if proposal.also else found.address


def _draw(console: Console, seen: Seen, proposals: Sequence[Proposal], output: Path | None) -> None:
    if proposals:
        console.print(_table(proposals))
    for refused in seen.refused[:20]:
        said = f"{refused.address}: speaks SNMP, and no credential fits: {refused.why}"
        console.print(Text(plain(said)), soft_wrap=True)
    console.print(
        f"{seen.asked:,} addresses asked, {seen.alive:,} answered, {len(seen.found):,} over SNMP"
        f", {len(proposals):,} new devices"
        + (f", {len(seen.refused):,} without a fitting credential" if seen.refused else "")
        + (f"; written to {output}" if output else ""),
        soft_wrap=True,
    )


def _as_json(seen: Seen, proposals: Sequence[Proposal], ended: bool) -> dict[str, Any]:
    return {
        "asked": seen.asked,
        "alive": seen.alive,
        "answered": len(seen.found),
        "complete": ended,
        "devices": [
            {
                "name": each.name,
                "address": each.found.address,
                "also": list(each.also),
                "profile": each.profile,
                "credential": each.found.credential,
                "vendor": each.vendor,
                "sysObjectID": each.found.object_id,
                "sysName": each.found.name,
                "sysDescr": each.found.description,
            }
            for each in proposals
        ],
        "refused": [{"address": each.address, "error": each.why} for each in seen.refused],
    }
