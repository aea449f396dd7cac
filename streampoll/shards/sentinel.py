"""The master that Sentinels name: asked for when it is first needed, and again whenever it failed or turned replica.

Sentinel's own rules for clients: ask one after the other, trust the first that answers, reconnect after any failure.
"""

import logging
from collections.abc import Callable

import redis.asyncio as aioredis
from redis import exceptions

from streampoll.config.redis_url import Node
from streampoll.errors import RedisUnavailable
from streampoll.shards.connection import Dialer

log = logging.getLogger(__name__)


class Sentinels:
    """Knows the Sentinels of a deployment; shared by all links of a process."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._service = dialer.address.service
        self._nodes = list(dialer.address.nodes)  # in the order to ask
        self._said: Node | None = None

    async def master(self) -> Node:
        """Ask who the master is.

        Raises:
            RedisUnavailable: no Sentinel answers, or none knows the service.
        """
        silent: list[str] = []
        for node in list(self._nodes):
            try:
                found = await self._ask(node)
            except RedisUnavailable as error:
                silent.append(f"{node[0]}:{node[1]}: {error}")
                continue
            self._nodes.remove(node)  # the next question goes to another one: who was wrong is not asked twice running
            self._nodes.append(node)
            if found:
                self._note(found)
                return found
        if len(silent) < len(self._nodes):
            raise RedisUnavailable(f"no Sentinel knows a master of '{self._service}'")
        raise RedisUnavailable(f"no Sentinel is reachable: {silent[0]}")

    async def _ask(self, node: Node) -> Node | None:
        try:
            said = await self._dialer.ask_sentinel(node, "SENTINEL GET-MASTER-ADDR-BY-NAME", self._service)
        except exceptions.ResponseError as error:
            raise RedisUnavailable(f"is no Sentinel: {error}") from error
        return (said[0].decode(), int(said[1])) if said else None

    def _note(self, found: Node) -> None:
        if self._said is not None and found != self._said:
            log.warning("Sentinel: %s is served by %s:%d now", self._service, *found)
        self._said = found


class SentinelLink:
    """A client of the master."""

    def __init__(self, sentinels: Sentinels, connect: Callable[[Node], "aioredis.Redis"]) -> None:
        self._sentinels = sentinels
        self._connect = connect
        self._client: aioredis.Redis | None = None

    async def client(self) -> "aioredis.Redis":
        """Return a client of the master, asking the Sentinels if there is none."""
        if self._client is None:
            node = await self._sentinels.master()
            if self._client is None:  # nobody else has asked meanwhile
                self._client = self._connect(node)
        return self._client

    async def drop(self, client: "aioredis.Redis") -> None:
        """Forget the master, if it is still the one that this client is of."""
        if client is self._client:
            self._client = None
            await client.aclose()

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self.drop(self._client)
