"""`streampoll workflow`: runs of workflows started, watched, cancelled; what they keep of devices."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from streampoll.cli.drawing import table_console
from streampoll.cli.names import offer_devices, offer_workflows
from streampoll.cli.options import answer, config_option, json_option, since_option, who
from streampoll.cli.workflow_view import (
    Progress,
    config_table,
    draw_run,
    run_table,
    workflow_table,
)
from streampoll.config.load import load_workflows
from streampoll.config.settings import PostgresSettings
from streampoll.embedded.endpoints import read_settings
from streampoll.results.migrations import migrate
from streampoll.results.postgres import connected
from streampoll.workflows.plan import Workflow
from streampoll.workflows.reader import read_config, read_configs, read_run, read_runs

EXIT_FAILED = 1


@click.group("workflow")
def command() -> None:
    """Run workflows: work of several steps, whose state is kept step by step.

    \b
    Examples:
      streampoll workflow list
      streampoll workflow run backup-config --device core-1 --wait
      streampoll workflow show 0f3a9c5d1b2e4a60
      streampoll workflow configs core-1 --diff
    """


@command.command("run")
@config_option
@click.argument("name", shell_complete=offer_workflows)
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME",
    shell_complete=offer_devices,
    help="A device it is about; may be repeated.",
)
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; may be repeated.")
@click.option("--wait", is_flag=True, help="Show its progress until it has ended; exit code 1 if it failed.")
@json_option
def run(config: Path, name: str, devices: Sequence[str], inputs: Sequence[str], wait: bool, as_json: bool) -> int:
    """Start a run of workflow NAME and print its id."""
    given = dict(_input(each) for each in inputs)
    return asyncio.run(_run(config, name, devices, given, wait, as_json))


@command.command("list")
@config_option
@since_option("1d")
@click.option("--workflow", default="", shell_complete=offer_workflows, help="Only runs of this one.")
@click.option("--device", default="", shell_complete=offer_devices, help="Only runs that were started for this one.")
@click.option("--state", type=click.Choice(["running", "undoing", "ok", "failed", "cancelled"]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--files", is_flag=True, help="The workflows that there are, instead of their runs.")
@json_option
def list_runs(config: Path, files: bool, as_json: bool, state: str | None, **search: Any) -> int:
    """List runs, the newest first."""
    settings = read_settings(config, os.environ)
    if files:
        _print_files(load_workflows(config, settings), as_json)
        return 0

    async def read() -> list[dict[str, Any]]:
        async with connected(settings.postgres) as connection:
            return await read_runs(connection, state=state or "", **search)

    found = asyncio.run(read())
    if as_json:
        _print_lines(found)
    elif found:
        table_console().print(run_table(found))
    else:
        click.echo("no runs in that time; `streampoll workflow list --files` lists what can be run")
    return 0


@command.command("show")
@config_option
@click.argument("run_id", metavar="RUN")
@click.option("--all", "whole", is_flag=True, help="Every element of fan-outs, not only those that matter.")
@click.option("--watch", is_flag=True, help="Go on until it has ended.")
@json_option
def show(config: Path, run_id: str, whole: bool, watch: bool, as_json: bool) -> int:
    """Show a run: its steps, what each was asked and gave."""
    if watch:
        return asyncio.run(_watch(config, run_id, as_json))
    found = asyncio.run(_read(config, run_id, whole))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        draw_run(table_console(), found)
    return 0


@command.command("cancel")
@config_option
@click.argument("run_id", metavar="RUN")
@json_option
def cancel(config: Path, run_id: str, as_json: bool) -> int:
    """Cancel a run: nothing more of it is begun."""
    from streampoll.app.workflow_control import cancel_run  # here: `--help` need not load the clients

    if asyncio.run(cancel_run(config, run_id, who())):
        answer(as_json, {"run": run_id, "cancelled": True}, f"run {run_id} is cancelled")
        return 0
    click.echo(f"streampoll: run {run_id} has ended, or there is none of that id", err=True)
    return EXIT_FAILED


@command.command("resolve")
@config_option
@click.argument("run_id", metavar="RUN")
@click.argument("step")
@click.option("--element", type=click.IntRange(min=0), help="Which element, of a step done for each of a list.")
@click.option("--done", "done", is_flag=True, help="It is done: the run goes on.")
@click.option("--retry", "retry", is_flag=True, help="It is not: have it done again.")
@json_option
def resolve(config: Path, run_id: str, step: str, element: int | None, done: bool, retry: bool, as_json: bool) -> int:
    """Say what became of a step that runs once and whose process died: nobody else knows."""
    from streampoll.app.workflow_control import resolve_step

    if done == retry:
        raise click.UsageError("say either --done or --retry")
    which = -1 if element is None else element
    if asyncio.run(resolve_step(config, (run_id, step, which), done, who())):
        text = f"step {step} of run {run_id}: {'done' if done else 'is done again'}"
        answer(as_json, {"run": run_id, "step": step, "element": element, "said": "done" if done else "retry"}, text)
        return 0
    click.echo(f"streampoll: step {step} of run {run_id} is not unknown; `streampoll workflow show {run_id}`", err=True)
    return EXIT_FAILED


@command.command("configs")
@config_option
@click.argument("device", default="", shell_complete=offer_devices)
@click.option("--name", default="", help="Only what is kept under this name.")
@click.option("--version", type=click.IntRange(min=1), help="Print this version (with DEVICE and --name).")
@click.option("--latest", is_flag=True, help="Print the newest version (with DEVICE and --name).")
@click.option("--diff", is_flag=True, help="Print what changed with a version, instead of its text.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def configs(
    config: Path, device: str, name: str, version: int | None, latest: bool, diff: bool, limit: int, as_json: bool
) -> int:
    """List what workflows keep of devices, or print a version. Secrets in it are masked."""
    one = version is not None or latest or diff
    if one and not device:
        raise click.UsageError("name a device")
    found = asyncio.run(_kept(config, device, name, version or 0) if one else _versions(config, device, name, limit))
    if not found:
        click.echo("streampoll: nothing of that is kept", err=True)
        return EXIT_FAILED
    if as_json:
        _print_lines(found)
    elif one:
        click.echo(found[0]["diff" if diff else "text"])
    else:
        table_console().print(config_table(found))
    return 0


async def _kept(config: Path, device: str, name: str, version: int) -> list[dict[str, Any]]:
    """Read the one version (0: the newest) that is wanted, if there is it."""
    async with connected(read_settings(config, os.environ).postgres) as connection:
        found = await read_config(connection, device, name or "running-config", version)
    return [found] if found else []


async def _versions(config: Path, device: str, name: str, limit: int) -> list[dict[str, Any]]:
    async with connected(read_settings(config, os.environ).postgres) as connection:
        return await read_configs(connection, device, name, limit)


async def _run(
    config: Path, name: str, devices: Sequence[str], inputs: dict[str, str], wait: bool, as_json: bool
) -> int:
    from streampoll.app.workflows import open_starter  # here: `--help` need not load the clients

    async with open_starter(config) as (starter, _, _):
        run_id = await starter.start(name, devices, inputs, cause="cli")
    if not wait:
        answer(as_json, {"run": run_id}, run_id)
        return 0
    return await _watch(config, run_id, as_json)


async def _watch(config: Path, run_id: str, as_json: bool) -> int:
    """Show a run's progress until it has ended; its exit code."""
    settings, state = read_settings(config, os.environ), ""
    with Progress(Console(highlight=False), run_id, as_json) as progress:
        async with aclosing(_looks(settings.postgres, run_id)) as looks:
            async for found in looks:
                state = found["state"] if found else ""
                if progress.show(found):
                    break
    return 0 if state == "ok" else EXIT_FAILED


