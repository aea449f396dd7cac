"""The handler of class results: entries become rows, and are acknowledged only once those are committed.

    read -> write -> (refused? halve until the row is found, store it as `error`, bury the original) -> finish

PostgreSQL being away is not the entries' fault: they are handed back, and `ready` blocks until it takes writes again.
A COMMIT whose answer did not come is the same case: the rows may be there, and writing them again changes nothing.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from streampoll.config.settings import PostgresSettings
from streampoll.errors import PostgresUnavailable
from streampoll.logs import about
from streampoll.model import Event, LedgerEntry, Outcome, RatesRow, Result, Status, Trace
from streampoll.results.batch import ReadEntry, Record, Unreadable, halves, portions, read_entry
from streampoll.results.codec import encode_payload
from streampoll.results.counts import StoreCounts
from streampoll.results.figures import StoreFigures
from streampoll.results.partitions import LAST_SLOT, drop_old, make_ahead
from streampoll.results.postgres import Postgres, RowRefused
from streampoll.results.queries import load_queries
from streampoll.results.writer import Writer
from streampoll.shards.entries import Delivered
from streampoll.tally import Counted
from streampoll.worker.port import Bury, Disposition, Finish, Release, Retry

_QUERIES = load_queries("store.sql")
_LOG = logging.getLogger(__name__)
_PROBE_FIRST_S, _PROBE_MOST_S = 0.25, 3.0
_MAINTAIN_EVERY_S = 3600.0
_AFTER_A_BUG_S = 30.0


class Store:
    """Stores results and ledger entries. `now` is the wall clock of Redis TIME, in seconds."""

    def __init__(self, settings: PostgresSettings, now: Callable[[], float], postgres: Postgres | None = None) -> None:
        self._settings = settings
        self._now = now
        self._postgres = postgres or Postgres(settings)
        self._writer = Writer(self._postgres, now)
        self._writable = False  # not known to be, until the first probe
        self._reported = False  # its absence has been logged
        self._delay_s = 0.0  # before the next probe; only rows end it: a probe may pass where they don't (a full disk)
        self._written = 0  # batches, in all
        self._maintain_at = 0.0
        self.figures = StoreFigures()
        self.counts = StoreCounts()
        self.away = ""  # why rows can't be written, while they can't

    async def ready(self) -> None:
        """Return once PostgreSQL takes writes; probes with back-off, and says once when it goes and when it is back."""
        while not self._writable:
            await asyncio.sleep(self._delay_s * random.uniform(0.5, 1.0))
            try:
                await self._probe()
            except PostgresUnavailable as error:
                self._report_away(error)
                self._wait_longer()
        await self._maintain()

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        """Store a batch; answers only after the commit."""
        dispositions: list[Disposition] = []
        try:
            for portion in portions((delivered, read_entry(delivered)) for delivered in batch):
                dispositions += await self._handle(portion)
        except PostgresUnavailable as error:  # what came before it is stored
            return [*dispositions, *[Release(str(error))] * (len(batch) - len(dispositions))]
        return dispositions

    async def _handle(self, read: Sequence[ReadEntry]) -> Sequence[Disposition]:
        """Store what is written at once."""
        records = [record for _, records in read if not isinstance(records, Unreadable) for record in records]
        written = self._written
        try:
            refused = await self._store(records) if records else {}
        except PostgresUnavailable as error:
            if self._written == written:  # else others were stored meanwhile: it is the connection that was lost
                self._report_away(error)
            raise
        return [_disposition(delivered, records, refused) for delivered, records in read]

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Bury what killed a process in quarantine; what a bug of ours stopped is tried again later."""
        if delivered.entry is None or status is Status.CRASHED:
            return Bury(cause)
        return Retry(delivered.entry, _AFTER_A_BUG_S)

    def counted(self) -> Counted:
        """Return what was written."""
        return self.counts.lay_out()

    async def close(self) -> None:
        """Close the connections."""
        await self._postgres.close()

    async def _store(self, records: Sequence[Record]) -> Mapping[int, str]:
        """Write the records; return the causes of those refused, by the record's `id()`."""
        began = time.monotonic()
        try:
            await self._writer.write(records)
        except RowRefused as refusal:
            if len(records) > 1:
                first, second = halves(records)
                return {**await self._store(first), **await self._store(second)}
            await self._store_refusal(records[0], refusal)
            return {id(records[0]): str(refusal)}
        self._report_back()
        self.counts.note_batch(len(records), time.monotonic() - began)
        self._note(records, self._now())
        return {}

    async def _store_refusal(self, record: Record, refusal: RowRefused) -> None:
        """Store a row of status `error` in the place of a result that PostgreSQL refuses, where it takes that."""
        self.counts.refused += 1
        _LOG.error("results: PostgreSQL refuses a row of %s: %s", _target(record), refusal, extra=_about(record))
        if not isinstance(record, Result):
            return
        at = float(max(0, min(record.slot, LAST_SLOT)))  # and no clock's time: written again, it is to be the same row
        payload = encode_payload(
            Outcome(Status.ERROR, f"PostgreSQL refused the row: {refusal}"), Trace(at, 0.0, 0.0, 0.0, at, 0, "")
        )
        try:
            await self._writer.write([structs.replace(record, status=Status.ERROR, payload=payload)])
        except RowRefused:
            _LOG.error(
                "results: nor an error row for %s; only the dead letter has it", _target(record), extra=_about(record)
            )

    def _note(self, records: Sequence[Record], now: float) -> None:
        rows: Counter[tuple[str, int]] = Counter()
        answered: Counter[tuple[str, int]] = Counter()
        for record in records:
            if isinstance(record, Result):
                rows[record.job, record.slot] += 1
                answered[record.job, record.slot] += record.status.answered
        for (job, slot), count in rows.items():
            self.figures.note(job, slot, count, answered[job, slot], now)
            self.counts.note_rows(count, answered[job, slot], now - slot)
        self.figures.forget(now)

    async def _probe(self) -> None:
        async with self._postgres.transaction() as connection:
            await connection.execute(_QUERIES["probe"])
        self._writable = True

    def _report_away(self, error: PostgresUnavailable) -> None:
        if self._writable:  # it was there: what is remembered may be of another database by the time it is back
            self._writer.forget()
            self._wait_longer()
        self._writable = False
        if not self._reported:
            _LOG.error("results: rows wait in Redis; %s", error)
        self._reported = True
        self.away = str(error)

    def _wait_longer(self) -> None:
        self._delay_s = min(max(2 * self._delay_s, _PROBE_FIRST_S), _PROBE_MOST_S)

    def _report_back(self) -> None:
        """Rows were written."""
        self._written += 1
        self._delay_s = 0.0
        if self._reported:
            _LOG.warning("results: PostgreSQL takes writes again")
        self._reported = False
        self.away = ""

    async def _maintain(self) -> None:
        """Make days ahead and drop old ones, each hour; a failure waits for the next, as rows make their own days."""
        now = self._now()
        if now < self._maintain_at:
            return
        self._maintain_at = now + _MAINTAIN_EVERY_S
        try:
            async with self._postgres.transaction() as connection:
                await make_ahead(connection, now, self._settings.partitions_ahead_days)
            async with self._postgres.transaction() as connection:
                dropped = await drop_old(
                    connection, now, self._settings.retention_days, self._settings.rates_retention_days
                )
        except (PostgresUnavailable, RowRefused) as error:
            _LOG.warning("results: partitions were not maintained, next try in an hour: %s", error)
            return
        if dropped:
            _LOG.info("results: dropped by retention: %s", ", ".join(dropped))


