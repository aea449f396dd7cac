"""The fleet's options, once for `streampoll fleet` and for `python -m streampoll.embedded.fleet`."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import click

from streampoll.embedded.fleet.settings import FleetSettings
from streampoll.errors import ConfigError, Fault

DEFAULT = FleetSettings()


class Span(click.ParamType[tuple[float, float]]):
    """LOW-HIGH, or one number for both."""

    name = "low-high"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Read "5-250" or "5"."""
        if isinstance(value, tuple):
            return value
        low, _, high = str(value).partition("-")
        try:
            return float(low), float(high or low)
        except ValueError:
            self.fail(f"{value!r} is not LOW-HIGH, such as 5-250", param, ctx)


def fleet_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that make a `FleetSettings` to a click command, which gets them by name."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _span(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}-{pair[1]:g}"


_OPTIONS = (
    click.option("--devices", type=int, default=DEFAULT.devices, show_default=True,
                 help="Devices in the inventory, from 127.1.0.1 up."),
    click.option("--port", type=int, default=DEFAULT.port, show_default=True, help="UDP port; 0: one that is free."),
    click.option("--seed", type=int, default=DEFAULT.seed, show_default=True, help="Another seed, another fleet."),
    click.option("--silent", type=float, default=DEFAULT.silent, show_default=True,
                 help="Share of devices that never answer, 0 to 1."),
    click.option("--loss", type=float, default=DEFAULT.loss, show_default=True,
                 help="Share of requests that get no reply, 0 to 1."),
    click.option("--latency", type=Span(), metavar="LOW-HIGH", default=_span(DEFAULT.latency_ms), show_default=True,
                 help="Milliseconds; each device has one latency in this range."),
    click.option("--interfaces", type=Span(), metavar="LOW-HIGH", default=_span(DEFAULT.interfaces), show_default=True,
                 help="Each device has a number of interfaces in this range."),
    click.option("--reboot-every", type=float, metavar="SECONDS", default=DEFAULT.reboot_every_s, show_default=True,
                 help="Each device boots once in this time: uptime and counters start again."),
    click.option("--max-reply", type=int, metavar="BYTES", default=DEFAULT.max_reply_bytes, show_default=True,
                 help="A GETBULK reply is cut here; another is tooBig above it."),
    click.option("--too-big", type=int, metavar="BYTES", default=DEFAULT.too_big_bytes, show_default=True,
                 help="Above it every reply is tooBig, GETBULK's too; 0 is off."),
    click.option("--community-env", metavar="VARIABLE", default="",
                 help="Environment variable with the community; without it, public."),
    click.option("--v3-env", metavar="VARIABLE", default="",
                 help="Environment variable with the passphrase of SNMPv3 user fleet (SHA-256, AES-128)."),
    click.option("--recording", "recordings", metavar="FILE[=ADDRESS]", multiple=True,
                 help="Serve a .snmprec or .snmpwalk (.bz2, .gz): in turn with others, or at one address."),
)  # fmt: skip


def read_settings(options: Mapping[str, Any]) -> FleetSettings:
    """Make settings of a command's parameters.

    Raises:
        ConfigError: the variable of a secret is not set.
    """
    fewest, most = options["interfaces"]
    return FleetSettings(
        port=options["port"],
        seed=options["seed"],
        devices=options["devices"],
        silent=options["silent"],
        loss=options["loss"],
        latency_ms=options["latency"],
        interfaces=(int(fewest), int(most)),
        community=_secret("--community-env", options["community_env"], DEFAULT.community),
        v3_passphrase=_secret("--v3-env", options["v3_env"], ""),
        reboot_every_s=options["reboot_every"],
        max_reply_bytes=options["max_reply"],
        too_big_bytes=options["too_big"],
        recordings=options["recordings"],
    )


def _secret(option: str, variable: str, default: str) -> str:
    if not variable:
        return default
    try:
        return os.environ[variable]
    except KeyError:
        fault = Fault(option, f"the variable {variable} is not set", "export it, or leave the option out")
        raise ConfigError([fault]) from None
