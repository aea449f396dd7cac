"""The port to however many Redis servers there are: commands go to a key, never to a server.

- One server, or the master that Sentinels name now: `Single`. A round trip for any number of commands, and one blocking
  read for all streams of a reader, on a connection of its own.
- A Redis Cluster: `cluster.Cluster`.

Errors of Redis stand in the place of the reply, so that one command's does not cost the others their answers. A node
that can't be reached is such an error too, unless there is no other: then `RedisUnavailable` is raised.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import redis.asyncio as aioredis
from redis import exceptions

from streampoll.errors import RedisUnavailable
from streampoll.shards.connection import guarded, read_only


@dataclass(frozen=True, slots=True)
class Command:
    """A command and where it goes."""

    key: str  # one of its keys; all of them are in one slot
    words: Sequence[Any]


@dataclass(frozen=True, slots=True)
class GroupRead:
    """A read of new entries by a consumer of a group."""

    group: str
    consumer: str
    count: int  # of each stream
    block_ms: int  # how long to wait for the first entry; 0: not at all

    def words(self, streams: Sequence[str], block_ms: int) -> list[Any]:
        """Return the command that reads streams of one slot."""
        block = ("BLOCK", block_ms) if block_ms else ()
        return [
            "XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", self.count, *block, "STREAMS",
            *streams, *[">"] * len(streams),
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """What a read brought."""

    found: Sequence[tuple[bytes, Sequence[Any]]] = ()  # stream -> [id, fields]…
    without_group: Sequence[str] = ()  # streams of which at least one has no group (any more)


class Topology(Protocol):
    """Where the keys are."""

    @property
    def one_server(self) -> bool:
        """True if one server has all keys: then a command may have keys of different slots."""

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, pipelined, in order where they have the same key; the replies as they came.

        A reply that is an error stands in its place as an exception.

        Raises:
            RedisUnavailable: none of them reached a server that could run it.
        """

    async def read(self, how: GroupRead, streams: Sequence[str]) -> Read:
        """Read streams; returns as soon as any of them has something."""

    async def everywhere(self, *words: Any) -> list[Any]:
        """Run a command that has no key on every master that can be reached; at least one."""

    async def close(self) -> None:
        """Close every connection."""


class Link(Protocol):
    """A client of whichever server is the one."""

    async def client(self) -> "aioredis.Redis":
        """Return the client; RedisUnavailable while nobody knows the server."""

    async def drop(self, client: "aioredis.Redis") -> None:
        """Note that this client's server failed, or is not the one any more."""

    async def close(self) -> None:
        """Close the connections."""


class FixedLink:
    """A client of a server that is always the one; a connection that broke is made anew by the client itself."""

    def __init__(self, client: "aioredis.Redis") -> None:
        self._client = client

    async def client(self) -> "aioredis.Redis":
        """Return the client."""
        return self._client

    async def drop(self, client: "aioredis.Redis") -> None:
        """Give up the connections that nobody uses now: where one broke unseen they all did, each to be a time-out."""
        await client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class Single:
    """All keys on one server."""

    one_server = True

    def __init__(self, link: Callable[[], Link]) -> None:
        """`link` makes one for the commands, and one for each blocking reader."""
        self._make = link
        self._commands = link()
        self._readers: dict[str, Link] = {}

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one round trip."""
        if not commands:
            return []
        client = await self._commands.client()
        sending = _alone(client, commands[0]) if len(commands) == 1 else _together(client, commands)
        try:
            replies: list[Any] = await guarded(sending)
        except RedisUnavailable:
            await self._commands.drop(client)
            raise
        if any(map(read_only, replies)):
            await self._commands.drop(client)
        return replies

    async def read(self, how: GroupRead, streams: Sequence[str]) -> Read:
        """Read all streams by one command, on the group's own connection."""
        link = self._readers.get(how.group)
        if link is None:
            link = self._readers[how.group] = self._make()
        client = await link.client()
        try:
            reply = await guarded(client.execute_command(*how.words(streams, how.block_ms)))
        except RedisUnavailable as error:
            if "UNBLOCKED" in str(error):  # a stream was deleted under a blocked read: FLUSHALL
                return Read(without_group=streams)
            await link.drop(client)
            raise
        except exceptions.ResponseError as error:
            if no_group(error):
                return Read(without_group=streams)
            raise
        return Read([(stream, entries) for stream, entries in reply or ()])

    async def everywhere(self, *words: Any) -> list[Any]:
        """Run a command on the server."""
        client = await self._commands.client()
        try:
            return [await guarded(client.execute_command(*words))]
        except RedisUnavailable:
            await self._commands.drop(client)
            raise

    async def close(self) -> None:
        """Close every connection."""
        for link in (*self._readers.values(), self._commands):
            await link.close()


async def _together(client: "aioredis.Redis", commands: Sequence[Command]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command.words)
    replies: list[Any] = await pipeline.execute(raise_on_error=False)
    return replies


async def _alone(client: "aioredis.Redis", command: Command) -> list[Any]:
    """Run one command, as a pipeline of one would, in half the time: somebody waits for it."""
    try:
        return [await client.execute_command(*command.words)]
    except exceptions.ResponseError as error:
        return [error]


def no_group(reply: object) -> bool:
    """Tell the error of a stream that has no group, or is not there at all."""
    return isinstance(reply, exceptions.ResponseError) and str(reply).startswith("NOGROUP")


def to_repeat(keys: Sequence[str], failed: Iterable[int]) -> list[int]:
    """Return which commands to send again where some were not run: those, and what came after them on the same key.

    Else a part of a tick would be judged without the one before it.
    """
    wrong = set(failed)
    touched: set[str] = set()
    repeated = []
    for number, key in enumerate(keys):
        if number in wrong or key in touched:
            touched.add(key)
            repeated.append(number)
    return repeated
