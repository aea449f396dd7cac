"""`streampoll run`: polls devices now, by the workers, outside their schedule."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from streampoll.cli.names import offer_devices, offer_jobs
from streampoll.cli.options import answer, config_option, json_option, who
from streampoll.config.report import nearest
from streampoll.errors import ConfigError, Fault


@click.command("run")
@config_option
@click.option(
    "--job", metavar="NAME", shell_complete=offer_jobs, help="Only by this job; without devices: all that it polls."
)
@click.argument("devices", nargs=-1, shell_complete=offer_devices)
@json_option
def command(config: Path, job: str | None, devices: Sequence[str], as_json: bool) -> int:
    """Poll DEVICES now, by every job that polls them, or all devices of a job.

    The workers poll them as always, and results are stored; `audit` counts them as ad hoc. Exit code 1 if some were not
    added, since the same job was run less than two seconds ago or they are due each second.

    \b
    Examples:
      streampoll run core-1 core-2
      streampoll run --job interfaces
    """
    if not devices and not job:
        raise click.UsageError("name devices, or a job by --job")
    added, asked = asyncio.run(_run(config, job, devices))
    answer(as_json, {"added": added, "asked": asked}, f"added {added} of {asked} polls")
    return 0 if added == asked and asked else 1


async def _run(config: Path, name: str | None, wanted: Sequence[str]) -> tuple[int, int]:
    from streampoll.app.control import open_desk  # here: `--help` need not load the clients
    from streampoll.config.load import load_inventory

    async with open_desk(config) as desk:
        jobs = [job for job in desk.jobs if name in (None, job.name)]
        if not jobs:
            raise ConfigError(
                [Fault("--job", f"there is no job {name!r}", nearest(name or "", [j.name for j in desk.jobs]))]
            )
        inventory = load_inventory(config, desk.settings)
        by_name = {device.name: device for device in inventory}
        for each in wanted:
            if each not in by_name:
                raise ConfigError([Fault("DEVICES", f"there is no device {each!r}", nearest(each, by_name))])
        chosen = [by_name[each] for each in wanted] if wanted else inventory
        added, asked = await desk.run(jobs, chosen)
        if added:
            await desk.control.note(who(), "run", ", ".join(wanted[:5]) or f"job {name}", f"{added} polls")
        return added, asked