def _disposition(
    delivered: Delivered, records: Sequence[Record] | Unreadable, refused: Mapping[int, str]
) -> Disposition:
    """Say what becomes of an entry whose batch has been committed."""
    if isinstance(records, Unreadable):
        first = delivered.delivery <= 1  # a newer worker may read it
        return Release(records.reason, counted=True) if first else Bury(records.reason)
    if refused and (cause := next(filter(None, (refused.get(id(record)) for record in records)), "")):
        return Bury(f"PostgreSQL refused it: {cause}")
    return Finish()


def _target(record: Record) -> str:
    if isinstance(record, Result):
        return f"device {record.device!r}, job {record.job!r}, slot {record.slot}"
    if isinstance(record, RatesRow):
        return f"device {record.device!r}, job {record.job!r}, slot {record.slot}: rates"
    if isinstance(record, Event):
        return f"device {record.device!r}, rule {record.rule!r}: an event"
    return f"job {record.job!r}, shard {record.shard}, tick {record.tick}"


def _about(record: Record) -> dict[str, str | int]:
    """Return what a log line says of a record besides its text."""
    if isinstance(record, Event):
        return about(device=record.device, slot=record.at)
    if isinstance(record, LedgerEntry):
        return about(record.job, slot=record.tick, shard=record.shard)
    return about(record.job, record.device, record.slot)
