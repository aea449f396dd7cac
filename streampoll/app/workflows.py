"""Workflows in worker and coordinator processes, and for commands, put together."""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from streampoll.app.files import Files
from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.load import load_inventory, load_workflows
from streampoll.config.profile_port import PollPlan
from streampoll.config.selector import Selector
from streampoll.config.settings import Settings
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import StreampollError
from streampoll.model import Device
from streampoll.pollers.router import Router
from streampoll.results.codec import encode_payload
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres
from streampoll.shards.facts import DeviceFacts, Facts
from streampoll.shards.port import DispatchStreams
from streampoll.tasks.client import TaskClient
from streampoll.tasks.port import State
from streampoll.workflows.actions import ActionPorts, Actions
from streampoll.workflows.control import Starter, look_after
from streampoll.workflows.handler import RunHandler, RunPorts
from streampoll.workflows.journal import Journal
from streampoll.workflows.plan import Workflow
from streampoll.workflows.port import Directory

log = logging.getLogger(__name__)

_CONNECTIONS = 4
_LOOK_EVERY_S = 30.0
_FORGOTTEN_S = 300.0  # a run that nothing has happened to for so long is looked at
_FRESH_S = 30.0  # for which the inventory is taken as it was read


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What of the configuration runs need, as files have it now."""

    files: Files
    settings: Settings
    workflows: Mapping[str, Workflow]
    profiles: Mapping[str, PollPlan]


@dataclass(frozen=True, slots=True)
class RunSide:
    """What of a worker process serves runs."""

    handler: RunHandler
    postgres: Postgres
    streams: DispatchStreams
    keep_days: int

    async def watch(self) -> None:
        """Have runs looked at that were forgotten: Redis may have lost what carries them."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S * random.uniform(0.5, 1.5))
            try:
                async with self.postgres.transaction() as connection:
                    await look_after(connection, self.streams, _FORGOTTEN_S, self.keep_days)
            except StreampollError as error:
                log.debug("runs are not looked after: %s", error)


def run_side(loaded: RunFiles, side: RedisSide, router: Router, client: TaskClient, own_id: str) -> RunSide:
    """Make a worker process's side of workflows; nothing is connected before the first run."""
    settings = loaded.settings
    postgres = Postgres(settings.postgres, _CONNECTIONS, prepare=migrate)
    files = FileDirectory(partial(load_inventory, loaded.files.where, settings), side.clock.now)
    directory = FactsDirectory(side.facts, settings.shards.count, files)
    actions = Actions(
        ActionPorts(router.collect, loaded.profiles, directory, TaskSender(client), side.clock.now)
    )  # fmt: skip

    async def close() -> None:
        await router.close()
        await postgres.close()

    ports = RunPorts(
        Journal(postgres, random.random), loaded.workflows, actions.do, encode_payload, side.clock.now, own_id, close
    )
    return RunSide(RunHandler(ports), postgres, side.streams, settings.postgres.retention_days)


class FactsDirectory:
    """The devices that the leader tells of; those of files where no leader has told of any."""

    def __init__(self, facts: Facts, shards: int, files: Directory) -> None:
        self._facts = facts
        self._shards = shards
        self._files = files

    async def find(self, name: str) -> Device | None:
        """Return a device; None if there is none of that name."""
        found = await self._facts.find(name)
        if found is not None:
            return _device(found[1])
        return None if await self._told() else await self._files.find(name)

    async def select(self, selector: Selector) -> Sequence[str]:
        """Return the names of the enabled devices that a selector matches."""
        if not await self._told():
            return await self._files.select(selector)
        chosen: list[str] = []
        for shard in range(self._shards):
            facts = await self._facts.read({shard: await self._facts.names(shard)})
            chosen += [name for (_, name), each in facts.items() if selector.matches(_device(each))]
        return chosen

    async def _told(self) -> bool:
        return any(await self._facts.digests())


def _device(facts: DeviceFacts) -> Device:
    return Device(
        facts.name, facts.address, facts.port, facts.profile, facts.credential, facts.groups, facts.site, facts.role,
        facts.vendor, facts.tags, facts.interval_s, facts.parent, True, facts.overrides,
    )  # fmt: skip


class FileDirectory:
    """The devices of the inventory's files, read when a run first needs one."""

    def __init__(self, read: Callable[[], Sequence[Device]], now: Callable[[], float]) -> None:
        self._read = read
        self._now = now
        self._devices: Mapping[str, Device] = {}
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def find(self, name: str) -> Device | None:
        """Return a device; None if there is none of that name."""
        return (await self._known()).get(name)

    async def select(self, selector: Selector) -> Sequence[str]:
        """Return the names of the enabled devices that a selector matches."""
        known = await self._known()
        return [device.name for device in known.values() if device.enabled and selector.matches(device)]

    async def _known(self) -> Mapping[str, Device]:
        async with self._lock:
            if self._now() >= self._until:
                devices = await asyncio.to_thread(self._read)
                self._devices = {device.name: device for device in devices}
                self._until = self._now() + _FRESH_S
        return self._devices


class TaskSender:
    """The users' own tasks, for steps."""

    def __init__(self, client: TaskClient) -> None:
        self._client = client

    async def send(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], key: str) -> str:
        """Send a task, once for a key; return its id. Raises StreampollError: nobody knows it."""
        return await self._client.send(name, *args, kwargs=kwargs, key=key)

    async def result(self, task: str) -> tuple[Any, str] | None:
        """Return (value, error) of a task; None while it is under way."""
        ended = await self._client.result(task)
        if ended is None:
            return None
        if ended.state is State.DONE:
            return ended.value, ""
        return None, f"task {task} ended as {ended.state.word}: {ended.failure.text if ended.failure else ''}".rstrip(
            ": "
        )


@asynccontextmanager
async def open_starter(where: Path) -> AsyncIterator[tuple[Starter, RedisSide, Settings]]:
    """Make what starts runs, for commands."""
    settings = read_settings(where, os.environ)
    workflows = load_workflows(where, settings)
    async with open_redis(settings) as side:
        yield Starter(side.streams, settings.shards.count, workflows), side, settings
