"""One recording served and polled with every profile that is for it."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from streampoll.config.settings import SnmpSettings
from streampoll.model import Outcome, Status
from streampoll.snmp.client import WireEngine
from streampoll.snmp.collect import Collector
from streampoll.snmp.engine import Agent
from streampoll.snmp.memory import Memory
from streampoll.snmp.plan import CollectPlan
from tests.recordings.agents import Served
from tests.recordings.catalogue import Recording
from tests.recordings.choice import asked_for
from tests.recordings.compare import differences, plain
from tests.recordings.reference import Reference
from tests.recordings.trim import write

POLL_S = 600.0  # of one poll at most; snmpsim needs minutes for a long table
_NOTHING_HERE = "exists on this device"

Server = Callable[[Path], AbstractContextManager[Served]]


@dataclass(frozen=True, slots=True)
class PollReport:
    """What became of one profile on one device."""

    profile: str
    status: str
    rows: int
    values: int  # scalars and cells that have a value
    requests: int
    missing: tuple[str, ...]  # "metric: reason", what the device does not have
    wrong: tuple[str, ...]  # what should not be


@dataclass(slots=True)
class Report:
    """What became of one recording."""

    recording: str
    served_by: str
    lines: int = 0
    spoilt: int = 0  # lines that can't be served
    load_s: float = 0.0
    took_s: float = 0.0
    peak_mb: int = 0  # of the agent
    polls: list[PollReport] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Everything that is wrong, with where."""
        return [
            f"{self.recording} ({self.served_by}) {poll.profile}: {each}" for poll in self.polls for each in poll.wrong
        ]


def examine(
    recording: Recording, plans: Sequence[CollectPlan], server: Server, *, whole: bool, compare: bool
) -> Report:
    """Serve a recording (whole, or what the plans ask for) and poll it with each plan."""
    report = Report(recording.name, server.__name__)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        served = write(recording, None if whole else asked_for(plans), Path(directory))
        report.lines, report.spoilt = served.lines, served.spoilt
        if not served.lines:
            return report
        with server(served.path) as at:
            report.load_s = time.monotonic() - began
            reference = Reference(at.tools) if compare else None
            report.polls = asyncio.run(_poll_all(plans, at.agent, reference, served.moving))
            report.peak_mb = at.peak_mb()
    report.took_s = time.monotonic() - began
    return report


async def _poll_all(
    plans: Sequence[CollectPlan], agent: Agent, reference: Reference | None, moving: frozenset[str]
) -> list[PollReport]:
    engine = WireEngine(SnmpSettings())
    try:
        collector = Collector(engine, Memory())
        return [await _poll(collector, agent, plan, reference, moving) for plan in plans]
    finally:
        await engine.close()


async def _poll(
    collector: Collector, agent: Agent, plan: CollectPlan, reference: Reference | None, moving: frozenset[str]
) -> PollReport:
    """Poll with a profile as it is, and compare what it is made from."""
    outcome = await _collect(collector, agent, plan)
    wrong = _wrong(outcome)
    if reference is not None:
        raw = plain(plan)
        made = await _collect(collector, agent, raw)
        wrong += differences(raw, made, reference, moving)
    rows = [row for table in outcome.tables.values() for row in table.rows]
    return PollReport(
        plan.profile,
        outcome.status.word,
        len(rows),
        sum(value is not None for value in (*outcome.values.values(), *(cell for row in rows for cell in row[1:]))),
        outcome.requests,
        tuple(f"{name}: {reason}" for name, reason in outcome.missing.items()),
        tuple(wrong),
    )


async def _collect(collector: Collector, agent: Agent, plan: CollectPlan) -> Outcome:
    return await collector.collect(agent, plan, asyncio.get_running_loop().time() + POLL_S)


def _wrong(outcome: Outcome) -> list[str]:
    """Return what is wrong with a poll that should end well, or say that the device has nothing of the profile."""
    if outcome.status is Status.OK or (outcome.status is Status.CONFIG and outcome.error.endswith(_NOTHING_HERE)):
        return []
    return [f"{outcome.status.word}: {outcome.error}"]
