"""Names to the small integers that rows carry: read from PostgreSQL, made where new, kept in a bounded cache."""

from collections.abc import Callable, Iterable

from streampoll.results.batch import signed
from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries
from streampoll.shards.ring import device_hash

_QUERIES = load_queries("names.sql")


class Names:
    """The ids of one table's names.

    When the cache is full it takes no more, and what it doesn't hold is asked for each time: polls come round in a
    fixed order, under which a cache that evicts the oldest never hits at all.
    """

    def __init__(self, table: str, capacity: int, hashed: Callable[[str], int] | None = None) -> None:
        self._select = _QUERIES[f"select_{table}"]
        self._insert = _QUERIES[f"insert_{table}"]
        self._hashed = hashed
        self._capacity = capacity
        self._ids: dict[str, int] = {}

    def known(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids that are cached."""
        return {name: self._ids[name] for name in names if name in self._ids}

    async def ids(self, connection: Connection, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of these names, made where they are new.

        Runs in a transaction of its own, before the rows': an id must have been committed before it is cached.
        """
        wanted = set(names)
        found = self.known(wanted)
        if missing := sorted(wanted - found.keys()):
            fresh = await self._fetch(connection, missing)
            if unmade := [name for name in missing if name not in fresh]:
                await self._make(connection, unmade)
                fresh |= await self._fetch(connection, unmade)
            found |= fresh
        return found

    def remember(self, found: dict[str, int]) -> None:
        """Cache ids whose transaction has been committed."""
        room = self._capacity - len(self._ids)
        for name in [name for name in found if name not in self._ids][: max(0, room)]:
            self._ids[name] = found[name]

    def forget(self) -> None:
        """Empty the cache: after an outage the database may be another one."""
        self._ids.clear()

    async def _fetch(self, connection: Connection, names: list[str]) -> dict[str, int]:
        return {row["name"]: row["id"] for row in await connection.fetch(self._select, names)}

    async def _make(self, connection: Connection, names: list[str]) -> None:
        if self._hashed is None:
            await connection.execute(self._insert, names)
        else:
            await connection.execute(self._insert, names, [signed(self._hashed(name)) for name in names])


def device_names(capacity: int = 100_000) -> Names:
    """Return the devices' names; 100,000 of them take 17 MB."""
    return Names("devices", capacity, device_hash)


def job_names() -> Names:
    """Return the jobs' names."""
    return Names("jobs", 10_000)
