"""One job's slots, each with the equation that audit holds for all of them together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from streampoll.model import Status
from streampoll.results.equation import Line, Stored, Tally, judge
from streampoll.results.ledger import Window, read_horizons, read_known, read_line, read_stored, read_times
from streampoll.results.postgres import Connection


@dataclass(frozen=True, slots=True)
class SlotTally:
    """One slot of a job: expected + duplicates = ok + partial + failed + expired + skipped + lost + missing."""

    slot: int  # seconds since the epoch
    final: bool  # False: something of it is unfinished, so that nothing can be missing yet
    expected: int
    ok: int
    partial: int
    failed: int
    failed_by_status: Mapping[str, int]
    expired: int
    skipped: int
    lost: int
    missing: int
    duplicates: int
    cycle_s: float | None  # from the slot to its last row; null: there is none, or among very many rows it was not read


async def read_slots(
    connection: Connection, job: str, window: Window, unfinished: Collection[int]
) -> list[SlotTally] | None:
    """Return the slots of a job in a window, the newest first; None if nothing was ever dispatched of it.

    `unfinished` are those of which Redis still holds something, read before this.
    """
    known = await read_known(connection, window, await read_horizons(connection, window))
    number = next((number for number, name in known.jobs.items() if name == job), None)
    if number is None:
        return None
    places = sorted(place for place in known.plans.keys() | known.horizons.keys() if place[0] == number)
    lines = [await read_line(connection, window, known, place) for place in places]
    stored = (await read_stored(connection, window)).get(number, {})
    last_ms = (await read_times(connection, window, {number: stored}, number)).last_ms.get(number, {})
    ticks = {tick for line in lines for tick in (*line.promised, *line.booked)} | stored.keys()
    latest = max((line.horizon for line in lines if line.horizon is not None), default=window.last)
    judged = sorted((tick for tick in ticks if tick <= latest or tick in stored), reverse=True)
    return [_slot(job, tick, lines, stored.get(tick), last_ms.get(tick), tick not in unfinished) for tick in judged]


def _slot(
    job: str, tick: int, lines: Sequence[Line], stored: Stored | None, last_ms: int | None, final: bool
) -> SlotTally:
    """Return one slot's side of the equation."""
    tally = judge(job, [_only(line, tick) for line in lines], {tick: stored} if stored else {}, ())
    return _as_slot(tick, tally, last_ms, final)


def _only(line: Line, tick: int) -> Line:
    """Return what is known of one tick."""
    promised = {tick: line.promised[tick]} if tick in line.promised else {}
    booked = {tick: line.booked[tick]} if tick in line.booked else {}
    return Line(line.shard, promised, booked, line.ranges, line.horizon, line.losses)


def _as_slot(tick: int, tally: Tally, last_ms: int | None, final: bool) -> SlotTally:
    by = tally.by_status
    failed = {status.word: by[status] for status in Status if by[status] and _failed(status)}
    return SlotTally(
        tick, final, tally.expected, by[Status.OK], by[Status.PARTIAL], sum(failed.values()), failed,
        by[Status.EXPIRED], tally.skipped, tally.lost, tally.missing if final else 0, tally.duplicates,
        None if last_ms is None else last_ms / 1000,
    )  # fmt: skip


def _failed(status: Status) -> bool:
    return not status.answered and status is not Status.EXPIRED
