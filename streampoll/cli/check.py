"""`streampoll check`: is this configuration right, and do its servers answer?"""

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from streampoll.cli.options import config_option, json_option
from streampoll.config.credentials import Credentials
from streampoll.config.keeping import SecretNotHere
from streampoll.config.load import Configuration, load, load_credentials, source_directory
from streampoll.config.report import Report
from streampoll.config.settings import Settings, enabled_outputs
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError, Fault
from streampoll.model import Device
from streampoll.notifications.apprise_sender import unknown
from streampoll.notifications.channel import AppriseTarget, Channel
from streampoll.notifications.port import NotSent
from streampoll.observe.doctor import diagnose
from streampoll.tasks.check import check_tasks
from streampoll.tasks.registry import load_tasks

EXIT_FAULTS = 2


@click.command("check")
@config_option
@click.option("--connect", is_flag=True, help="Ask Redis, PostgreSQL and the kernel too.")
@json_option
def command(config: Path, connect: bool, as_json: bool) -> int:
    """Check settings, jobs, inventory, profiles and credentials, and say what is wrong line by line.

    Ends with 2 if there is a fault. A warning is something that works and is likely not meant.

    \b
    Examples:
      streampoll check --config /etc/streampoll
      streampoll check --connect
    """
    report = Report()
    configuration = _read(config, os.environ, report)
    if connect:
        settings = _settings(config, os.environ)
        if settings is not None:
            diagnose(settings, report)
            _ask_outputs(config, settings, report)
    figures = summary(configuration) if configuration else {}
    _print_json(report, figures) if as_json else _print_text(report, figures)
    return EXIT_FAULTS if report.faults else 0


def _read(where: Path, environ: Mapping[str, str], report: Report) -> Configuration | None:
    """Return the configuration, with every credential tried; None if it has faults."""
    try:
        configuration = load(where, environ)
    except ConfigError as error:
        report.faults += error.faults
        return None
    report.notices += configuration.notices
    _check_tasks(where, configuration.settings, report)
    _read_secrets(configuration.credentials, report)
    channels = configuration.notifications.channels
    _read_secrets(channels, report)
    _check_addresses([each for name in channels if (each := channels.held(name)) is not None], report)
    return configuration


def _read_secrets(book: Credentials, report: Report) -> None:
    """Try every credential, or channel; one whose secret is kept where only a service can look is worth a notice."""
    for name in book:
        try:
            book[name]
        except SecretNotHere as error:
            report.notices += error.faults
        except ConfigError as error:
            report.faults += error.faults


def _ask_outputs(where: Path, settings: Settings, report: Report) -> None:
    """Ask each output whether it is there; one that is not is no fault, since its results wait."""
    outputs = enabled_outputs(settings)
    if not outputs:
        return
    from streampoll.app.outputs import ask_all  # here: few have outputs, and their libraries are large

    try:
        credentials = load_credentials(where, settings, os.environ)
    except ConfigError:
        return  # said already
    for name, trouble in asyncio.run(ask_all(outputs, credentials)).items():
        if trouble:
            report.notice(f"outputs.{name}", trouble, "its results wait in Redis until it takes them")


def _check_addresses(channels: Iterable[Channel], report: Report) -> None:
    """Have apprise read the addresses that are for it; it is started only where there are some."""
    targets = {channel.name: channel.target for channel in channels if isinstance(channel.target, AppriseTarget)}
    if not targets:
        return
    try:
        strange = asyncio.run(unknown(targets))
    except NotSent as why:
        report.notice("channels", f"their addresses could not be checked: {why.cause}")
        return
    for name in strange:
        report.fault(f"channel '{name}'", "apprise does not know such an address", "its wiki has those of each service")


def _check_tasks(where: Path, settings: Settings, report: Report) -> None:
    """Import the modules that have tasks, as a worker would."""
    try:
        check_tasks(load_tasks(settings.tasks.modules, source_directory(where).absolute()), settings, report)
    except ConfigError as error:
        report.faults += error.faults


def _settings(where: Path, environ: Mapping[str, str]) -> Settings | None:
    """Return the settings alone, so that servers are asked although, say, the inventory has a fault.

    Those of an `up` that runs this configuration count, as everywhere.
    """
    try:
        return read_settings(where, environ)
    except ConfigError:
        return None


def summary(configuration: Configuration) -> dict[str, Any]:
    """Return what the configuration amounts to: how many of each, and the polls a second to expect."""
    return {
        "devices": len(configuration.devices),
        "jobs": len(configuration.jobs),
        "profiles": len(configuration.profiles),
        "credentials": len(configuration.credentials),
        "polls_per_s": round(expected_rate(configuration), 3),
    }


def expected_rate(configuration: Configuration) -> float:
    """Return the polls a second of all enabled jobs, on average."""
    enabled = [device for device in configuration.devices if device.enabled]
    rate = 0.0
    for job in (job for job in configuration.jobs if job.enabled):
        interval_s = job.every_s or job.mean_interval_s()
        rate += sum(_rate(device, job.every_s, interval_s) for device in enabled if job.selector.matches(device))
    return rate


def _rate(device: Device, every_s: int, interval_s: float) -> float:
    """Return one device's polls a second; its own interval counts where the job has one (cron has none)."""
    return 1 / (device.interval_s if every_s and device.interval_s else interval_s)


def _print_json(report: Report, figures: Mapping[str, Any]) -> None:
    answer = {
        "ok": not report.faults,
        "faults": [_plain(fault) for fault in report.faults],
        "warnings": [_plain(notice) for notice in report.notices],
        **figures,
    }
    click.echo(json.dumps(answer))


def _plain(fault: Fault) -> dict[str, str]:
    return {"where": fault.where, "what": fault.what, "instead": fault.instead}


def _print_text(report: Report, figures: Mapping[str, Any]) -> None:
    _print_lines(report.notices, "warning: ")
    _print_lines(report.faults, "")
    if report.faults:
        click.echo(f"{len(report.faults)} fault{'s' if len(report.faults) > 1 else ''}", err=True)
        return
    counts = ", ".join(_count(figures[name], name) for name in ("devices", "jobs", "profiles", "credentials"))
    click.echo(f"ok: {counts}; {figures['polls_per_s']:,.4g} polls/s expected")


def _count(number: int, plural: str) -> str:
    return f"{number:,} {plural if number != 1 else plural.removesuffix('s')}"


def _print_lines(faults: Iterable[Fault], mark: str) -> None:
    for fault in faults:
        click.echo(f"{mark}{fault}", err=True)
