"""The tables as far as the protocol sees them: commits are whole, but whether one happened may stay unknown.

Rows, ledger and plans follow the rules of the statements in streampoll/results/sql/; audit is the product's own
equation over them.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from streampoll.coordinator.losses import Loss
from streampoll.coordinator.planning import Place, PlanRow
from streampoll.errors import PostgresUnavailable
from streampoll.model import LedgerEntry, Result, Status
from streampoll.results.batch import Record, merge_ledger, reduce_results, stands_in
from streampoll.results.equation import Booked, Entry, Line, SkippedRange, Stored, Tally, book, judge, undispatched
from streampoll.results.promise import NOTHING, Promise, Sum, promised
from streampoll.shards.ring import device_hash
from tests.simulation.nemesis import Nemesis


class Tables:
    """PostgreSQL."""

    def __init__(self) -> None:
        self.away = False
        self.unknown_commits = 0  # so many commits have no answer
        self.rows: dict[tuple[str, str, int], Result] = {}
        self.repeats: set[tuple[str, str, int, bytes]] = set()
        self.ledger: dict[tuple[str, int, int, int, int, int], LedgerEntry] = {}
        self.plans: dict[Place, list[tuple[int, PlanRow]]] = defaultdict(list)  # (valid from, plan), in order
        self.losses: set[tuple[int, int, int]] = set()  # shard, first tick, last tick
        self.final: dict[int, int] = {}  # shard -> tick

    async def commit(self, nemesis: Nemesis, what: str, change: Any) -> None:
        """Apply a change as one transaction.

        Raises:
            PostgresUnavailable: away, or nobody knows whether it was applied.
        """
        await asyncio.sleep(0.002)
        if await nemesis.before(what) or self.away:
            raise PostgresUnavailable("away")
        change()
        lost = await nemesis.after(what)
        if self.unknown_commits:
            self.unknown_commits -= 1
            lost = True
        await asyncio.sleep(0.002)
        if lost or self.away:
            raise PostgresUnavailable("COMMIT had no answer")

    # -- what statements do

    def insert(self, records: Sequence[Record]) -> list[Result]:
        """insert_polls, insert_ledger; return the attempts whose outcome lost against a different one."""
        reduced = reduce_results(record for record in records if isinstance(record, Result))
        lost = []
        for result in (*reduced.results, *reduced.repeats):
            key = result.job, result.device, result.slot
            stored = self.rows.setdefault(key, result)
            if stands_in(stored) and not stands_in(result):
                self.rows[key] = result
            elif stored != result and not stands_in(result):
                lost.append(result)
        for entry in records:
            if isinstance(entry, LedgerEntry):
                place = entry.job, entry.shard, entry.tick, entry.part, entry.plan, entry.tick_to
                self.ledger[place] = merge_ledger(self.ledger[place], entry) if place in self.ledger else entry
        return lost

    def count(self, lost: Sequence[Result]) -> None:
        """insert_repeats."""
        self.repeats |= {(result.job, result.device, result.slot, result.payload) for result in lost}

    def put_in_force(self, rows: Sequence[PlanRow]) -> None:
        """commit_plans: refuse what does not replace what it read; withdraw_same, withdraw_later, insert_plans."""
        for row in rows:
            plans = self.plans[row.job, row.shard]
            if row.replaces not in (None, (plans[-1][1].plan_id, plans[-1][0]) if plans else (0, 0)):
                raise PostgresUnavailable("another leader has committed a plan")
        for row in rows:
            plans = self.plans[row.job, row.shard]
            if plans and plans[-1][1].plan_id == row.plan_id:
                plans.pop()
            while plans and plans[-1][0] >= row.valid_from:
                plans.pop()
            plans.append((row.valid_from, row))

    # -- audit

    def audit(self, until: int) -> Tally:
        """Return the tally of all jobs, everything being final."""
        total = Tally()
        for job in sorted({job for job, _ in self.plans}):
            lines = [self._line(place, until) for place in sorted(self.plans) if place[0] == job]
            total.add(judge(job, lines, self._stored(job), ()))
            for line in lines:
                if found := undispatched(line, until + 1_000_000):
                    total.missing += found[1]
        return total

    def _line(self, place: Place, until: int) -> Line:
        _, shard = place
        entries = [entry for entry in self.ledger.values() if (entry.job, entry.shard) == place]
        starts = [valid_from for valid_from, _ in self.plans[place]]
        promises = [
            Promise.read(valid_from, valid_to, json.loads(json.dumps(row.body)))
            for (valid_from, row), valid_to in zip(self.plans[place], [*starts[1:], None], strict=True)
        ]
        due = promised(promises, 0, until)
        ranges = [SkippedRange(entry.tick, entry.tick_to, entry.skipped) for entry in entries if _is_range(entry)]
        losses = [(first, last) for of, first, last in self.losses if of == shard]
        horizon = max((entry.tick_to for entry in entries), default=None)
        return Line(shard, due, _booked(entries, due), ranges, horizon, losses)

    def _stored(self, job: str) -> dict[int, Stored]:
        slots: dict[int, list[Result]] = defaultdict(list)
        for (of, _, slot), result in self.rows.items():
            if of == job:
                slots[slot].append(result)
        return {
            slot: Stored(
                Sum(len(rows), sum(device_hash(row.device) for row in rows) % 2**64),
                Counter(row.status for row in rows),
            )
            for slot, rows in slots.items()
        }  # fmt: skip

    def crashed(self) -> Mapping[tuple[str, str, int], str]:
        """Return the polls whose row says that they killed their process."""
        return {key: row.payload.decode() for key, row in self.rows.items() if row.status is Status.CRASHED}


def _is_range(entry: LedgerEntry) -> bool:
    return entry.tick_to != entry.tick


def _booked(entries: Iterable[LedgerEntry], due: Mapping[int, Sum]) -> dict[int, Booked]:
    """The query `booked`."""
    said: dict[int, dict[int, Entry]] = defaultdict(dict)
    for entry in entries:
        if not _is_range(entry):
            former = said[entry.tick].get(entry.plan, Entry(entry.plan, NOTHING))
            said[entry.tick][entry.plan] = Entry(
                entry.plan,
                former.polls + Sum(entry.count, entry.hash_sum),
                former.skipped + entry.skipped,
                former.forgotten or bool(entry.count and entry.cause),
            )
    return {tick: book(list(by_plan.values()), due.get(tick, NOTHING)) for tick, by_plan in said.items()}


class SimPlans:
    """The coordinator's `PlanStore` and `LossStore`."""

    def __init__(self, tables: Tables, nemesis: Nemesis) -> None:
        self._tables = tables
        self._nemesis = nemesis

    async def current(self) -> Mapping[Place, tuple[int, int]]:
        await self._look()
        return {place: (plans[-1][1].plan_id, plans[-1][0]) for place, plans in self._tables.plans.items() if plans}

    async def began(self, places: Sequence[Place]) -> Mapping[Place, int]:
        await self._look()
        return {place: self._tables.plans[place][0][0] for place in places if self._tables.plans.get(place)}

    async def commit(self, rows: Sequence[PlanRow]) -> None:
        said = "commit plans: " + ", ".join(f"{row.job}/{row.shard} from {row.valid_from}" for row in rows)
        await self._tables.commit(self._nemesis, said, lambda: self._tables.put_in_force(rows))

    # -- losses

    async def final(self) -> Mapping[int, int]:
        await self._look()
        return dict(self._tables.final)

    async def note_final(self, ticks: Mapping[int, int]) -> None:
        await self._tables.commit(self._nemesis, f"note as final {ticks}", lambda: self._tables.final.update(ticks))

    async def dispatched(self, places: Sequence[Place]) -> Mapping[Place, int]:
        await self._look()
        last: dict[Place, int] = {}
        for job, shard, tick, *_ in self._tables.ledger:
            if (job, shard) in places:
                last[job, shard] = max(last.get((job, shard), 0), tick)
        return last

    async def record(self, losses: Sequence[Loss]) -> None:
        ticks = {(loss.shard, loss.first, loss.last) for loss in losses}
        await self._tables.commit(self._nemesis, f"record losses {ticks}", lambda: self._tables.losses.update(ticks))

    async def _look(self) -> None:
        if self._tables.away:
            raise PostgresUnavailable("away")
        await asyncio.sleep(0.002)


class SimWriter:
    """The store's writer."""

    def __init__(self, tables: Tables, nemesis: Nemesis) -> None:
        self._tables = tables
        self._nemesis = nemesis

    async def write(self, records: Sequence[Record]) -> None:
        lost: list[Result] = []
        said = f"commit {len(records)} records"
        await self._tables.commit(self._nemesis, said, lambda: lost.extend(self._tables.insert(records)))
        if lost:
            said = f"commit {len(lost)} repeats"
            await self._tables.commit(self._nemesis, said, lambda: self._tables.count(lost))

    def forget(self) -> None:
        """It remembers nothing."""


class SimPostgres:
    """The store's connection, for its probe."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @asynccontextmanager
    async def transaction(self) -> Any:
        await asyncio.sleep(0.002)
        if self._tables.away:
            raise PostgresUnavailable("away")
        yield self

    async def execute(self, *_: Any) -> None:
        """Anything."""

    async def close(self) -> None:
        """Nothing is open."""
