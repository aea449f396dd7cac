"""A deployment whose workers have tasks, and a client that sends them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from streampoll.app.task_client import open_client, own_tasks
from streampoll.embedded.endpoints import read_settings
from streampoll.tasks.client import TaskClient
from streampoll.tasks.port import TaskResult
from tests.e2e_support import START_S, Deployment, deployment_of
from tests.servers_support import run_now
from tests.waiting import eventually, eventually_async

WITHIN = START_S
TOML = """\
[shards]
count = 4

[worker]
drain_s = 2

[tasks]
modules = ["own_tasks"]
processes = 1
threads = 2

[queues.workflows]
claim_idle_s = 2

[queues.results]
claim_idle_s = 2

[queues.urgent]
claim_idle_s = 2

[pools.general]
processes = 1
concurrency = 40
"""
OWN_TASKS = '''\
"""Tasks of the tests. A file in the directory NOTES says what ran."""

import asyncio
import os
import signal
import time
from pathlib import Path

from streampoll import RetryLater, SoftLimitReached, send, send_sync, task

NOTES = Path(__file__).parent / "notes"


def note(name, text="ran"):
    with (NOTES / name).open("a") as file:
        file.write(f"{text}\\n")


def noted(name):
    return (NOTES / name).read_text().split() if (NOTES / name).exists() else []


@task(name="add")
async def add(one, other):
    return one + other


@task(name="total")
async def total(numbers, extra=0):
    return sum(numbers) + extra


@task(name="flaky", retries=2, back_off_s=0.01)
async def flaky(failures):
    note("flaky")
    if len(noted("flaky")) <= failures:
        raise ValueError(f"not yet, {'x' * 5000}")
    return "at last"


@task(name="nonsense")
async def nonsense():
    return {1, 2}


@task(name="later", retries=1)
async def later():
    note("later")
    if len(noted("later")) == 1:
        raise RetryLater(0.1)
    return "now"


@task(name="endless", soft_limit_s=0.2)
async def endless():
    try:
        await asyncio.sleep(100)
    finally:
        note("endless")


@task(name="deaf", soft_limit_s=0.1, hard_limit_s=0.3)
async def deaf():
    while True:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            note("deaf")


@task(name="sleep")
async def sleep(seconds):
    note("sleep", os.getpid())
    await asyncio.sleep(seconds)
    return "slept"


@task(name="blocked", run_in="thread", soft_limit_s=0.2, hard_limit_s=0.5)
def blocked():
    note("blocked", os.getpid())
    time.sleep(60)


@task(name="relay", run_in="thread")
def relay(number):
    return send_sync("add", number, 1)


@task(name="hand_on")
async def hand_on(number):
    return await send("add", number, 2)


@task(name="compute", run_in="process", retries=0)
def compute(number):
    return [number * number, os.getpid()]


@task(name="hang", run_in="process", soft_limit_s=0.2)
def hang():
    try:
        while True:
            time.sleep(0.01)
    except SoftLimitReached:
        note("hang")
        raise


@task(name="hang_hard", run_in="process", hard_limit_s=0.5)
def hang_hard():
    note("hang_hard", os.getpid())
    time.sleep(100)


@task(name="die", run_in="process")
def die():
    os.kill(os.getpid(), signal.SIGKILL)


@task(name="count", results=False)
async def count(number):
    note("count", number)
    await asyncio.sleep(0.05)


@task(name="mark", results=False)
async def mark(text):
    note("count", text)
'''


@contextmanager
def task_deployment(where: Path, redis_url: str, dsn: str, prefix: str = "sp") -> Iterator[Deployment]:
    """Write a configuration with tasks; end every process of it when the block ends."""
    (where / "streampoll.toml").write_text(TOML)
    (where / "own_tasks.py").write_text(OWN_TASKS)
    (where / "notes").mkdir()
    own = {"STREAMPOLL_REDIS_PREFIX": prefix, "STREAMPOLL_CONFIG": str(where)}
    with deployment_of(where, redis_url, dsn, **own) as deployment:
        yield deployment


def working(deployment: Deployment) -> None:
    """Start a worker and wait until it serves."""
    deployment.start("worker", "--pool", "general")

    async def known() -> bool:
        async with client_of(deployment) as client:
            return "add" in await client.known()

    eventually(lambda: run_now(known()), WITHIN)


def notes(deployment: Deployment, name: str) -> list[str]:
    """What a task has noted."""
    path = deployment.where / "notes" / name
    return path.read_text().split() if path.exists() else []


@asynccontextmanager
async def client_of(deployment: Deployment) -> AsyncIterator[TaskClient]:
    """A client of a program that knows no task itself."""
    settings = read_settings(deployment.where, deployment.environ)
    async with open_client(settings, {}) as client:
        yield client


async def ended(client: TaskClient, what: str, *args: object, **options: object) -> TaskResult:
    """Send a task and return what became of it."""
    result = await client.result(await client.send(what, *args, **options), WITHIN)
    assert result is not None, f"{what} has not ended"
    return result


__all__ = ["WITHIN", "client_of", "ended", "eventually_async", "notes", "own_tasks", "task_deployment", "working"]
