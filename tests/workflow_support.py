"""What the tests of workflows share: runs on a real PostgreSQL, entries carried by hand, devices that are made up."""

import asyncio
import json
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from streampoll.config.convert import Place
from streampoll.config.lines import toml_line
from streampoll.config.profile_port import PollPlan
from streampoll.config.report import Report
from streampoll.config.selector import Selector
from streampoll.config.source import Source
from streampoll.config.workflows import compile_workflow
from streampoll.model import Device, Outcome, QueueClass, Status
from streampoll.results.codec import encode_payload
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres
from streampoll.shards.entries import Delivered, Entry
from streampoll.shards.orders import Look, Order, Start, decode_order, encode_order, run_id
from streampoll.snmp.plan import CollectPlan
from streampoll.worker.port import Bury, Disposition, Finish, Release, Retry
from streampoll.workflows.actions import ActionPorts, Actions
from streampoll.workflows.handler import RunHandler, RunPorts
from streampoll.workflows.journal import Journal
from streampoll.workflows.plan import Workflow
from streampoll.workflows.reader import read_run
from tests.results_support import settings_of

PROFILES: Mapping[str, PollPlan] = {"system": CollectPlan("system", ()), "ping": CollectPlan("ping", ())}


def workflow(text: str, name: str = "w") -> Workflow:
    """Return the workflow that a text says."""
    report = Report()
    place = Place(Source(f"{name}.toml", text, tomllib.loads(text), toml_line), report)
    made = compile_workflow(name, place.source.data, place)
    assert made is not None, report.faults
    return made


def faults(text: str) -> list[str]:
    """Return what is wrong with a workflow's text, a line each."""
    report = Report()
    place = Place(Source("w.toml", text, tomllib.loads(text), toml_line), report)
    compile_workflow("w", place.source.data, place)
    return [str(fault) for fault in report.faults]


class Devices:
    """An inventory, and what its devices answer."""

    def __init__(self, count: int = 3) -> None:
        self.known = {f"d{n}": Device(f"d{n}", f"10.0.{n // 250}.{n % 250 + 1}", site="s") for n in range(count)}
        self.polls: list[str] = []
        self.answer: Callable[[str], Outcome] = lambda name: Outcome(Status.OK, values={"name": name})
        self.gate: asyncio.Event | None = None  # polls wait for it
        self.busy = 0
        self.most = 0

    async def find(self, name: str) -> Device | None:
        return self.known.get(name)

    async def select(self, selector: Selector) -> Sequence[str]:
        return [device.name for device in self.known.values() if selector.matches(device)]

    async def collect(self, target: Any, plan: Any, deadline: float, anonymous: bool = False) -> Outcome:
        self.polls.append(target.device)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
            return self.answer(target.device)
        finally:
            self.busy -= 1


class Tasks:
    """Users' tasks: each ends when the test says so."""

    def __init__(self) -> None:
        self.sent: dict[str, tuple[str, list[Any], dict[str, Any]]] = {}
        self.ended: dict[str, tuple[Any, str]] = {}

    async def send(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], key: str) -> str:
        self.sent[key] = (name, list(args), dict(kwargs))
        return key

    async def result(self, task: str) -> tuple[Any, str] | None:
        return self.ended.get(task)


