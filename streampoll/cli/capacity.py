"""`streampoll capacity`: what so many devices need, by what was measured."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from streampoll.capacity.constants import ANALYSIS, MEASURED, Constants, Load, read
from streampoll.capacity.live import Live, Look, compare
from streampoll.capacity.model import Needs, Question, needs
from streampoll.capacity.scale import scenario_of
from streampoll.capacity.simulate import simulate
from streampoll.capacity.view import as_json, shown, simulated_line
from streampoll.capacity.workload import analysed, estimate, has_counters, mixed, size_of
from streampoll.cli.drawing import table_console
from streampoll.cli.options import config_option, json_option
from streampoll.config.load import FILE, load_profiles, load_settings
from streampoll.config.report import nearest
from streampoll.config.settings import Settings
from streampoll.config.units import parse_duration
from streampoll.errors import ConfigError, Fault
from streampoll.snmp.plan import CollectPlan

_SILENT_LOAD = "silent"


class Duration(click.ParamType[float]):
    """An option's value that is a duration above zero."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        try:
            seconds = parse_duration(str(value))
        except ValueError:
            seconds = 0.0
        return seconds if seconds > 0 else self.fail(f"{value!r} is not a duration; write 60s, 5m or 1h", param, ctx)


_OPTIONS = (
    click.option("--devices", type=click.IntRange(1, 10**9), help="How many.  [with --measured: those there are]"),
    click.option("--profile", metavar="NAME", help="A measured load, or a profile.  [default: interfaces]"),
    click.option("--interval", type=Duration(), help="Of each device.  [default: 5m; with --measured: as it is]"),
    click.option("--rows", type=click.IntRange(1, 100_000), default=24, show_default=True, help="Of each table."),
    click.option("--v3", is_flag=True, help="Devices speak SNMPv3 with authentication and privacy."),
    click.option("--silent", type=click.FloatRange(0, 0.9), help="Share that does not answer.  [default: 0.05]"),
    click.option("--latency", type=Duration(), default="100ms", show_default=True, help="Of a request."),
    click.option("--retention", type=click.IntRange(1, 3650), metavar="DAYS", help="[default: the setting's]"),
    click.option("--outage", type=Duration(), default="1h", show_default=True, help="Of PostgreSQL, to be outlasted."),
    click.option(
        "--utilisation", type=click.FloatRange(0.05, 0.95), default=0.7, show_default=True,
        help="Of the busiest process.",
    ),
    click.option(
        "--analysis/--no-analysis", "analysis", default=None,
        help="With rates of counters and rules on them.  [default: as configured, which is on]",
    ),
    click.option("--measured", is_flag=True, help="By what polls cost in the running fleet."),
    click.option("--seconds", type=click.FloatRange(2, 600), default=10, show_default=True, help="How long to look."),
    click.option("--simulate", "simulating", is_flag=True, help="Also simulate it, for the lateness to expect."),
    click.option("--constants", type=click.Path(path_type=Path), metavar="FILE", help="Other measured constants."),
)  # fmt: skip


