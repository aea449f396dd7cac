"""What programs send tasks with: clients over a configuration, with and without an event loop."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.load import default_directory, source_directory
from streampoll.config.settings import Settings
from streampoll.embedded.endpoints import read_settings
from streampoll.results.postgres import Postgres
from streampoll.shards.cancels import Cancels
from streampoll.shards.registered import Registered
from streampoll.tasks import results
from streampoll.tasks.client import ClientPorts, Read, TaskClient
from streampoll.tasks.port import TaskResult, Tasks
from streampoll.tasks.registry import load_tasks

T = TypeVar("T")

inside: ContextVar["tuple[TaskClient, asyncio.AbstractEventLoop] | None"] = ContextVar(
    "streampoll_client", default=None
)
"""In a task: the client of its process, and that one's loop."""


def own_tasks(settings: Settings, where: Path) -> Tasks:
    """Return the tasks of a configuration and of installed packages.

    Raises:
        ConfigError: one of the modules can't be used.
    """
    return load_tasks(settings.tasks.modules, source_directory(where).absolute())


def make_client(settings: Settings, side: RedisSide, read: Read, tasks: Tasks) -> TaskClient:
    """Make a client over a process's own connections."""
    cancels = Cancels(side.topology, side.keys, side.clock)
    registered = Registered(side.topology, side.keys, side.clock)
    ports = ClientPorts(
        side.streams, registered.read, read, cancels.cancel, side.clock.now, settings.shards.count, tasks,
        settings.tasks.max_bytes,
    )  # fmt: skip
    return TaskClient(ports)


async def read_results(postgres: Postgres, ids: Sequence[str]) -> Mapping[str, TaskResult]:
    """Read the results of those tasks that have ended."""
    async with postgres.transaction() as connection:
        return await results.read(connection, ids)


@asynccontextmanager
async def open_client(settings: Settings, tasks: Tasks) -> AsyncIterator[TaskClient]:
    """Make a client for a configuration; nothing is connected before its first use."""
    postgres = Postgres(settings.postgres, 1)
    async with open_redis(settings) as side:
        try:
            yield make_client(settings, side, partial(read_results, postgres), tasks)
        finally:
            await postgres.close()


class Client:
    """Sends tasks from a program: `async with Client("/etc/streampoll") as client: await client.send(…)`.

    The configuration is read once, here. Without a directory it is that of $STREAMPOLL_CONFIG, else this one, else
    /etc/streampoll; in a task it is the worker's, and so are the connections.
    """

    def __init__(self, config: str | Path | None = None) -> None:
        self._stack = AsyncExitStack()
        self._of_worker = None if config else _worker_client()
        if self._of_worker is None:
            where = _where(config)
            self._settings = read_settings(where, os.environ)
            self._tasks = own_tasks(self._settings, where)

    async def __aenter__(self) -> TaskClient:
        """Open it."""
        if self._of_worker is not None:
            return self._of_worker
        return await self._stack.enter_async_context(open_client(self._settings, self._tasks))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._stack.aclose()


class SyncClient:
    """The same for programs without an event loop: `with SyncClient() as client: client.send(…)`. Threads may share it.

    It has the methods of `TaskClient`, which wait for their answer.
    """

    def __init__(self, config: str | Path | None = None) -> None:
        self._opening = Client(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="streampoll client", daemon=True)
        self._client: TaskClient | None = None

    def __enter__(self) -> "SyncClient":
        """Open it."""
        self._thread.start()
        self._client = self._wait(self._opening.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections and end its thread."""
        self._wait(self._opening.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a method of the client, to be called without `await`."""
        if name.startswith("_") or not hasattr(TaskClient, name):
            raise AttributeError(name)
        method = getattr(self._client, name)
        return lambda *args, **options: self._wait(method(*args, **options))

    def _wait(self, work: "Coroutine[Any, Any, T]") -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def send(what: Any, *args: Any, **options: Any) -> str:
    """Send a task and return its id; see `TaskClient.send`.

    In a task it goes over its worker's connections. Elsewhere connections are made for this one call: a program that
    sends more than now and then keeps a `Client`.
    """
    async with Client() as client:
        return await client.send(what, *args, **options)


def send_sync(what: Any, *args: Any, **options: Any) -> str:
    """Do as `send`, in a function without `await`."""
    here = inside.get()
    if here is None:
        return asyncio.run(send(what, *args, **options))
    client, loop = here
    if _running_loop() is loop:
        raise RuntimeError("send_sync would block the worker's loop; write: await send(…)")
    return asyncio.run_coroutine_threadsafe(client.send(what, *args, **options), loop).result()


def _worker_client() -> TaskClient | None:
    """Return the client of the worker whose loop this is."""
    here = inside.get()
    return here[0] if here is not None and here[1] is _running_loop() else None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _where(config: str | Path | None) -> Path:
    return Path(config or os.environ.get("STREAMPOLL_CONFIG") or default_directory(Path()))
