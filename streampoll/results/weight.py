"""What rows weigh in a running PostgreSQL: their payloads, and the write-ahead log that they cause."""

from dataclasses import dataclass

from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries

_QUERIES = load_queries("weight.sql")


@dataclass(frozen=True, slots=True)
class Weight:
    """At one moment."""

    payload_bytes: float | None  # the mean of recent rows; None: there are none
    log_bytes: float | None  # written ever; None: not known


async def weigh(connection: Connection) -> Weight:
    """Look once.

    Raises:
        PostgresUnavailable: it is away.
    """
    return Weight(
        await connection.fetchval(_QUERIES["payloads"]),
        await connection.fetchval(_QUERIES["log_position"]),
    )
