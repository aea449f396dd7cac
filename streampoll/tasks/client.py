"""What programs send tasks with, and learn what became of them.

A name that nobody registered is refused here, not put where it would wait for ever: known are the tasks that
workers publish, and those of the sender's own configuration.
"""

import asyncio
import re
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import Any, Final

from streampoll.config.units import parse_duration
from streampoll.errors import ConfigError, Fault, UnavailableError
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry
from streampoll.shards.port import DispatchStreams
from streampoll.shards.ring import hash64
from streampoll.tasks.message import encode_call
from streampoll.tasks.port import JOIN, Call, Priority, Step, Task, TaskResult, Tasks
from streampoll.tasks.registry import unknown

Span = float | str | timedelta
"""A duration: seconds, "10s", or a timedelta."""

Read = Callable[[Sequence[str]], Awaitable[Mapping[str, TaskResult]]]
"""Reads results by id."""

_KNOWN_FOR_S: Final = 60.0  # what workers publish is asked for again after this
_ID: Final = re.compile(r"[0-9]{2,}-[0-9a-f]{16}")
_AT_ONCE: Final = 500
_LOOK_S: Final = (0.02, 1.0)  # between two looks for a result: at first, at the most


@dataclass(frozen=True, slots=True)
class ClientPorts:
    """What a client works with."""

    streams: DispatchStreams
    registered: Callable[[], Awaitable[Mapping[str, str]]]  # tasks that workers run, and their classes
    read: Read
    cancel: Callable[[Sequence[str]], Awaitable[None]]
    now: Callable[[], float]  # wall-clock seconds of Redis
    shards: int
    own: Tasks  # of the sender's own configuration
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Lane:
    """When and where calls are to run."""

    delay_s: float = 0.0
    expires_s: float = 0.0
    key: str = ""
    priority: Priority = Priority.NORMAL


