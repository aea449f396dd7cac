"""Workflows: a TOML file each, in a directory as profiles are. The name is the file's; docs/workflows.md has all words.

extends = "backup-config"                 # takes over its inputs and steps; what is named again here replaces it
select = { groups = ["core"] }            # the devices of a run that names none

[schedule]
cron = "0 3 * * *"

[steps.look]
poll = "interfaces"
for_each = "devices"
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.jobs import check_schedule, read_zone
from streampoll.config.report import Report, nearest, shorten
from streampoll.config.selector import Selector, read_selector
from streampoll.config.source import Source, nowhere, read_toml
from streampoll.config.workflow_steps import check_steps, read_step
from streampoll.workflows.plan import LONGEST_RUN_S, MOST_STEPS, Does, Schedule, Step, Workflow

SHIPPED: Final = Path(__file__).parent.parent / "workflows" / "shipped"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_INPUT: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MERGED: Final = ("inputs", "steps")  # tables of which `extends` takes over what is not named again
_MOST_INPUTS: Final = 50


@dataclass(frozen=True, slots=True)
class _ScheduleTable:
    every: Annotated[int, Meta(ge=1, le=31 * 86_400, extra={"unit": "s"})] = 0
    cron: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class _WorkflowTable:
    description: str = ""
    timeout: Annotated[float, Meta(gt=0, le=LONGEST_RUN_S, extra={"unit": "s"})] = 3600.0
    enabled: bool = True
    extends: str = ""
    select: Any = None
    schedule: Any = None
    inputs: Any = None
    steps: Any = None


def read_workflows(directory: Path, shown: str, report: Report) -> dict[str, Workflow]:
    """Return every workflow by name: those that are shipped, and those of `directory` (called `shown`) over them."""
    sources: dict[str, Source] = {}
    for folder, name in ((SHIPPED, "shipped"), (directory, shown)):
        for path in sorted(folder.glob("*.toml")):
            place_name = f"{name}/{path.name}"
            if path.stem in sources:
                report.notice(place_name, f"replaces the shipped workflow '{path.stem}'")
            if not _NAME.fullmatch(path.stem):
                report.fault(
                    place_name,
                    f"{shorten(path.stem)} is not a workflow's name",
                    "letters, digits, _ . - only, at most 63",
                )
            elif (source := read_toml(path, place_name, report)) is not None:
                sources[path.stem] = source
    read = {name: _read(name, sources, report) for name in sources}
    return {name: workflow for name, workflow in read.items() if workflow is not None}


def check_workflows(
    workflows: Mapping[str, Workflow], profiles: Mapping[str, object], shown: str, report: Report
) -> None:
    """Refuse steps that poll by a profile that is not there."""
    for name, workflow in workflows.items():
        for step in workflow.steps.values():
            if step.does is Does.POLL and "{{" not in step.spec and step.spec not in profiles:
                where = f"{shown}/{name}.toml: steps.{step.name}.poll"
                report.fault(where, f"no profile {shorten(step.spec)}", nearest(step.spec, profiles))


def read_definition(name: str, definition: Mapping[str, Any]) -> Workflow:
    """Return a workflow from what a run has kept of its file.

    Raises:
        ConfigError: this release reads it differently.
    """
    report = Report()
    workflow = compile_workflow(name, definition, Place(nowhere(f"workflow {name}"), report))
    report.refuse()
    assert workflow is not None
    return workflow


def compile_workflow(name: str, data: Mapping[str, Any], place: Place) -> Workflow | None:
    """Return one workflow, or None with faults."""
    before = len(place.report.faults)
    table = read_table(_WorkflowTable, data, place)
    if table is None:
        return None
    schedule = None if table.schedule is None else _schedule(table.schedule, place.at("schedule"))
    select = _select(table.select, place.at("select"))
    inputs = _inputs(table.inputs, place.at("inputs"))
    steps = _steps(table.steps, inputs, place.at("steps"))
    if len(place.report.faults) > before:
        return None
    check_steps(steps, inputs, place.at("steps"))
    if len(place.report.faults) > before:
        return None
    return Workflow(
        name, table.description, steps, inputs, schedule, select, table.timeout, table.enabled, dict(data)
    )  # fmt: skip


def _read(name: str, sources: Mapping[str, Source], report: Report) -> Workflow | None:
    """Follow `extends`, at most one step, and compile what comes together."""
    source = sources[name]
    place, data = Place(source, report), dict(source.data)
    parent = data.pop("extends", "")
    if parent:
        others = sources.keys() - {name}
        if not isinstance(parent, str) or parent not in others:
            place.at("extends").fault(f"no workflow {shorten(parent)}", nearest(str(parent), others))
            return None
        if "extends" in sources[parent].data:
            place.at("extends").fault(f"'{parent}' extends another itself", "extend one that does not")
            return None
        data = _over(sources[parent].data, data)
    return compile_workflow(name, data, place)


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's tables over those of the one it extends."""
    merged = {**base, **own}
    for key in _MERGED:
        if isinstance(base.get(key), Mapping) and isinstance(own.get(key), Mapping):
            merged[key] = {**base[key], **own[key]}
    return merged


def _schedule(data: Any, place: Place) -> Schedule | None:
    table = read_table(_ScheduleTable, data, place)
    if table is None:
        return None
    check_schedule(table.every, table.cron, place)
    read_zone(table.timezone, place)
    return Schedule(table.every, table.cron, table.timezone)


def _select(data: Any, place: Place) -> Selector | None:
    return None if data is None else read_selector(data, place)


def _inputs(data: Any, place: Place) -> dict[str, Any]:
    """Return the inputs with their defaults: texts, numbers, true or false, or lists of these."""
    table = place.table(data or {})
    if len(table) > _MOST_INPUTS:
        place.fault(f"{len(table)} inputs", f"declare at most {_MOST_INPUTS}")
    for name, value in table.items():
        if not _INPUT.fullmatch(name):
            place.at(name).fault(
                f"{shorten(name)} is not an input's name", "small letters, digits and _, a letter first"
            )
        if not all(
            isinstance(each, str | int | float | bool) for each in (value if isinstance(value, list) else [value])
        ):
            place.at(name).fault(
                f"{shorten(value)} can't be a default", "write a text, a number, true, false or a list"
            )
    return dict(table)


def _steps(data: Any, inputs: Mapping[str, Any], place: Place) -> dict[str, Step]:
    tables = place.table({} if data is None else data)
    if (not tables and data is not None) or data is None:
        place.fault("a workflow without a step does nothing", "write [steps.NAME] with poll, ssh, http, wait …")
    if len(tables) > MOST_STEPS:
        place.fault(f"{len(tables)} steps", f"write at most {MOST_STEPS}")
        return {}
    read: Iterable[tuple[str, Step | None]] = (
        (name, read_step(name, each, inputs, place.at(name))) for name, each in tables.items()
    )
    return {name: step for name, step in read if step is not None}
