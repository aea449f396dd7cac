"""`/healthz`: this process serves. `/readyz`: so does all it depends on; each says what is wrong, in a line."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from streampoll.api.problem import problem
from streampoll.api.route import Asked, Route
from streampoll.errors import StreampollError
from streampoll.observe.figures import Stats, StatsSource


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be well."""

    name: str  # redis, postgres, leader, workers
    ok: bool
    detail: str = ""  # what is wrong; "": nothing


@dataclass(frozen=True, slots=True)
class Health:
    """Whether all is well."""

    ok: bool
    checks: Sequence[Check] = ()


class HealthRoutes:
    """Says what is wrong. Neither path asks for a token: they say nothing of what is polled."""

    def __init__(self, source: StatsSource, postgres: Callable[[], Awaitable[None]], keep_s: float = 1.0) -> None:
        """`postgres` raises if it does not answer; an answer of `ready` is kept for `keep_s`, however many ask."""
        self._source = source
        self._postgres = postgres
        self._keep_s = keep_s
        self._known = Health(ok=False)
        self._until = 0.0

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", "/healthz", self._alive, Health, "This process serves", "health", role=None),
            Route("GET", "/readyz", self._ready, Health, "All that it depends on does", "health", role=None),
        ]

    async def _alive(self, _: Asked) -> Health:
        return Health(ok=True)

    async def _ready(self, _: Asked) -> object:
        health = await self.ready()
        if health.ok:
            return health
        wrong = "; ".join(f"{check.name}: {check.detail}" for check in health.checks if not check.ok)
        return problem(503, wrong, {"Retry-After": "5"}, checks=[_said(check) for check in health.checks])

    async def ready(self) -> Health:
        """Look at everything, at most once in a while."""
        if time.monotonic() >= self._until:
            stats = await self._source.snapshot()
            checks = [_redis(stats), await self._store(), _leader(stats), _workers(stats)]
            self._known = Health(all(check.ok for check in checks), checks)
            self._until = time.monotonic() + self._keep_s
        return self._known

    async def _store(self) -> Check:
        try:
            await self._postgres()
        except StreampollError as error:
            return Check("postgres", ok=False, detail=str(error))
        return Check("postgres", ok=True)


def _redis(stats: Stats) -> Check:
    return Check("redis", not stats.troubles, "; ".join(stats.troubles))


def _leader(stats: Stats) -> Check:
    if stats.troubles:
        return Check("leader", ok=False, detail="not known")
    return Check("leader", stats.leader is not None, "" if stats.leader else "nobody leads: nothing is dispatched")


def _workers(stats: Stats) -> Check:
    """Workers are well while one reads: a heartbeat alone proves nothing."""
    if stats.troubles:
        return Check("workers", ok=False, detail="not known")
    reading = [row for row in stats.workers if row.state == "running"]
    unwell = [f"{row.id} is {row.state}" for row in stats.workers if row.state in ("silent", "deaf")]
    if reading:
        return Check("workers", ok=True)
    return Check("workers", ok=False, detail="; ".join(unwell[:5]) or "no worker is alive")


def _said(check: Check) -> dict[str, object]:
    return {"name": check.name, "ok": check.ok, "detail": check.detail}
