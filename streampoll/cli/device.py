"""`streampoll device NAME`: everything that is known of one device."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from streampoll.app.redis_side import open_redis
from streampoll.cli import EXIT_FAILED
from streampoll.cli.names import offer_devices
from streampoll.cli.options import config_option, json_line, json_option
from streampoll.config.load import load_credentials, load_inventory, load_jobs
from streampoll.config.report import nearest
from streampoll.config.settings import PostgresSettings, Settings
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError, Fault, StreampollError
from streampoll.model import Device
from streampoll.observe.device import DeviceReport, JobOfDevice, describe, last_of, learned_of
from streampoll.observe.device_view import as_json, text_lines
from streampoll.results.postgres import connected
from streampoll.results.reader import UnknownNameError, Wanted, results

_LOOK_BACK_S = 7 * 86_400


@click.command("device")
@click.argument("name", shell_complete=offer_devices)
@config_option
@json_option
def command(name: str, config: Path, **options: bool) -> int:
    """Show what is known of device NAME: inventory, jobs with its next slot and last outcome, and what was learned.

    Learned are the request size that it answers, since when it has been silent, and which of its credentials worked.
    Exit code 1 if a server could not be asked.

    \b
    Examples:
      streampoll device core-1
      streampoll device core-1 --json | jq .learned
    """
    settings = read_settings(config, os.environ)
    device = _find(name, load_inventory(config, settings))
    credentials = load_credentials(config, settings, os.environ)
    report = describe(device, load_jobs(config), credentials, settings.shards.count, int(time.time()))
    report = asyncio.run(_ask(report, settings))
    if options["as_json"]:
        click.echo(json_line(as_json(report)))
    else:
        for line in text_lines(report, time.time()):
            click.echo(line)
    return EXIT_FAILED if report.troubles else 0


def _find(name: str, devices: Sequence[Device]) -> Device:
    for device in devices:
        if device.name == name:
            return device
    raise ConfigError([Fault("NAME", f"there is no device {name!r}", nearest(name, (each.name for each in devices)))])


async def _ask(report: DeviceReport, settings: Settings) -> DeviceReport:
    """Add what Redis and PostgreSQL know; what could not be asked is a trouble."""
    troubles = []
    try:
        async with open_redis(settings) as redis:
            record = await redis.devices.find(report.shard, report.device.name)
        report = replace(report, learned=learned_of(record))
    except StreampollError as error:
        troubles.append(str(error))
    try:
        report = replace(report, jobs=await _with_last(report, settings.postgres))
    except StreampollError as error:
        troubles.append(str(error))
    return replace(report, troubles=troubles)


async def _with_last(report: DeviceReport, settings: PostgresSettings) -> list[JobOfDevice]:
    """Return the jobs, each with its newest poll of the last week."""
    jobs = []
    async with connected(settings) as connection:
        for job in report.jobs:
            wanted = Wanted(report.device.name, job.job, int(time.time()) - _LOOK_BACK_S, limit=1)
            try:
                polls = [poll async for poll in results(connection, wanted)]
            except UnknownNameError:  # nothing was stored yet
                polls = []
            jobs.append(replace(job, last=last_of(polls[0]) if polls else None))
    return jobs
