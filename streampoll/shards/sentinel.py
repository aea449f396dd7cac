"""The master that Sentinels name: asked for each second that there is something to do, and at once after a failure.

A master that was replaced may go on taking writes for ten seconds until the Sentinels demote it, and all of them are
lost then; so a connection that works proves nothing. Links share one opinion, so that a process never writes to two.
While no Sentinel answers, the master that was named last is used on.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import redis.asyncio as aioredis
from redis import exceptions

from streampoll.config.redis_url import Node
from streampoll.errors import RedisUnavailable
from streampoll.shards.connection import Dialer

log = logging.getLogger(__name__)

_FRESH_S = 1.0


class Sentinels:
    """Knows who the master is; shared by all links of a process."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._service = dialer.address.service
        self._nodes = list(dialer.address.nodes)  # in the order to ask
        self._asking = asyncio.Lock()
        self._master: Node | None = None
        self._asked = 0.0  # monotonic; 0.0: ask again

    async def master(self) -> Node:
        """Return who the master is.

        Raises:
            RedisUnavailable: nobody has ever said.
        """
        if self._master is None or time.monotonic() > self._asked + _FRESH_S:
            async with self._asking:
                if self._master is None or time.monotonic() > self._asked + _FRESH_S:
                    await self._ask_all()
        assert self._master is not None
        return self._master

    def doubt(self) -> None:
        """Note that the master failed: ask again, and somebody else first, for this Sentinel may be cut off too."""
        self._asked = 0.0
        self._nodes.append(self._nodes.pop(0))

    async def _ask_all(self) -> None:
        """Ask one after the other until one names a master; those that don't answer are asked last the next time."""
        silent: list[RedisUnavailable] = []
        for node in list(self._nodes):
            try:
                found = await self._ask(node)
            except RedisUnavailable as error:
                silent.append(error)
                self._nodes.remove(node)
                self._nodes.append(node)
                continue
            if found:
                self._note(found)
                return
        if self._master is None:
            if len(silent) < len(self._nodes):
                raise RedisUnavailable(f"no Sentinel knows a master of '{self._service}'")
            raise RedisUnavailable(f"no Sentinel is reachable: {silent[0]}")
        self._asked = time.monotonic()

    async def _ask(self, node: Node) -> Node | None:
        try:
            said = await self._dialer.ask_sentinel(node, "SENTINEL GET-MASTER-ADDR-BY-NAME", self._service)
        except exceptions.ResponseError as error:
            raise RedisUnavailable(f"{node[0]}:{node[1]} is no Sentinel: {error}") from error
        return (said[0].decode(), int(said[1])) if said else None

    def _note(self, found: Node) -> None:
        if self._master is not None and found != self._master:
            log.warning("Sentinel: %s is served by %s:%d now", self._service, *found)
        self._master, self._asked = found, time.monotonic()


class SentinelLink:
    """A client of the master."""

    def __init__(self, sentinels: Sentinels, connect: Callable[[Node], "aioredis.Redis"]) -> None:
        self._sentinels = sentinels
        self._connect = connect
        self._client: aioredis.Redis | None = None
        self._node: Node | None = None

    async def client(self) -> "aioredis.Redis":
        """Return a client of whoever is the master now."""
        node = await self._sentinels.master()
        if self._client is None or node != self._node:
            former, self._client, self._node = self._client, self._connect(node), node
            if former is not None:
                await former.aclose()
        return self._client

    async def drop(self, client: "aioredis.Redis") -> None:
        """Make a new client the next time, of whoever is the master then."""
        if client is self._client:
            self._client = None
            self._sentinels.doubt()
            await client.aclose()

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
