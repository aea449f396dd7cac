"""Writes a batch of results and ledger entries: names to ids, days to partitions, rows in bulk.

Rows go in the order of their keys, as the index has them: so concurrent batches take their locks in one order, where
unsorted they deadlock, and neighbours in the index are written together.

One INSERT … SELECT FROM unnest(…) for all rows: as fast as COPY into a staging table and an INSERT from there (the
figures are in benchmarks/store.py), with one round trip, no temporary table, and it works through pgbouncer.

A batch of one kind, as nearly all are, is that statement alone, which PostgreSQL runs in a transaction of its own:
BEGIN and COMMIT would be two more round trips. Results that were there before are looked at for repeats by a second
one. If only the first was committed, the batch is not acknowledged and comes again: then each of its repeats finds a
different outcome stored, and is counted once by its digest.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from streampoll.model import Event, LedgerEntry, RatesRow, Result
from streampoll.results.batch import Record, clamp, digest, reduce_ledger, reduce_rates, reduce_results, signed
from streampoll.results.events import insert_events
from streampoll.results.names import device_names, job_names
from streampoll.results.partitions import LAST_SLOT, day_of, ensure_days
from streampoll.results.postgres import Connection, PartitionMissing, Postgres, RowRefused
from streampoll.results.queries import load_queries

_Row = TypeVar("_Row", Result, RatesRow)

_QUERIES = load_queries("store.sql")


@dataclass(frozen=True, slots=True)
class _Ids:
    """The integers of the names in one batch."""

    devices: dict[str, int]
    jobs: dict[str, int]


class Writer:
    """Turns records into rows. Knows nothing of entries, leases or retries."""

    def __init__(self, postgres: Postgres, now: Callable[[], float]) -> None:
        self._postgres = postgres
        self._now = now  # asked when rows are about to be inserted: a batch may have waited for its connection
        self._devices = device_names()
        self._jobs = job_names()
        self._days: set[int] = set()  # days known to have partitions

    async def write(self, records: Sequence[Record]) -> None:
        """Commit the records; to write them again changes nothing, whatever part of them was committed.

        Raises:
            RowRefused: one of them can't be stored, ever.
            PostgresUnavailable: nothing is known about what was committed.
        """
        try:
            await self._write(records)
        except PartitionMissing:  # dropped by retention since we looked
            self._days.clear()
            await self._write(records)

    def forget(self) -> None:
        """Drop what is remembered about the database: after an outage it may be another one."""
        self._days.clear()
        self._devices.forget()
        self._jobs.forget()

    async def _write(self, records: Sequence[Record]) -> None:
        results = [record for record in records if isinstance(record, Result)]
        ledger = [record for record in records if isinstance(record, LedgerEntry)]
        rates = [record for record in records if isinstance(record, RatesRow)]
        events = [record for record in records if isinstance(record, Event)]
        slots = {row.slot for row in results} | {row.slot for row in rates} | {entry.tick for entry in ledger}
        _check_slots(slots | {event.at for event in events})
        await self._ensure_days({day_of(slot) for slot in slots})
        ids = await self._ids([*results, *ledger, *rates], [*results, *rates])
        lone = not events and bool(results) + bool(ledger) + bool(rates) == 1
        async with self._postgres.statements() if lone else self._postgres.transaction() as connection:
            if results:
                await _insert_results(connection, results, ids, self._now())
            if ledger:
                await _insert_ledger(connection, ledger, ids)
            if rates:
                await _insert_rates(connection, rates, ids)
            if events:  # last, as only one transaction at a time stores any
                await insert_events(connection, events)

    async def _ensure_days(self, days: set[int]) -> None:
        if not days <= self._days:
            async with self._postgres.transaction() as connection:
                await ensure_days(connection, days)
            self._days |= days

    async def _ids(
        self, records: Sequence[Result | LedgerEntry | RatesRow], results: Sequence[Result | RatesRow]
    ) -> _Ids:
        """Return the ids of all names; new ones are committed before they are cached or used."""
        names = {result.device for result in results}, {record.job for record in records}
        known = _Ids(self._devices.known(names[0]), self._jobs.known(names[1]))
        if len(known.devices) == len(names[0]) and len(known.jobs) == len(names[1]):
            return known
        async with self._postgres.transaction() as connection:
            ids = _Ids(await self._devices.ids(connection, names[0]), await self._jobs.ids(connection, names[1]))
        self._devices.remember(ids.devices)
        self._jobs.remember(ids.jobs)
        return ids


def _check_slots(slots: Iterable[int]) -> None:
    """Refuse times that no partition could be made for."""
    for slot in slots:
        if not 0 <= slot <= LAST_SLOT:
            raise RowRefused(f"slot {slot} is not between 1970 and 2999")


def _in_key_order(rows: Iterable[_Row], ids: _Ids) -> list[tuple[int, int, int, _Row]]:
    """Return (slot, device's id, job's id, row): no two of these keys are the same, so that rows are never compared."""
    return sorted((row.slot, ids.devices[row.device], ids.jobs[row.job], row) for row in rows)


async def _insert_results(connection: Connection, results: Sequence[Result], ids: _Ids, now: float) -> None:
    reduced = reduce_results(results)
    slots, devices, jobs, rows = zip(*_in_key_order(reduced.results, ids), strict=True)
    late_ms = {slot: clamp((now - slot) * 1000) for slot in set(slots)}
    tag = await connection.execute(
        _QUERIES["insert_polls"],
        slots,
        devices,
        [clamp(row.duration_ms) for row in rows],
        [late_ms[slot] for slot in slots],
        jobs,
        [int(row.status) for row in rows],
        [row.payload for row in rows],
    )
    if int(tag.rpartition(" ")[2]) < len(rows) or reduced.repeats:  # rare: something was there before
        await _insert_repeats(connection, (*rows, *reduced.repeats), ids)


async def _insert_repeats(connection: Connection, results: Sequence[Result], ids: _Ids) -> None:
    await connection.execute(
        _QUERIES["insert_repeats"],
        [result.slot for result in results],
        [ids.devices[result.device] for result in results],
        [ids.jobs[result.job] for result in results],
        [int(result.status) for result in results],
        [result.payload for result in results],
        [digest(result) for result in results],
    )


async def _insert_ledger(connection: Connection, entries: Sequence[LedgerEntry], ids: _Ids) -> None:
    rows = reduce_ledger(entries)
    await connection.execute(
        _QUERIES["insert_ledger"],
        [row.tick for row in rows],
        [row.tick_to for row in rows],
        [signed(row.plan) for row in rows],
        [signed(row.hash_sum) for row in rows],
        [row.count for row in rows],
        [row.skipped for row in rows],
        [row.part for row in rows],
        [ids.jobs[row.job] for row in rows],
        [row.shard for row in rows],
        [row.cause for row in rows],
    )


async def _insert_rates(connection: Connection, rates: Sequence[RatesRow], ids: _Ids) -> None:
    slots, devices, jobs, rows = zip(*_in_key_order(reduce_rates(rates), ids), strict=True)
    await connection.execute(_QUERIES["insert_rates"], slots, devices, jobs, [row.payload for row in rows])
