"""Filtered tables: the columns that decide are walked first, and the others asked for only in the rows that are kept.

Ten uplinks of a chassis with a thousand interfaces are some ten requests instead of hundreds. Where most rows are kept,
walking everything at once is cheaper: that is worked out from what was found, and remembered of the agent.
"""

from collections.abc import Sequence
from math import ceil
from typing import Final

from streampoll.model import TableTime, Value
from streampoll.snmp.compiled import (
    SYS_UPTIME_0,
    Column,
    CompiledTable,
    Sieve,
    Want,
    cells_bytes,
    make_chunk,
    rows_that_fit,
)
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.credential import has_bulk
from streampoll.snmp.join import make_locally, walked_grid
from streampoll.snmp.plan import Kind, Metric
from streampoll.snmp.scalars import get
from streampoll.snmp.walk import Walk, fill_holes

_INDEX_BYTES: Final = 4  # an estimate
_UPTIME: Final = Want.of((b"", 0), Metric("sysUpTime", (), Kind.TICKS), SYS_UPTIME_0)


async def sift(talk: Conversation, table: CompiledTable, sieve: Sieve) -> Walk | None:
    """Walk what decides and ask for the rest of the rows that are kept; None if it is cheaper to walk everything.

    Without GETBULK it is, since that asks as often for some columns as for all.
    """
    if not has_bulk(talk.agent.credential) or sieve.skipped.skips(talk.agent.address):
        return None
    first = Walk(talk, sieve.first)
    await first.run()
    await fill_holes(talk, first)
    assert sieve.first.shape is not None
    grid = walked_grid(first, sieve.first.shape.kinds)
    make_locally(sieve.first.shape, grid)
    if not first.stopped and not _pays(talk, table, sieve, (len(first.rows), len(grid.indexes))):
        sieve.skipped.skip(talk.agent.address)
        return None
    whole = _begun(talk, table, first, grid.indexes)
    whole.times = list(grid.times)
    if whole.failure is None and grid.indexes:
        await _ask_rows(talk, whole, sieve.rest)
        await fill_holes(talk, whole, [whole.lanes[place] for place in sieve.rest])
    return whole


def _pays(talk: Conversation, table: CompiledTable, sieve: Sieve, rows: tuple[int, int]) -> bool:
    """Tell whether sifting takes fewer requests than walking everything; `rows` are all, and those kept."""
    rest = _rows_a_get(talk, [table.columns[place] for place in sieve.rest], _INDEX_BYTES)
    deciding, whole = (_rows_a_reply(talk, each.columns) for each in (sieve.first, table))
    return ceil(rows[0] / deciding) + ceil(rows[1] / rest) < ceil(rows[0] / whole)


def _begun(talk: Conversation, table: CompiledTable, first: Walk, kept: Sequence[bytes]) -> Walk:
    """Return the walk of the whole table as if it had come to these rows, with the cells that are known."""
    whole = Walk(talk, table)
    whole.stopped, whole.failure, whole.seen = first.stopped, first.failure, len(first.rows)
    places = {lane.column.metric.name: lane.place for lane in whole.lanes}
    rows: dict[bytes, list[Value]] = {index: [None] * len(whole.lanes) for index in kept}
    for lane in first.lanes:
        place = places[lane.column.metric.name]
        whole.lanes[place].learn(lane)
        for index, row in rows.items():
            row[place] = first.rows[index][lane.place]
    whole.rows = rows
    if whole.failure is not None:
        for lane in whole.lanes:
            lane.reason = lane.reason or f"not asked after {whole.failure.status.word}"
    return whole


async def _ask_rows(talk: Conversation, walk: Walk, places: Sequence[int]) -> None:
    """Get these columns of all rows, whole rows a request, with sysUpTime in each; `times` are those of the replies."""
    lanes = [walk.lanes[place] for place in places]
    columns = [lane.column for lane in lanes]
    indexes = list(walk.rows)
    walk.times = []
    at = 0
    while at < len(indexes):
        run = indexes[at : at + _rows_a_get(talk, columns, len(indexes[at]))]
        wants = [
            Want.of((index, lane.place), lane.column.metric, lane.prefix + index) for index in run for lane in lanes
        ]
        answers = await get(talk, [make_chunk([_UPTIME, *wants])])
        for want in wants:
            index, place = want.key
            walk.rows[index][place] = answers.values.get(want.key)
            walk.lanes[place].note(index, answers.reasons.get(want.key, ""), want.key in answers.counter32)
        uptime = answers.values.get(_UPTIME.key)
        walk.times.append(TableTime(len(run), answers.at, uptime if isinstance(uptime, int) else None))
        at += len(run)
        if answers.failure is not None:
            walk.failure, walk.stopped = answers.failure, answers.failure.reason
            return


def _rows_a_get(talk: Conversation, columns: Sequence[Column], index_bytes: int) -> int:
    """Return how many whole rows a GET may ask for beside sysUpTime; one, if it takes several GETs."""
    limits = talk.agent.limits
    by_limit = (min(talk.limit, limits.max_varbinds) - 1) // len(columns)
    row = cells_bytes(columns) + len(columns) * index_bytes
    return max(1, min(by_limit, rows_that_fit(row, limits.max_reply_bytes)))


def _rows_a_reply(talk: Conversation, columns: Sequence[Column]) -> int:
    """Estimate how many rows one request brings."""
    limits = talk.agent.limits
    by_limit = max(1, (talk.limit - 1) // len(columns))
    row = cells_bytes(columns) + len(columns) * _INDEX_BYTES
    return min(limits.max_repetitions, by_limit, rows_that_fit(row, limits.max_reply_bytes))