class TaskClient:
    """Sends tasks."""

    def __init__(self, ports: ClientPorts) -> None:
        self._ports = ports
        self._published: dict[str, str] = {}
        self._asked = float("-inf")  # the loop's time

    # -- sending

    async def send(
        self,
        what: "str | Task[Any, Any] | Call",
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        delay: Span = 0.0,
        expires: Span = 0.0,
        key: str = "",
        priority: Priority | str = Priority.NORMAL,
        retries: int | None = None,
    ) -> str:
        """Send a task and return its id.

        It starts after `delay` at the earliest, and not at all once `expires` has passed since now (0: whenever). Of
        those with one `key` within a day only the first is run; the others' id is the same.

        Raises:
            UnknownTask: nobody has registered it.
            ConfigError: an option or an argument is wrong.
            UnavailableError: Redis is away; whether it was sent is not known.
        """
        call = _call(what, args, kwargs, retries)
        lane = Lane(_seconds(delay, "delay"), _seconds(expires, "expires"), key, _priority(priority))
        return (await self._send([[call]], lane))[0]

    async def send_many(self, calls: "Iterable[Call]", **lane: Any) -> list[str]:
        """Send calls (a group), hundreds a round trip; return their ids in order. Options as of `send`."""
        return await self._send([[call] for call in calls], _lane(lane))

    async def chain(self, *calls: "Call", **lane: Any) -> str:
        """Send calls of which each starts when the one before ended well, with its result before its own arguments.

        Return the id of the last. All are of one shard, and each is added by the script that finishes the one before.
        """
        return (await self._send([calls], _lane(lane)))[0]

    async def chord(self, members: "Iterable[Call | Sequence[Call]]", then: "Call", **lane: Any) -> str:
        """Send calls (or chains), and one that starts when all ended well, with the list of their results; its id."""
        chains = [[member] if isinstance(member, Call) else list(member) for member in members]
        kept = [[*calls[:-1], replace(calls[-1], keep=True)] for calls in chains]
        ids = await self._send(kept, _lane(lane))
        return await self.chain(Call("", JOIN, [ids]), then)

    async def _send(self, chains: Sequence[Sequence["Call"]], lane: Lane) -> list[str]:
        queues = await self._queues({call.name for calls in chains for call in calls} - {JOIN})
        now = self._ports.now()
        by_place: dict[tuple[QueueClass, int], list[Entry]] = defaultdict(list)
        last: list[str] = []
        for calls in chains:
            steps = self._steps(calls, queues, lane, now)
            first = steps[0].call
            first.then = steps[1:]
            expiry = ceil(now + lane.expires_s) if lane.expires_s else 0
            entry = encode_call(first, expiry, self._ports.max_bytes)
            by_place[steps[0].queue, _shard(first.id)].append(entry)
            last.append(steps[-1].call.id)
        adding = [
            self._add(queue, shard, entries[first : first + _AT_ONCE], lane)
            for (queue, shard), entries in by_place.items()
            for first in range(0, len(entries), _AT_ONCE)
        ]
        if len(adding) == 1:  # the usual case, and its sender waits
            await adding[0]
        else:
            await asyncio.gather(*adding)
        return last

    def _steps(self, calls: Sequence["Call"], queues: Mapping[str, QueueClass], lane: Lane, now: float) -> list[Step]:
        """Give the calls of a chain ids of one shard, and their classes."""
        count = self._ports.shards
        shard = hash64(lane.key) % count if lane.key else secrets.randbelow(count)
        steps = []
        for number, call in enumerate(calls):
            unique = f"{hash64(lane.key, call.name, str(number)):016x}" if lane.key else secrets.token_hex(8)
            name = calls[-1].name if call.name == JOIN else call.name  # who runs the last can wait for it
            queue = QueueClass.URGENT if lane.priority is Priority.URGENT else queues[name]
            task_id = f"{shard:02d}-{unique}"
            steps.append(Step(queue, Call(task_id, call.name, call.args, call.kwargs, 0, now, call.retries, call.keep)))
        return steps

    async def _add(self, queue: QueueClass, shard: int, entries: Sequence[Entry], lane: Lane) -> None:
        more: dict[str, Any] = {"delay_s": lane.delay_s} if lane.delay_s else {}
        if lane.key:
            more["unique"] = [f"{entry.job}:{lane.key}" for entry in entries]
        await self._ports.streams.add(queue, shard, entries, **more)

    # -- who knows what

    async def known(self) -> dict[str, QueueClass]:
        """Return every task that somebody knows, and its class."""
        await self._ask()
        return {name: queue for name in (*self._ports.own, *self._published) if (queue := self._queue(name))}

    async def _queues(self, names: Iterable[str]) -> dict[str, QueueClass]:
        """Return the classes of names; workers are asked when a name is not known, or was asked for long ago."""
        stale = asyncio.get_running_loop().time() > self._asked + _KNOWN_FOR_S
        if stale or not all(map(self._queue, names)):
            await self._ask()
        found = {name: self._queue(name) for name in names}
        for name, queue in found.items():
            if queue is None:
                raise unknown(name, {*self._ports.own, *self._published})
        return {name: queue for name, queue in found.items() if queue}

    def _queue(self, name: str) -> QueueClass | None:
        if name in self._published:
            return QueueClass(self._published[name])
        return self._ports.own[name].options.queue if name in self._ports.own else None

    async def _ask(self) -> None:
        self._published = dict(await self._ports.registered())
        self._asked = asyncio.get_running_loop().time()

    # -- results

    async def results(self, ids: Sequence[str], within: Span = 0.0) -> dict[str, TaskResult]:
        """Return the results of those that have ended; with `within`, once all have, or that time has passed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _seconds(within, "within")
        pause_s, most_s = _LOOK_S
        while True:
            left_s = end - loop.time()
            try:
                found = dict(await self._ports.read(ids))
            except UnavailableError:
                if left_s <= 0:
                    raise
            else:
                if len(found) == len(set(ids)) or left_s <= 0:
                    return found
            await asyncio.sleep(max(0.0, min(pause_s, left_s)))
            pause_s = min(1.5 * pause_s, most_s)

    async def result(self, task_id: str, within: Span = 0.0) -> TaskResult | None:
        """Return what became of a task; None if that is not known (`within` that time)."""
        return (await self.results([task_id], within)).get(task_id)

    async def cancel(self, *ids: str) -> None:
        """Have tasks not run, or end early: one that waits ends when it is its turn, one that runs within a second."""
        for task_id in ids:
            if not _ID.fullmatch(task_id):
                raise ConfigError([Fault("ID", f"{task_id[:40]!r} is no task's id", "`streampoll task list` has them")])
        await self._ports.cancel(ids)


def call(what: "str | Task[Any, Any]", *args: Any, kwargs: Mapping[str, Any] | None = None,
         retries: int | None = None) -> Call:  # fmt: skip
    """Describe a call, for `chain`, `chord` and `send_many`."""
    return _call(what, args, kwargs, retries)


def _call(
    what: "str | Task[Any, Any] | Call", args: Sequence[Any], kwargs: Mapping[str, Any] | None, retries: int | None
) -> Call:
    if isinstance(what, Call):
        return what
    named: dict[Any, Any] = dict(kwargs or {})
    if wrong := [key for key in named if not isinstance(key, str)]:
        raise ConfigError([Fault("kwargs", f"{wrong[0]!r} is no name", "write names of arguments as text")])
    return Call("", what.name if isinstance(what, Task) else what, list(args), named, retries=retries)


def _lane(options: Mapping[str, Any]) -> Lane:
    if strange := options.keys() - {"delay", "expires", "priority"}:
        raise TypeError(f"no option {min(strange)!r} here; there are delay, expires, priority")
    return Lane(
        _seconds(options.get("delay", 0.0), "delay"), _seconds(options.get("expires", 0.0), "expires"),
        priority=_priority(options.get("priority", Priority.NORMAL)),
    )  # fmt: skip


def _seconds(span: Span, name: str) -> float:
    if span == 0.0:
        return 0.0
    if isinstance(span, timedelta):
        span = span.total_seconds()
    try:
        seconds = parse_duration(span) if isinstance(span, str) else float(span)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise ConfigError([Fault(name, f"{span!r} is not a duration", 'write seconds, or "10s", "5m", "1h30m"')])
    return seconds


def _priority(said: Priority | str) -> Priority:
    if said is Priority.NORMAL:
        return Priority.NORMAL
    if said not in list(Priority):
        raise ConfigError([Fault("priority", f"{said!r} is none", f"write {' or '.join(Priority)}")])
    return Priority(said)


def _shard(task_id: str) -> int:
    return int(task_id.partition("-")[0])
