"""`streampoll job`: jobs listed, paused, resumed, run."""

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from streampoll.cli.names import offer_jobs
from streampoll.cli.options import answer, config_option, json_option, reason_option, who
from streampoll.cli.run_now import command as run_command
from streampoll.config.report import nearest
from streampoll.errors import ConfigError, Fault
from streampoll.observe.words import clip


@click.group("job")
def command() -> None:
    """Look after jobs. A pause is kept in PostgreSQL: it outlives restarts, and audit stays exact.

    \b
    Examples:
      streampoll job list
      streampoll job pause interfaces --reason "core is being moved"
      streampoll job resume interfaces
      streampoll job run interfaces
    """


@command.command("list")
@config_option
@json_option
def list_jobs(config: Path, as_json: bool) -> int:
    """List jobs, and which are paused."""
    rows = asyncio.run(_jobs(config))
    for row in rows:
        paused = f"paused by {row['paused']['by']} {row['paused']['reason']}".rstrip() if row["paused"] else ""
        click.echo(
            json.dumps(row) if as_json else f"{clip(row['job'], 30):<30} {row['schedule']:<20} {paused}".rstrip()
        )
    return 0


@command.command("pause")
@config_option
@reason_option
@click.argument("name", shell_complete=offer_jobs)
@json_option
def pause(config: Path, name: str, reason: str, as_json: bool) -> int:
    """Dispatch nothing of job NAME from in a few seconds on, until it is resumed."""
    asyncio.run(_decide(config, name, reason, pausing=True))
    answer(as_json, {"kind": "job", "name": name, "paused": True}, f"job {name} is paused")
    return 0


@command.command("resume")
@config_option
@click.argument("name", shell_complete=offer_jobs)
@json_option
def resume(config: Path, name: str, as_json: bool) -> int:
    """Dispatch job NAME again. Exit code 1 if it was not paused."""
    found = asyncio.run(_decide(config, name, "", pausing=False))
    text = f"job {name} goes on" if found else f"job {name} is not paused"
    answer(as_json, {"kind": "job", "name": name, "paused": False}, text)
    return 0 if found else 1


@command.command("run")
@config_option
@click.argument("name", shell_complete=offer_jobs)
@json_option
@click.pass_context
def run(context: click.Context, config: Path, name: str, as_json: bool) -> int:
    """Poll all devices of job NAME now."""
    code: int = context.invoke(run_command, config=config, job=name, devices=(), as_json=as_json)
    return code


async def _jobs(config: Path) -> list[dict[str, Any]]:
    from streampoll.app.control import open_desk  # here: `--help` need not load the clients
    from streampoll.shards.port import Paused

    async with open_desk(config) as desk:
        paused = {each.name: each for each in await desk.control.pauses() if each.kind is Paused.JOB}
        return [
            {
                "job": job.name,
                "schedule": job.cron or f"every {job.every_s} s",
                "enabled": job.enabled,
                "paused": {"since": p.since, "by": p.by, "reason": p.reason} if (p := paused.get(job.name)) else None,
            }
            for job in desk.jobs
        ]


async def _decide(config: Path, name: str, reason: str, pausing: bool) -> bool:
    from streampoll.app.control import open_desk  # here: `--help` need not load the clients
    from streampoll.shards.port import Paused

    async with open_desk(config) as desk:
        if not pausing:
            return await desk.decisions.resume(Paused.JOB, name, who())
        names = [job.name for job in desk.jobs]
        if name not in names:
            raise ConfigError([Fault("NAME", f"there is no job {name!r}", nearest(name, names))])
        await desk.decisions.pause(Paused.JOB, name, who(), reason)
        return True
