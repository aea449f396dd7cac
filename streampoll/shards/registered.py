"""Which tasks workers run, and in which class: they say so again and again, and are believed for a day.

For that long, since a program may send while all workers are being restarted.
"""

from collections.abc import Mapping

from streampoll.shards.clock import Clock
from streampoll.shards.connection import raise_errors
from streampoll.shards.keys import Keys
from streampoll.shards.topology import Command, Topology

LIFE_S = 86_400


class Registered:
    """The names of tasks in Redis."""

    def __init__(self, topology: Topology, keys: Keys, clock: Clock) -> None:
        self._topology = topology
        self._keys = keys
        self._clock = clock

    async def publish(self, tasks: Mapping[str, str]) -> None:
        """Note that tasks (name to class) can be run now."""
        key, now = self._keys.tasks, int(self._clock.now())
        fields = [word for name, queue in tasks.items() for word in (name, f"{now} {queue}")]
        raise_errors(await self._topology.run([Command(key, ("HSET", key, *fields))]))

    async def read(self) -> dict[str, str]:
        """Return the tasks that could be run within the last day, and take a reading of Redis' clock."""
        key, sent = self._keys.tasks, self._clock.ticks()
        commands = [Command(self._keys.leader, ("TIME",)), Command(key, ("HGETALL", key))]
        (seconds, microseconds), flat = raise_errors(await self._topology.run(commands))
        self._clock.observe(int(seconds) * 1000 + int(microseconds) // 1000, sent, self._clock.ticks())
        since = self._clock.now() - LIFE_S
        said = {
            name.decode(): value.decode().partition(" ") for name, value in zip(flat[0::2], flat[1::2], strict=True)
        }
        return {name: queue for name, (at, _, queue) in said.items() if int(at) > since}
