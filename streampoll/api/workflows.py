"""Workflows: what can be run; runs listed, shown, started, cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from msgspec import Meta

from streampoll.api.devices import Name, Word
from streampoll.api.letters import Note
from streampoll.api.problem import ProblemError
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.errors import ConfigError
from streampoll.results.control import Role
from streampoll.workflows.plan import Workflow

RunId = Annotated[str, Meta(pattern="^[0-9a-f]{1,32}$")]
WorkflowName = Annotated[str, Meta(min_length=1, max_length=100)]


class RunsKept(Protocol):
    """Reads and ends runs."""

    async def runs(self, since: float, workflow: str, state: str, device: str, limit: int) -> list[dict[str, Any]]:
        """Return runs, the newest first."""

    async def run(self, run: str) -> dict[str, Any] | None:
        """Return a run with its steps."""

    async def cancel(self, run: str, by: str) -> bool:
        """Cancel a run; False if it had ended, or there is none."""


class Starting(Protocol):
    """Starts runs."""

    async def start(
        self, name: str, devices: Sequence[str] = (), inputs: Mapping[str, Any] | None = None, cause: str = "api",
        key: str = "",
    ) -> str:  # fmt: skip
        """Start a workflow and return the run's id; of starts with one `key` there is one run."""


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow that can be run."""

    name: str
    description: str
    steps: Sequence[str]
    inputs: Mapping[str, Any]  # with their defaults
    enabled: bool  # false: neither its schedule nor events start it


@dataclass(frozen=True, slots=True)
class WhichRuns:
    """Which runs."""

    since: Moment = "1d"
    workflow: Word = ""
    state: Annotated[str, Meta(pattern="^(running|undoing|ok|failed|cancelled)?$")] = ""
    device: Word = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


@dataclass(frozen=True, slots=True)
class OneRun:
    """Which run."""

    run: RunId


@dataclass(frozen=True, slots=True)
class OneWorkflow:
    """Which workflow."""

    workflow: WorkflowName


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What a run is about."""

    devices: Annotated[tuple[Name, ...], Meta(max_length=1000)] = ()
    inputs: dict[str, Any] = field(default_factory=dict)
    key: Annotated[str, Meta(max_length=200, description="of requests with one key, one run is started")] = ""


@dataclass(frozen=True, slots=True)
class StartedRun:
    """What was started."""

    run: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A run of which nothing more is begun."""

    run: str
    state: str


@dataclass(frozen=True, slots=True)
class NoWords:
    """A body that says nothing."""


class WorkflowRoutes:
    """Serves workflows and their runs."""

    def __init__(self, workflows: Mapping[str, Workflow], kept: RunsKept, starter: Starting, note: Note) -> None:
        self._workflows = workflows
        self._kept = kept
        self._starter = starter
        self._note = note

    def routes(self) -> list[Route]:
        """Return the routes."""
        base, act = "/api/v1/workflows", Role.OPERATOR
        return [
            Route("GET", base, self._list, list[WorkflowRow], "Workflows that can be run", "workflows"),
            Route("POST", f"{base}/{{workflow}}/run", self._start, StartedRun, "Start a run", "workflows", OneWorkflow,
                  RunOrder, act, 202),
            Route("GET", "/api/v1/runs", self._runs, list[dict[str, Any]], "Runs, newest first", "workflows",
                  parameters=WhichRuns),
            Route("GET", "/api/v1/runs/{run}", self._run, dict[str, Any], "A run with its steps", "workflows",
                  parameters=OneRun),
            Route("POST", "/api/v1/runs/{run}/cancel", self._cancel, Cancelled, "Begin nothing more of a run",
                  "workflows", OneRun, NoWords, act),
        ]  # fmt: skip

    async def _list(self, _: Asked) -> list[WorkflowRow]:
        return [
            WorkflowRow(each.name, each.description, list(each.steps), dict(each.inputs), each.enabled)
            for each in self._workflows.values()
        ]

    async def _runs(self, asked: Asked) -> list[dict[str, Any]]:
        wanted: WhichRuns = asked.parameters
        since = float(seconds(wanted.since))
        return await self._kept.runs(since, wanted.workflow, wanted.state, wanted.device, wanted.limit)

    async def _run(self, asked: Asked) -> dict[str, Any]:
        found = await self._kept.run(asked.parameters.run)
        if found is None:
            raise ProblemError(404, f"there is no run {asked.parameters.run}")
        return found

    async def _start(self, asked: Asked) -> StartedRun:
        name, order = asked.parameters.workflow, asked.body
        try:
            run = await self._starter.start(name, order.devices, order.inputs, "api", order.key)
        except ConfigError as error:
            raise ProblemError(404 if name not in self._workflows else 400, str(error.faults[0])) from None
        await self._note(asked.by, "start", f"workflow {name}, run {run}")
        return StartedRun(run)

    async def _cancel(self, asked: Asked) -> Cancelled:
        run = asked.parameters.run
        if not await self._kept.cancel(run, asked.by):
            raise ProblemError(409, f"run {run} has ended, or there is none of this id")
        await self._note(asked.by, "cancel", f"run {run}")
        return Cancelled(run, "cancelled")
