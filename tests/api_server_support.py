"""The API as its process runs it, on a loop in a thread of the test, over a real socket."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from streampoll.api.server import Server, listen
from streampoll.app.api import ApiBuild
from streampoll.app.files import Files
from streampoll.app.redis_side import open_redis
from streampoll.config.load import load_settings
from streampoll.embedded.places import free_port
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres

TOML = """\
[shards]
count = 4

[api]
rate_per_s = 0

[jobs.interfaces]
every = "60s"

[jobs.nightly]
cron = "0 3 * * *"
"""
INVENTORY = "name,address,profile,site,groups\n" + "".join(
    f"r{n},192.0.2.{n},system,{'zrh' if n % 2 else 'gva'},core\n" for n in range(1, 21)
)


def configured(where: Path) -> Path:
    """Write a configuration of twenty devices."""
    (where / "streampoll.toml").write_text(TOML)
    (where / "credentials.toml").write_text("")
    (where / "inventory.csv").write_text(INVENTORY)
    return where


@contextmanager
def serving(where: Path, redis_url: str, dsn: str, **environ: str) -> Iterator[str]:
    """Serve the API of a configuration; yields its URL."""
    port, started = free_port(), threading.Event()
    servers = {"STREAMPOLL_REDIS_URL": redis_url, "STREAMPOLL_POSTGRES_DSN": dsn, "STREAMPOLL_API_PORT": str(port)}
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        running.append((asyncio.get_running_loop(), stop))
        await _serve(where, servers | environ, started, stop)

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="api")
    thread.start()
    try:
        assert started.wait(20)
        yield f"http://127.0.0.1:{port}"
    finally:
        loop, stop = running[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        assert not thread.is_alive()


async def _serve(where: Path, environ: dict[str, str], started: threading.Event, stop: asyncio.Event) -> None:
    settings = load_settings(where, environ)
    async with AsyncExitStack() as stack:
        side = await stack.enter_async_context(open_redis(settings))
        postgres = Postgres(settings.postgres, 4, prepare=migrate)
        stack.push_async_callback(postgres.close)
        build = ApiBuild(Files(where, environ), settings, side, postgres)
        await build.check_tokens()
        server = Server(build.application(), listen(settings.api.host, settings.api.port), settings.api.connections)
        beside = [asyncio.ensure_future(task) for _, task in build.background(lambda: None)]
        serving = asyncio.ensure_future(server.serve())
        started.set()
        await stop.wait()
        build.stop(server)
        await serving
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