class Floor:
    """Carries a run's entries to a handler as the streams would; time passes as fast as it can."""

    def __init__(self, dsn: str, connection: asyncpg.Connection, workflows: Mapping[str, Workflow]) -> None:
        self.devices, self.tasks = Devices(), Tasks()
        self.connection = connection
        self.postgres = Postgres(settings_of(dsn), 4)
        self.clock = [1_767_960_000.0]
        self.waiting: list[tuple[Order, float]] = []  # orders put off, and by how much
        self.emitted: dict[QueueClass, list[Entry]] = {queue: [] for queue in QueueClass}
        self.buried: list[str] = []
        self.served: Counter[str] = Counter()
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()
        ports = ActionPorts(self.devices.collect, PROFILES, self.devices, self.tasks, lambda: self.clock[0])
        self.actions = Actions(ports)
        self.journal = Journal(self.postgres, lambda: 0.0)
        self.handler = RunHandler(
            RunPorts(
                self.journal,
                workflows,
                lambda turn: self.actions.do(turn),
                encode_payload,
                lambda: self.clock[0],
                "host:1:1",
                self.postgres.close,
            )
        )

    async def start(self, name: str = "w", *devices: str, cause: str = "cli", key: str = "k", **inputs: Any) -> str:
        """Start a run and carry what follows until nothing moves."""
        run = run_id(name, key)
        await self.carry(encode_order(Start(run, name, cause, devices, inputs), 1))
        return run

    async def carry(self, *entries: Entry) -> None:
        """Serve entries and all that follows from them."""
        for entry in entries:
            self.add(entry)
        while self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    def add(self, entry: Entry, serial: int = 0, delivery: int = 1) -> "asyncio.Task[None]":
        """Serve an entry; with the serial number of one before, that one is delivered again."""
        if not serial:
            self._serial += 1
            serial = self._serial
        delivered = Delivered(QueueClass.WORKFLOWS, 0, b"1767960000000-%d" % serial, entry, delivery, 0.0)
        task = asyncio.create_task(self._serve(delivered))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    @property
    def serial(self) -> int:
        """The number of the last entry."""
        return self._serial

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()

    async def _serve(self, delivered: Delivered) -> None:
        (said,) = await self.handler.handle([delivered])
        self.take(said)

    def take(self, said: Disposition) -> None:
        """Do what a handler has said."""
        match said:
            case Finish(emits=emits):
                for emit in emits:
                    if emit.queue is QueueClass.WORKFLOWS and getattr(emit, "delay_s", 0.0):
                        self.waiting.append((decode_order(emit.entry), emit.delay_s))
                    elif emit.queue is QueueClass.WORKFLOWS:
                        if not isinstance(decode_order(emit.entry), Look):
                            self.add(emit.entry)
                    else:
                        self.emitted[emit.queue].append(emit.entry)
            case Retry(entry, delay_s):
                self.waiting.append((decode_order(entry), delay_s))
            case Bury(cause):
                self.buried.append(cause)
            case Release():
                self.buried.append("released")

    async def wait(self) -> float:
        """Let the time of all that was put off come; return the longest it was put off for."""
        waiting, self.waiting = self.waiting, []
        await self.connection.execute("UPDATE workflow_steps SET due = now() WHERE state = 'queued'")
        self.clock[0] += max((delay_s for _, delay_s in waiting), default=0.0)
        await self.carry(*(encode_order(order, 1) for order, _ in waiting if not isinstance(order, Look)))
        return max((delay_s for order, delay_s in waiting if not isinstance(order, Look)), default=0.0)

    async def run(self, run: str) -> dict[str, Any]:
        """Return a run as `workflow show --json` would."""
        found = await read_run(self.connection, run, whole=True)
        assert found is not None
        return found

    async def states(self, run: str) -> dict[str, str]:
        """Return where the run and its steps are."""
        found = await self.run(run)
        return {"run": found["state"], **{step["step"]: step["state"] for step in found["steps"]}}

    async def output(self, run: str, step: str) -> Any:
        """Return what a step gave."""
        return json.loads(
            await self.connection.fetchval(
                "SELECT output FROM workflow_steps WHERE run = $1 AND step = $2 AND element = -1", run, step
            )
        )

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.handler.close()


@asynccontextmanager
async def floor(dsn: str, *texts: str) -> AsyncIterator[Floor]:
    """Make a floor for workflows w, w1, w2 …"""
    connection = await asyncpg.connect(dsn)
    await migrate(connection)
    made = [workflow(text, f"w{number or ''}") for number, text in enumerate(texts)]
    bench = Floor(dsn, connection, {each.name: each for each in made})
    try:
        yield bench
    finally:
        await bench.close()
        await connection.close()