def _options(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Asked:
    """The options."""

    config: Path
    devices: int | None
    profile: str | None
    interval: float | None
    rows: int
    v3: bool
    silent: float | None
    latency: float
    retention: int | None
    outage: float
    utilisation: float
    analysis: bool | None
    measured: bool
    seconds: float
    simulating: bool
    constants: Path | None


@click.command("capacity")
@config_option
@_options
@json_option
def command(as_json: bool, **options: Any) -> int:
    """Say what so many devices need: cores, processes, memory, Redis, PostgreSQL, network.

    The figures come from constants that were measured (docs/capacity.md), or with --measured from the fleet that runs
    now. A profile that was not measured is estimated by its number of values.

    \b
    Examples:
      streampoll capacity --devices 100000 --profile interfaces --interval 5m
      streampoll capacity --devices 1000000 --profile walk90 --interval 5m --json
      streampoll capacity --measured --devices 20000
    """
    asked = Asked(**options)
    constants = read(asked.constants or MEASURED)
    settings = _settings(asked.config)
    question = _of_fleet(asked, constants, settings) if asked.measured else _of_profile(asked, constants, settings)
    _answer(needs(question, constants), asked, as_json)
    return 0


def _answer(found: Needs, asked: Asked, in_json: bool) -> None:
    scenario = scenario_of(found) if asked.simulating else None
    seen = simulate(scenario) if scenario else None
    if in_json:
        click.echo(json.dumps(as_json(found, seen)))
        return
    console = table_console()
    console.print(shown(found))
    if scenario and seen:
        console.print(simulated_line(scenario, seen), soft_wrap=True)


def _settings(config: Path) -> Settings:
    """Return the configuration's settings, or the defaults: a plan may come before any configuration."""
    there = config.suffix == ".toml" or (config / FILE).exists()
    return load_settings(config, os.environ) if there else Settings()


# -- by what was measured beforehand


def _of_profile(asked: Asked, constants: Constants, settings: Settings) -> Question:
    if asked.devices is None:
        raise ConfigError(
            [Fault("--devices", "is needed", "say how many, or take those of a running fleet: --measured")]
        )
    load, has_rates = _load(asked, constants, settings)
    silent = 0.05 if asked.silent is None else asked.silent
    dead = constants.load(_SILENT_LOAD)
    if settings.analysis.enabled if asked.analysis is None else asked.analysis:
        load = analysed(load, constants, has_rates)
        dead = dead and analysed(dead, constants, rates=False)
    average = mixed(load, dead, silent) if dead and load.protocol.startswith("snmp") else load
    return _question(asked, settings, average, asked.devices, asked.interval or 300.0, silent)


def _question(asked: Asked, settings: Settings, load: Load, devices: int, interval_s: float, silent: float) -> Question:
    retention = asked.retention or settings.postgres.retention_days or 365
    return Question(devices, interval_s, load, silent, asked.latency, retention, asked.outage, asked.utilisation)


def _load(asked: Asked, constants: Constants, settings: Settings) -> tuple[Load, bool]:
    """Return a measured load by its name, else what a profile of that name is estimated to cost; and if it counts."""
    name, protocol = asked.profile or "interfaces", "snmp-v3" if asked.v3 else "snmp"
    measured = constants.load(f"{name}-v3") if asked.v3 else constants.load(name)
    if measured and measured.protocol != ANALYSIS:
        return measured, measured.protocol.startswith("snmp")
    profiles = load_profiles(asked.config, settings)
    if name not in profiles:
        loads = [load.name for load in constants.loads if load.protocol != ANALYSIS]
        hint = nearest(name, [*profiles, *loads]) or f"measured loads: {', '.join(loads)}"
        raise ConfigError([Fault("--profile", f"there is no profile or measured load {name!r}", hint)])
    plan = profiles[name]
    if not isinstance(plan, CollectPlan):
        what = f"{name} is not of SNMP, and its like can't be estimated"
        raise ConfigError([Fault("--profile", what, "measure it where it runs: --measured")])
    return estimate(constants, name, protocol, size_of(plan, asked.rows)), has_counters(plan)


# -- by the running fleet


def _of_fleet(asked: Asked, constants: Constants, settings: Settings) -> Question:
    if asked.profile:
        raise ConfigError([Fault("--measured", "looks at what is polled now, not at a profile", "leave out --profile")])
    if asked.analysis is not None:
        what = f"--{'' if asked.analysis else 'no-'}analysis"
        raise ConfigError([Fault("--measured", "looks at polls as they are analysed now", f"leave out {what}")])
    live = asyncio.run(_look_twice(asked, constants, settings.analysis.enabled))
    silent = live.silent if asked.silent is None else asked.silent
    return _question(
        asked, settings, live.load, asked.devices or live.devices, asked.interval or live.interval_s, silent
    )


async def _look_twice(asked: Asked, constants: Constants, analysis: bool) -> Live:
    from streampoll.app.looks import open_look  # here: `--help` need not load the clients

    async with open_look(asked.config) as look:
        before: Look = await look()
        await asyncio.sleep(asked.seconds)
        return compare(before, await look(), constants, datetime.now(UTC).date().isoformat(), analysis)
