"""`streampoll fleet`: a simulated fleet to try things on."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import click
import uvloop

from streampoll.embedded.fleet import Fleet, FleetSettings, device_address
from streampoll.embedded.fleet.inventory import Common, write_inventory
from streampoll.embedded.fleet.options import fleet_options, read_settings

SHOW_EVERY_S = 2.0
ALWAYS_SHOWN = ("requests", "replies")


@click.command("fleet")
@fleet_options
@click.option(
    "--inventory", type=click.Path(dir_okay=False, path_type=Path), help="Write a matching inventory file (CSV)."
)
@click.option("--profile", default="interfaces", show_default=True, help="Profile named in the inventory file.")
@click.option("--credential", default="", help="Credential named in the inventory file.")
def command(inventory: Path | None, profile: str, credential: str, **options: Any) -> None:
    """Answer SNMP v1, v2c and v3 as thousands of devices, one on each address of 127.0.0.0/8.

    What a device is (name, interfaces, rates, latency) follows from the seed and its address. It serves this machine
    only. Ctrl-C ends it.

    \b
    Examples:
      streampoll fleet --devices 1414 --port 1161 --silent 0.11
      streampoll fleet --port 1161 --devices 100000 --inventory conf/fleet.csv
      streampoll fleet --port 1161 --recording cisco.snmprec.bz2=127.1.0.1
      snmpwalk -v2c -c public 127.1.0.1:1161 system
      FLEET=a-passphrase streampoll fleet --port 1161 --v3-env FLEET
      snmpget -v3 -u fleet -l authPriv -a SHA-256 -A a-passphrase -x AES -X a-passphrase 127.1.0.1:1161 sysName.0
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(read_settings(options), inventory, Common(profile, credential)))


async def _serve(settings: FleetSettings, inventory: Path | None, common: Common) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Fleet(settings) as fleet:
        if inventory is not None:
            write_inventory(inventory, fleet, common)
        click.echo(f"fleet: {_devices(settings.devices)} port {fleet.port}")
        await _show_until(ended, fleet)


async def _show_until(ended: asyncio.Event, fleet: Fleet) -> None:
    """Keep one line of figures up to date where somebody sees it."""
    while not ended.is_set():
        try:
            async with asyncio.timeout(SHOW_EVERY_S if sys.stdout.isatty() else None):
                await ended.wait()
        except TimeoutError:
            click.echo(f"\r{fleet_line(fleet)}", nl=False)
    if sys.stdout.isatty():
        click.echo()


def fleet_line(fleet: Fleet) -> str:
    """Say in one line what a fleet has done; reasons that did not occur are left out."""
    report = fleet.count().report()
    counts = {name: count for name, count in report.items() if name in ALWAYS_SHOWN or (count and name != "cpu_s")}
    return "  ".join(f"{name} {count:,}" for name, count in counts.items()).ljust(78)


def _devices(count: int) -> str:
    if count == 1:
        return f"1 device at {device_address(0)}"
    return f"{count:,} devices at {device_address(0)} … {device_address(count - 1)}"
