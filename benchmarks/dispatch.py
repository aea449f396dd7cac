"""Dispatch: CPU of the coordinator and of Redis for each device that falls due, from 10 to 10,000 a second.

Plans, lines and scripts are the product's, on a Redis of its own; its entries are deleted after each tick, untimed.
"""

import gc
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import uvloop

from benchmarks.rig.figures import median
from benchmarks.rig.report import Report, Table, emit, parser_of
from benchmarks.rig.roles import Roles
from benchmarks.rig.servers import redis_alone, room
from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.jobs import Job
from streampoll.config.settings import CoordinatorSettings, RedisSettings, Settings
from streampoll.coordinator.layout import lay_out
from streampoll.coordinator.line import Line, Pace
from streampoll.coordinator.plan import Plan
from streampoll.embedded.redis import EmbeddedRedis
from streampoll.model import Device, QueueClass
from streampoll.shards.connection import connect
from streampoll.shards.port import Answer, Dispatch

RATES = (10, 100, 1_000, 10_000)
INTERVAL_S = 60
_TICK = 1_700_000_040  # any that is over
_AT_ONCE = 64  # parts in one round trip, as the coordinator has it


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one tick with so many devices due."""

    per_s: int
    coordinator_us: float  # a device
    redis_us: float  # a device
    tick_ms: float  # wall


def plans_of(devices: int, shards: int) -> list[Plan]:
    """Lay a fleet out, each device once a minute."""
    fleet = [
        Device(f"sim-{n:07}", f"127.{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}", 161, "system", "default")
        for n in range(devices)
    ]
    return list(lay_out([Job("bench", every_s=INTERVAL_S)], fleet, shards))


class Dispatching:
    """The lines of a fleet, told one tick after the other."""

    def __init__(self, side: RedisSide, plans: Sequence[Plan]) -> None:
        self._side = side
        self._settings = CoordinatorSettings()
        self._lines = [Line(plan.terms.job, plan.terms.shard, _TICK) for plan in plans]
        self._pace = Pace(INTERVAL_S, self._settings.batch_size)
        for line, plan in zip(self._lines, plans, strict=True):
            line.plan = plan

    async def tick(self, now: int) -> int:
        """Dispatch what is due; return how many polls that were."""
        work = [(line, sends) for line in self._lines if (sends := line.wanted(now, self._pace))]
        parts = [part for _, sends in work for part in sends]
        answers = [answer for some in _slices(parts) for answer in await self._sent(some)]
        for line, sends in work:
            line.heard(sends, answers[: len(sends)])
            del answers[: len(sends)]
        return sum(len(part.polls) for part in parts)

    async def _sent(self, parts: Sequence[Dispatch]) -> Sequence[object]:
        answers = await self._side.streams.dispatch(1, self._settings.results_high_water, parts)
        assert all(answer.answer is Answer.OK for answer in answers), answers
        return answers


def _slices(parts: Sequence[Dispatch]) -> Iterator[Sequence[Dispatch]]:
    for first in range(0, len(parts), _AT_ONCE):
        yield parts[first : first + _AT_ONCE]


async def measure(server: EmbeddedRedis, per_s: int, ticks: int, shards: int) -> Cost:
    """Dispatch so many ticks of a fleet with `per_s` devices due a second."""
    settings = Settings(redis=replace(RedisSettings(), url=server.url))
    redis, ticks_took = Roles({"redis": [server.pid]}), []
    async with open_redis(settings) as side, connect(server.url, 5.0, 5.0) as client:
        await client.flushall()
        dispatching = Dispatching(side, plans_of(per_s * INTERVAL_S, shards))
        gc.collect()
        for number in range(ticks):
            served = redis.cpu_s()["redis"]
            before = time.process_time(), time.perf_counter()
            count = max(1, await dispatching.tick(_TICK + number))
            after = time.process_time(), time.perf_counter()
            ticks_took.append((count, redis.cpu_s()["redis"] - served, after[0] - before[0], after[1] - before[1]))
            keys = (side.keys.shard(shard) for shard in range(shards))
            await client.delete(
                *(key for each in keys for key in (
                    each.stream(QueueClass.POLLING), each.stream(QueueClass.RESULTS), each.open, each.backlog,
                ))
            )  # fmt: skip
    steady = ticks_took[2:]  # the first ones load the script and grow buffers
    served_us = 1e6 * sum(each[1] for each in steady) / sum(each[0] for each in steady)
    own_us = median((1e6 * cpu_s / count for count, _, cpu_s, _ in steady), 2)
    return Cost(per_s, own_us, round(served_us, 2), median((1e3 * wall_s for *_, wall_s in steady), 2))


@contextmanager
def _server() -> Iterator[EmbeddedRedis]:
    with room() as where, redis_alone(where) as server:
        yield server


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    parser = parser_of(__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="devices due a second")
    parser.add_argument("--ticks", type=int, default=30, help="of each rate (default 30)")
    parser.add_argument("--shards", type=int, default=16, help="(default 16)")
    options = parser.parse_args(argv)
    with _server() as server:
        costs = [uvloop.run(measure(server, per_s, options.ticks, options.shards)) for per_s in options.rates]
    columns = ("devices a second", "coordinator, us a device", "Redis, us a device", "tick, ms")
    rows = [(each.per_s, each.coordinator_us, each.redis_us, each.tick_ms) for each in costs]
    metrics = {
        f"at_{each.per_s}": {
            "coordinator_us": each.coordinator_us, "redis_us": each.redis_us, "tick_ms": each.tick_ms,
        }
        for each in costs
    }  # fmt: skip
    emit(Report("dispatch", metrics, [Table("dispatch: CPU for each device that is due", columns, rows)]), options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
