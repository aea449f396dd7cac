"""How runs of workflows are shown: tables, one run, progress that goes on."""

import json
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streampoll.observe import words
from streampoll.results.render import clock
from streampoll.workflows.plan import Schedule, Workflow

_STYLES: Final = {
    "ok": "green", "failed": "red", "unknown": "bold red", "running": "cyan", "undoing": "yellow", "queued": "cyan",
    "cancelled": "yellow", "skipped": "dim", "waiting": "dim",
}  # fmt: skip
_STARTED: Final = "waits for a worker that serves the class workflows"


def run_table(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Return runs as a table."""
    table = _grid("run", "workflow", "state", "steps", "started", "took", "cause", "devices", "error")
    for each in runs:
        devices = ", ".join(each["devices"][:3]) + ("…" if len(each["devices"]) > 3 else "")
        state = "unknown" if each["unknown"] else each["state"]
        table.add_row(
            each["id"], each["workflow"], _state(state), f"{each['steps_ended']}/{each['steps']}",
            clock(each["started"]), _took(each), each["cause"], devices, Text(each["error"]),
        )  # fmt: skip
    return table


def workflow_table(workflows: Mapping[str, Workflow]) -> Table:
    """Return the workflows that there are as a table."""
    table = _grid("workflow", "steps", "starts", "inputs", "what it does")
    for name, each in sorted(workflows.items()):
        table.add_row(
            name, str(len(each.steps)), _schedule(each.schedule) if each.enabled else "disabled",
            ", ".join(each.inputs), Text(each.description),
        )  # fmt: skip
    return table


def config_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """Return versions of what is kept as a table."""
    table = _grid("device", "name", "version", "kept", "changed", "characters", "run")
    for each in found:
        lines = each["diff"].splitlines()
        added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
        removed = sum(line.startswith("-") and not line.startswith("---") for line in lines)
        changed = f"+{added} -{removed}" if lines else "first"
        table.add_row(
            Text(each["device"]), each["name"], str(each["version"]), clock(each["at"]), changed,
            str(each["characters"]), each["run"],
        )  # fmt: skip
    return table


def draw_run(console: Console, run: Mapping[str, Any]) -> None:
    """Print a run with its steps and what they gave."""
    console.print(_head(run))
    console.print(_steps(run))
    for step in run["steps"]:
        for each in (step, *step["elements"]):
            if each["output"]:
                console.print(Text(f"{_name(each)} gave {json.dumps(each['output'], ensure_ascii=False)[:2_000]}"),
                              soft_wrap=True)  # fmt: skip
        if step["state"] == "unknown":
            console.print(Text(f"say what became of it: streampoll workflow resolve {run['id']} {step['step']} --done"))


class Progress:
    """Shows a run as it goes on: redrawn on a terminal, else a line for each change; as JSON only its end."""

    def __init__(self, console: Console, run_id: str, as_json: bool) -> None:
        self._console = console
        self._run_id = run_id
        self._json = as_json
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal and not as_json else None
        self._said: dict[tuple[str, int], str] = {}
        self._waits = False

    def __enter__(self) -> "Progress":
        """Begin."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what was shown last."""
        if self._live:
            self._live.stop()

    def show(self, run: Mapping[str, Any] | None) -> bool:
        """Show where a run is; True once nothing more becomes of it by itself."""
        if run is None:
            if not self._waits and not self._json:
                self._console.print(Text(f"run {self._run_id} {_STARTED}"))
            self._waits = True
            return False
        stuck = _stuck(run)
        over = run["ended"] is not None or stuck
        if self._json:
            if over:
                click.echo(json.dumps(run))
        elif self._live:
            self._live.update(_steps(run), refresh=True)
        else:
            self._lines(run)
        if over and not self._json:
            self._console.print(_head(run))
            if stuck:
                self._console.print(Text("a step is unknown: `streampoll workflow resolve` tells what became of it"))
        return over

    def _lines(self, run: Mapping[str, Any]) -> None:
        for step in run["steps"]:
            said = f"{step['step']}: {step['state']}{_counted(step)}" + (f" ({step['error']})" if step["error"] else "")
            if step["state"] != "waiting" and self._said.get((step["step"], -1)) != said:
                self._said[step["step"], -1] = said
                click.echo(said)


def _stuck(run: Mapping[str, Any]) -> bool:
    """Return whether a run waits for a person and for nothing else."""
    states = [each["state"] for step in run["steps"] for each in (step, *step["elements"]) if not each["total"]]
    return "unknown" in states and not {"running", "queued"} & set(states)


def _head(run: Mapping[str, Any]) -> Text:
    text = Text(f"run {run['id']} of {run['workflow']}: ").append_text(_state(run["state"]))
    text.append(f" after {_took(run)}, started by {run['cause']} at {clock(run['started'])}")
    if run["devices"]:
        text.append(f", for {', '.join(run['devices'][:5])}{'…' if len(run['devices']) > 5 else ''}")
    return text.append(f"; {run['error']}") if run["error"] else text


def _steps(run: Mapping[str, Any]) -> Table:
    table = _grid("step", "state", "attempt", "took", "error")
    for step in run["steps"]:
        state = _state(step["state"]).append(_counted(step))
        table.add_row(step["step"], state, str(step["attempt"]), _took(step), Text(step["error"]))
        for each in step["elements"][:20]:
            table.add_row(
                f"  {_name(each)}", _state(each["state"]), str(each["attempt"]), _took(each), Text(each["error"])
            )
    return table


def _name(step: Mapping[str, Any]) -> str:
    if step["element"] < 0:
        return str(step["step"])
    item = step["item"] if isinstance(step["item"], str) else json.dumps(step["item"], ensure_ascii=False)
    return f"{step['step']}[{step['element']}] {item[:60]}"


def _counted(step: Mapping[str, Any]) -> str:
    return f" {step['done']}/{step['total']}" if step["total"] else ""


def _took(each: Mapping[str, Any]) -> str:
    return words.span((each["ended"] or time.time()) - each["started"]) if each["started"] else ""


def _state(state: str) -> Text:
    return Text(state, _STYLES.get(state, ""))


def _schedule(schedule: Schedule | None) -> str:
    if schedule is None:
        return ""
    return schedule.cron or f"every {words.span(schedule.every_s)}"


def _grid(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title in ("run", "step"))
    return table
