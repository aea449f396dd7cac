"""Polling as seen from outside: which slots are complete, and were so in time, by the rows in PostgreSQL.

A tick is *good* when every poll due at it has its row, stored within the claim time after the slot, and none of these
rows says expired, crashed or error. Polling is *normal* again at the first tick from which on every tick is good.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import asyncpg

from streampoll.results.ledger import QUERIES
from streampoll.results.promise import Promise
from tests.servers_support import run_now

_ROWS = """
SELECT extract(epoch FROM slot)::bigint AS slot, count(*) AS rows,
    count(*) FILTER (WHERE status IN (7, 8, 9, 10)) AS bad, max(stored_ms) AS last_ms
FROM polls WHERE slot BETWEEN to_timestamp($1::bigint) AND to_timestamp($2::bigint) GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Tick:
    """What became of one tick, over all jobs."""

    tick: int
    due: int
    rows: int = 0
    bad: int = 0  # expired, crashed, error
    last_ms: int = 0  # the last row was stored this long after the slot

    def good(self, within_s: float) -> bool:
        """Tell whether every poll was done in time."""
        return self.rows >= self.due and not self.bad and self.last_ms <= within_s * 1000

    @property
    def whole_at(self) -> float:
        """When its last row was stored, seconds since the epoch."""
        return self.tick + self.last_ms / 1000


def read_ticks(dsn: str, first: int, last: int) -> list[Tick]:
    """Read the ticks from `first` to `last`, both included, at which something was due."""
    return run_now(_read(dsn, first, last))


async def _read(dsn: str, first: int, last: int) -> list[Tick]:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        due: Counter[int] = Counter()
        for row in await connection.fetch(QUERIES["plans"], first, last):
            plan = Promise.read(row["valid_from"], row["valid_to"], json.loads(row["body"]))
            due.update({tick: polls.count for tick, polls in plan.due_between(first, last).items()})
        rows: Mapping[int, asyncpg.Record] = {row["slot"]: row for row in await connection.fetch(_ROWS, first, last)}
    finally:
        await connection.close()
    return [_tick(tick, count, rows.get(tick)) for tick, count in sorted(due.items())]


def _tick(tick: int, due: int, row: "asyncpg.Record | None") -> Tick:
    return Tick(tick, due, row["rows"], row["bad"], row["last_ms"]) if row else Tick(tick, due)


def normal_from(ticks: Iterable[Tick], within_s: float) -> float | None:
    """Return when polling was normal again: all ticks from there on are good, and what came before is stored.

    None if the last tick of all is not good.
    """
    ordered = sorted(ticks, key=lambda tick: tick.tick)
    bad = [number for number, tick in enumerate(ordered) if not tick.good(within_s)]
    if not bad:
        return 0.0
    after = bad[-1] + 1
    if after == len(ordered):
        return None
    stored = max(tick.whole_at for tick in ordered[:after])
    return max(float(ordered[after].tick), stored)
