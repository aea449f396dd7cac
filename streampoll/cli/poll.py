"""`streampoll poll HOST`: polls one device now, without any server."""

import asyncio
import math
import os
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from streampoll.cli.drawing import table_grids
from streampoll.cli.names import offer_devices, offer_profiles
from streampoll.cli.options import config_option, json_line, json_option
from streampoll.config.credentials import Credentials, names_of
from streampoll.config.load import (
    FILE,
    load_credentials,
    load_inventory,
    load_profiles,
    load_settings,
    source_directory,
)
from streampoll.config.report import nearest
from streampoll.config.secret import Secret
from streampoll.config.settings import Settings
from streampoll.errors import ConfigError, Fault
from streampoll.model import Device, Outcome, Status, Target
from streampoll.observe.looks import look_by_profile
from streampoll.pollers.protocols import make_router
from streampoll.pollers.router import Router
from streampoll.results.render import Look, cell_text, value_lines, values_json
from streampoll.snmp.credential import Community, Version

_AD_HOC = "--community-env"


@click.command("poll")
@click.argument("host", metavar="DEVICE|HOST[:PORT]", shell_complete=offer_devices)
@config_option
@click.option("--profile", shell_complete=offer_profiles, help="What to collect.  [default: the device's, else system]")
@click.option("--credential", default="", help="Name of a credential, or several to be tried.  [default: default]")
@click.option("--community-env", metavar="VAR", help="Environment variable with a community to use instead.")
@click.option("--snmp-version", type=click.Choice(["1", "2c"]), help="Version to speak with a community.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.05), help="Seconds to wait for each reply.")
@json_option
def command(host: str, config: Path, as_json: bool, **options: Any) -> int:
    """Poll one device now and print what it says; no server is needed, nor a configuration.

    The name of a device in the configuration's inventory stands for its address, port, profile and credential.
    Exit code 0 if it answered, 1 if it did not, 2 if it can't be asked so.

    \b
    Examples:
      streampoll poll core-1 --config /etc/streampoll
      streampoll poll 192.0.2.1 --profile interfaces
      SNMP=public streampoll poll 192.0.2.1:1161 --community-env SNMP
      streampoll poll 192.0.2.1 --json | jq .values.sysName
    """
    if options["credential"] and options["community_env"]:
        raise click.UsageError("--credential and --community-env are two answers to one question; give one of them")
    configured = _is_configured(config)
    settings = load_settings(config, os.environ) if configured else Settings()
    if options["timeout_s"]:
        settings = replace(settings, snmp=replace(settings.snmp, timeout_s=options["timeout_s"]))
    found = _find_device(host, config, settings) if configured else None
    device = found or _ad_hoc_device(host)
    profiles = load_profiles(config, settings)
    profile = _chosen_profile(options["profile"] or device.profile or "system", profiles)
    chosen = options["credential"] or device.credential
    credentials, name = _credentials(config, settings, chosen, options["community_env"])
    router = make_router(settings, profiles, credentials, eager=True)
    if router.needs_credential(profile):
        _check_known(name, credentials, stranger=host if configured and found is None else "")
    asked = {"snmp.version": options["snmp_version"]} if options["snmp_version"] else {}
    target = Target(host, device.address, device.port, profile, name, {**device.overrides, **asked})
    began = time.monotonic()
    outcome = asyncio.run(_poll(router, target))
    duration_ms = int((time.monotonic() - began) * 1000)
    look = look_by_profile(profiles)(profile)
    if as_json:
        click.echo(json_line(_as_json(host, outcome, duration_ms, look)))
    else:
        _draw(Console(highlight=False), outcome, duration_ms, look)
    if configured and found is None and outcome.status is Status.UNREACHABLE:
        click.echo(f"streampoll: {host!r} is no device of the inventory, so it was taken for a host", err=True)
    return 2 if outcome.status is Status.CONFIG else 0 if outcome.status.answered else 1


async def _poll(router: Router, target: Target) -> Outcome:
    try:
        return await router.poll(target, math.inf)
    finally:
        await router.close()


def _find_device(name: str, config: Path, settings: Settings) -> Device | None:
    """Return the device of the inventory that has this name; None if there is none."""
    if not any(any(source_directory(config).glob(pattern)) for pattern in settings.paths.inventory):
        return None
    return next((device for device in load_inventory(config, settings) if device.name == name), None)


def _ad_hoc_device(host: str) -> Device:
    address, port = split_host(host)
    return Device(host, address, port)


def _chosen_profile(name: str, profiles: Iterable[str]) -> str:
    if name not in profiles:
        hint = nearest(name, profiles) or f"known are {', '.join(sorted(profiles))}"
        raise ConfigError([Fault("--profile", f"there is no profile {name!r}", hint)])
    return name


def _is_configured(config: Path) -> bool:
    return config.suffix == ".toml" or (config / FILE).exists()


def _credentials(config: Path, settings: Settings, name: str, variable: str | None) -> tuple[Credentials, str]:
    """Return the credentials to choose from, and the name to choose."""
    if variable is None:
        return load_credentials(config, settings, os.environ), name
    community = os.environ.get(variable)
    if not community:
        raise ConfigError(
            [Fault(_AD_HOC, f"the variable {variable} is not set", f"run {variable}=… streampoll poll …")]
        )
    return Credentials.of("snmp", {_AD_HOC: Community(Secret(community), Version.V2C)}), _AD_HOC


def _check_known(names: str, known: Credentials, stranger: str) -> None:
    """Refuse a credential that is not there; of a `stranger` to the inventory say so, it may be a slip of the pen."""
    for name in names_of(names):
        if name not in known:
            faults = [Fault("--credential", f"there is no credential {name!r}", _way_out(known))]
            if stranger:
                faults.append(Fault("HOST", f"{stranger!r} is no device of the inventory, so it is taken for a host"))
            raise ConfigError(faults)


def _way_out(known: Credentials) -> str:
    if known:
        return f"known are {', '.join(known)}"
    return f"put the community into a variable and name that with {_AD_HOC}"


def split_host(text: str) -> tuple[str, int]:
    """Split HOST[:PORT]; an IPv6 address with a port is written in brackets. Port 0 stands for the default.

    Raises:
        ConfigError: the port is none.
    """
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host:
        raise ConfigError([Fault("HOST[:PORT]", f"{text!r} has no host", "write 192.0.2.1 or 192.0.2.1:1161")])
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError([Fault("HOST[:PORT]", f"{port!r} is not a port", "write a number from 1 to 65535")])
    return host, int(port or 0)


def _as_json(device: str, outcome: Outcome, duration_ms: int, look: Look) -> dict[str, Any]:
    return {
        "device": device,
        "status": outcome.status.word,
        "duration_ms": duration_ms,
        "error": outcome.error,
        "profile": outcome.profile,
        **values_json(outcome, look),
        "requests": outcome.requests,
        "varbinds": outcome.varbinds,
    }


def _draw(console: Console, outcome: Outcome, duration_ms: int, look: Look) -> None:
    style = "green" if outcome.status is Status.OK else "yellow" if outcome.status.answered else "red"
    head = Text.assemble((outcome.status.word, style), f"  {duration_ms} ms, requests {outcome.requests}")
    console.print(head + Text(f": {cell_text(outcome.error)}") if outcome.error else head, soft_wrap=True)
    for line in value_lines(outcome, look):
        console.print(Text(line), soft_wrap=True)
    for name, table in outcome.tables.items():
        for grid in table_grids(name, table, console.width, look):
            console.print(grid)