async def _looks(settings: PostgresSettings, run_id: str) -> AsyncGenerator[dict[str, Any] | None, None]:
    """Yield where a run is, again and again; None while there is none. What shows it is outside: see `results`."""
    async with connected(settings) as connection:
        await migrate(connection)  # the run may be the first
        while True:
            yield await read_run(connection, run_id)
            await asyncio.sleep(0.25)


async def _read(config: Path, run_id: str, whole: bool) -> dict[str, Any]:
    settings = read_settings(config, os.environ)
    async with connected(settings.postgres) as connection:
        found = await read_run(connection, run_id, whole)
    if found is None:
        raise click.UsageError(f"there is no run {run_id!r}; `streampoll workflow list` names them")
    return found


def _input(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--input {text!r}: write NAME=VALUE")
    return name, value


def _print_files(known: Mapping[str, Workflow], as_json: bool) -> None:
    if as_json:
        _print_lines([_as_json(each) for each in known.values()])
    else:
        table_console().print(workflow_table(known))


def _print_lines(found: Sequence[dict[str, Any]]) -> None:
    """Print an object a line."""
    for each in found:
        click.echo(json.dumps(each))


def _as_json(workflow: Any) -> dict[str, Any]:
    return {
        "name": workflow.name, "description": workflow.description, "steps": list(workflow.steps),
        "inputs": dict(workflow.inputs), "enabled": workflow.enabled,
    }  # fmt: skip
