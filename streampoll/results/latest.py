"""The newest polls of many devices at once, asked for by the slots at which they were due: no search."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streampoll.model import Status
from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries

_QUERIES = load_queries("latest.sql")


@dataclass(frozen=True, slots=True)
class Slots:
    """Where a device's newest poll by a job may be."""

    device: str
    job: str
    slots: Sequence[int]  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Latest:
    """How a poll ended, without its values."""

    device: str
    job: str
    slot: int
    status: Status
    duration_ms: int
    stored_ms: int  # after the slot


async def read_latest(connection: Connection, wanted: Iterable[Slots]) -> list[Latest]:
    """Return the newest stored poll of each (device, job); those with none in any of their slots are left out."""
    asked = [(each.device, each.job, slot) for each in wanted for slot in each.slots]
    columns = [[each[n] for each in asked] for n in range(3)]
    newest: dict[tuple[str, str], Latest] = {}
    for row in await connection.fetch(_QUERIES["latest"], *columns):
        key = row["device"], row["job"]
        if key not in newest or newest[key].slot < row["slot"]:
            status = Status(row["status"])
            newest[key] = Latest(*key, row["slot"], status, row["duration_ms"], row["stored_ms"])
    return list(newest.values())
