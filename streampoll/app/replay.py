"""Rules tried on what is stored: the polls of PostgreSQL through the analysis of the workers, and nothing written."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streampoll.analysis.baseline import Baseline
from streampoll.analysis.counters import Counters
from streampoll.analysis.judge import RuleJudge
from streampoll.analysis.port import Sample, TableRates
from streampoll.analysis.rates import rates_of
from streampoll.analysis.rule import RuleSet
from streampoll.config.load import load_inventory, load_jobs, load_profiles
from streampoll.config.settings import Settings
from streampoll.model import Device, Event
from streampoll.results.postgres import Connection, connected
from streampoll.results.reader import StoredPoll, Wanted, results

_MOST_POLLS: Final = 100_000  # of one device: two months of a poll a minute


@dataclass(frozen=True, slots=True)
class Replay:
    """Goes through stored polls."""

    connection: Connection
    rules: RuleSet
    counters: Counters
    inventory: Mapping[str, Device]
    intervals: Mapping[str, int]  # job -> seconds; 0: by cron

    async def devices(self, since: int) -> list[str]:
        """Return the devices of the inventory of which something is stored since."""
        rows = await self.connection.fetch(
            "SELECT DISTINCT d.name FROM devices d JOIN polls p ON p.device = d.id WHERE p.slot >= to_timestamp($1)",
            since,
        )
        return sorted(row["name"] for row in rows if row["name"] in self.inventory)

    async def of(self, name: str, since: int) -> AsyncIterator[Event]:
        """Yield what the rules would have said of one device."""
        facts = self.inventory.get(name) or Device(name, "")
        judge = RuleJudge(self.rules)
        polls = [poll async for poll in results(self.connection, Wanted(name, since=since, limit=_MOST_POLLS))]
        bases: dict[str, Baseline] = {}
        state: dict[str, Any] = {}
        for poll in sorted(polls, key=lambda poll: (poll.slot, poll.job)):
            judgement = judge.judge(self._sample(facts, poll, bases), state)
            state = judgement.state
            for event in judgement.changes:
                yield event

    def _sample(self, facts: Device, poll: StoredPoll, bases: dict[str, Baseline]) -> Sample:
        outcome = poll.outcome
        found = rates_of(poll.slot, outcome, self.counters.of(outcome.profile), bases.get(poll.job, Baseline()))
        bases[poll.job] = found.base
        tables = {name: TableRates(each.rows, each.per_s, each.percent) for name, each in found.tables.items()}
        interval_s = facts.interval_s or self.intervals.get(poll.job, 0)
        return Sample(facts, poll.job, poll.slot, interval_s, outcome, poll.duration_ms, tables, found.scalars)


@asynccontextmanager
async def open_replay(settings: Settings, where: Path, rules: RuleSet) -> AsyncIterator[Replay]:
    """Make what goes through stored polls."""
    inventory = {device.name: device for device in load_inventory(where, settings)}
    intervals = {job.name: job.every_s for job in load_jobs(where)}
    async with connected(settings.postgres) as connection:
        yield Replay(connection, rules, Counters(load_profiles(where, settings)), inventory, intervals)
