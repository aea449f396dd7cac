"""What a coordinator works with, in memory."""

from collections.abc import Mapping, Sequence

from streampoll.coordinator.losses import Loss
from streampoll.coordinator.planning import Place, PlanRow
from streampoll.errors import PostgresUnavailable


class Plans:
    """A `PlanStore` in memory."""

    def __init__(self) -> None:
        self.rows: dict[Place, tuple[int, int]] = {}
        self.away = False

    async def current(self) -> Mapping[Place, tuple[int, int]]:
        if self.away:
            raise PostgresUnavailable("PostgreSQL: away")
        return dict(self.rows)

    async def began(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return {place: self.rows[place][1] for place in places if place in self.rows}

    async def commit(self, rows: Sequence[PlanRow]) -> None:
        if self.away:
            raise PostgresUnavailable("PostgreSQL: away")
        self.rows |= {(row.job, row.shard): (row.plan_id, row.valid_from) for row in rows}


class NoLosses:
    """A `LossStore` of a Redis that has lost nothing."""

    async def final(self) -> Mapping[int, int]:
        return {}

    async def note_final(self, ticks: Mapping[int, int]) -> None:
        pass

    async def dispatched(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return {}

    async def began(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return {}

    async def record(self, losses: Sequence[Loss]) -> None:
        pass
