"""A Redis Cluster: every command goes to the master of its key's slot, many at once, one pipeline a node.

- The map of slots is asked for at the first command, and again when a node failed or said MOVED. A command that a node
  refused (MOVED, ASK, TRYAGAIN, CLUSTERDOWN) was not run, so it is sent again, to whom it belongs; one whose answer was
  lost is not: its caller knows whether it may be.
- A node that failed is asked by one task until it answers or is replaced. Everybody else's commands to it fail at once,
  so that a host that is gone costs the other shards no time-out after the first.
- Slots can't share a read, and a blocked read needs a connection of its own for each. So reads do not block: the home
  shards of a node are read in one pipeline, again and again with pauses of up to 0.1 s until something is there. That
  keeps a handful of connections a node, whatever the number of shards, and no read is under way that nobody waits for.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import redis.asyncio as aioredis
from redis import exceptions

from streampoll.config.redis_url import Node
from streampoll.errors import RedisUnavailable, UnfitServerError
from streampoll.shards.connection import Dialer, guarded, not_run, raise_errors
from streampoll.shards.slots import SlotMap, read_slots
from streampoll.shards.topology import Command, GroupRead, Read, no_group, to_repeat

log = logging.getLogger(__name__)

_PAUSES_S = (0.0, 0.0, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3)  # before a refused command is sent again
_REVIVE_S = 0.25
_ANSWER_S = 3.0  # nothing blocks here; who does not answer by then is frozen, and holds up the other nodes' shards
_READ_PAUSES_S = (0.005, 0.1)  # first and longest


class Cluster:
    """Keys spread over masters."""

    one_server = False

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._slots = SlotMap()
        self._stale = True
        self._asking = asyncio.Lock()
        self._clients: dict[Node, aioredis.Redis] = {}
        self._down: dict[Node, asyncio.Task[None]] = {}

    # -- commands

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, grouped by node; those that were refused are sent again for about a second."""
        replies: list[Any] = [None] * len(commands)
        todo: Sequence[int] = range(len(commands))
        keys = [command.key for command in commands]
        for pause_s in _PAUSES_S:
            if self._stale:
                await self._ask_slots()
            await self._send(commands, todo, replies)
            todo = to_repeat(keys, (n for n, reply in enumerate(replies) if not_run(reply)))
            if not todo:
                break
            self._stale = True
            await asyncio.sleep(pause_s)
        for n in todo:
            if not_run(replies[n]):
                replies[n] = RedisUnavailable(f"the Redis Cluster can't serve {keys[n]} now: {replies[n]}")
        if replies and all(isinstance(reply, RedisUnavailable) for reply in replies):
            raise replies[0]
        return replies

    async def _send(self, commands: Sequence[Command], todo: Iterable[int], replies: list[Any]) -> None:
        """Send commands to where they belong; an ASK in a command's place says where that is, for this once."""
        by_node: defaultdict[Node | None, list[int]] = defaultdict(list)
        for n in todo:
            by_node[self._place(commands[n], replies[n])].append(n)
        async with asyncio.TaskGroup() as group:
            for node, numbers in by_node.items():
                group.create_task(self._send_to(node, commands, numbers, replies), name=f"redis {node}")

    def _place(self, command: Command, reply: object) -> Node | None:
        if isinstance(reply, exceptions.AskError):
            node = (reply.host, reply.port)
            if not isinstance(reply, exceptions.MovedError):
                return node
            self._slots.move(reply.slot_id, node)
        return self._slots.owner(command.key)

    async def _send_to(
        self, node: Node | None, commands: Sequence[Command], numbers: Sequence[int], replies: list[Any]
    ) -> None:
        """Send commands to one node in a pipeline, and put the replies, or why there are none, in their places."""
        if node is None or node in self._down:
            answers: Sequence[Any] = [_nobody(node)] * len(numbers)
        else:
            asked = [_asks(replies[n]) for n in numbers]
            answers = await self._pipeline(node, [commands[n] for n in numbers], asked)
        for n, answer in zip(numbers, answers, strict=True):
            replies[n] = answer

    async def _pipeline(self, node: Node, commands: Sequence[Command], asked: Sequence[bool]) -> Sequence[Any]:
        pipeline = self._client(node).pipeline(transaction=False)
        for command, asking in zip(commands, asked, strict=True):
            if asking:
                pipeline.execute_command("ASKING")
            pipeline.execute_command(*command.words)
        try:
            answers = iter(await guarded(pipeline.execute(raise_on_error=False)))
        except RedisUnavailable as error:
            self._failed(node, error)
            return [error] * len(commands)
        return [(next(answers), next(answers))[1] if asking else next(answers) for asking in asked]

    def _client(self, node: Node) -> "aioredis.Redis":
        client = self._clients.get(node)
        if client is None:
            client = self._clients[node] = self._dialer.client(node, _ANSWER_S)
        return client

    # -- reads

    async def read(self, how: GroupRead, streams: Sequence[str]) -> Read:
        """Read streams, round after round until one has something or the time is over."""
        commands = [Command(stream, how.words([stream], 0)) for stream in streams]
        until = time.monotonic() + how.block_ms / 1000
        pause_s, longest_s = _READ_PAUSES_S
        while True:
            read = _sort(streams, await self.run(commands))
            left_s = until - time.monotonic()
            if read.found or read.without_group or left_s <= 0:
                return read
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, longest_s)

    async def everywhere(self, *words: Any) -> list[Any]:
        """Run a command on every master that can be reached."""
        if self._stale:
            await self._ask_slots()
        nodes = [node for node in self._slots.nodes if node not in self._down]
        replies = [(await self._pipeline(node, [Command("", words)], [False]))[0] for node in nodes]
        reached = [reply for reply in replies if not isinstance(reply, RedisUnavailable)]
        if not reached:
            raise next(iter(replies), _nobody(None))
        return reached

    # -- who serves what

    async def _ask_slots(self) -> None:
        """Ask any node for the map of slots; while none answers, the one we have stays.

        Raises:
            RedisUnavailable: none answers, and there is no map yet.
            UnfitServerError: this is no Cluster.
        """
        async with self._asking:
            if not self._stale:
                return
            error: RedisUnavailable | None = None
            for node in self._informants():
                try:
                    reply = await self._dialer.ask(node, "CLUSTER SLOTS")
                except RedisUnavailable as away:
                    error = away
                    if node in self._slots.nodes:
                        self._failed(node, away)
                    continue
                except exceptions.ResponseError as refusal:
                    raise UnfitServerError(f"redis.url: no Redis Cluster ({refusal}); write redis://…") from None
                slots = read_slots(reply, node)
                if any(not port for _, port in slots.nodes):
                    raise UnfitServerError("redis.url: the Cluster does not tell its TLS ports; set 'tls-cluster yes'")
                self._slots, self._stale = slots, False
                return
            if not self._slots.nodes:
                raise error or _nobody(None)

    def _informants(self) -> list[Node]:
        """Return the nodes to ask, in turn: masters that answer, in no order (one of them may be cut off), then all."""
        known = [node for node in self._slots.nodes if node not in self._down]
        random.shuffle(known)
        return list(dict.fromkeys([*known, *self._dialer.address.nodes]))

    def _failed(self, node: Node, error: RedisUnavailable) -> None:
        self._stale = True
        if node not in self._down:
            log.warning("Redis Cluster: %s:%d: %s; its shards wait for it or its replica", *node, error)
            self._down[node] = asyncio.create_task(self._revive(node), name=f"revive {node[0]}:{node[1]}")

    async def _revive(self, node: Node) -> None:
        """Ask a node that failed until it answers, or serves nothing any more."""
        try:
            while True:
                await asyncio.sleep(_REVIVE_S)
                try:
                    await self._dialer.ask(node, "PING")
                    log.info("Redis Cluster: %s:%d answers again", *node)
                    return
                except RedisUnavailable:
                    self._stale = True
                with suppress(RedisUnavailable):
                    await self._ask_slots()
                if node not in self._slots.nodes:
                    log.info("Redis Cluster: %s:%d was replaced", *node)
                    return
        finally:
            self._stale = True
            del self._down[node]

    async def close(self) -> None:
        """Close every connection."""
        tasks = list(self._down.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()


def _asks(reply: object) -> bool:
    return isinstance(reply, exceptions.AskError) and not isinstance(reply, exceptions.MovedError)


def _nobody(node: Node | None) -> RedisUnavailable:
    if node is None:
        return RedisUnavailable("Redis is not reachable: no node of the Cluster serves this slot")
    return RedisUnavailable(f"Redis is not reachable: {node[0]}:{node[1]} of the Cluster does not answer")


def _sort(streams: Sequence[str], replies: Sequence[Any]) -> Read:
    """Sort the replies of a round; an error that nobody expects is raised, unless entries were handed out."""
    found = [stream for reply in replies if isinstance(reply, list) for stream in reply]
    without = [stream for stream, reply in zip(streams, replies, strict=True) if no_group(reply)]
    if not found:
        raise_errors(reply for reply in replies if isinstance(reply, exceptions.RedisError) and not no_group(reply))
    return Read([(stream, entries) for stream, entries in found], without)
