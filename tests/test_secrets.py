"""No secret is ever seen, whatever is polled, succeeds or fails: everything runs at DEBUG, and everything is searched.

Rule 35 of a poller: not in argv, logs, exceptions, streams, results or what commands print; nor its first letters, nor
another form of it. Every protocol has a device that accepts its secret, and one that does not.
"""

import asyncio
import base64
import os
import re
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from streampoll.config.credentials import _READERS
from streampoll.results.codec import decode_payload
from tests.custom_support import install
from tests.e2e_support import SHARDS, START_S, Deployment, deployment_of
from tests.secrets_support import CASES, Case, found_in, new_secret, off_the_loop
from tests.test_custom_example import EXAMPLE
from tests.waiting import eventually_async

TOML = f"""
[log]
level = "debug"
[shards]
count = {SHARDS}
[snmp]
timeout_s = 0.3
retries = 0
[ssh]
connect_timeout_s = 5
[worker]
drain_s = 5
[jobs.all]
every = "2s"
"""


System = tuple[Deployment, list[Case]]


class Witness:
    """Sees all that is said while it looks: every command that Redis gets, every argument of a process."""

    def __init__(self, redis_url: str) -> None:
        self.seen = bytearray()
        self._client = redis.Redis.from_url(redis_url)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._commands, self._arguments)]

    def __enter__(self) -> "Witness":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(10)
        self._client.close()

    def _commands(self) -> None:
        """Take what MONITOR says as it comes: the client's own parser stumbles over bodies in msgpack."""
        connection = self._client.connection_pool.make_connection()
        connection.connect()
        connection.send_command("MONITOR")
        connection._sock.settimeout(0.2)
        while not self._end.is_set():
            with suppress(TimeoutError):
                self.seen += connection._sock.recv(1 << 16)
        connection.disconnect()

    def _arguments(self) -> None:
        while not self._end.wait(0.05):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen += entry.read_bytes()
                except OSError:  # it has ended
                    continue


@pytest.fixture
async def system(
    open_directory: Path, fresh_redis: str, fresh_database: str
) -> AsyncIterator[tuple[Deployment, list[Case]]]:
    """A deployment at DEBUG with two devices a protocol: one accepts its secrets, the other accepts others."""
    packages = open_directory / "packages"
    install(packages, "nut-ups", "nut_ups", (EXAMPLE / "nut_ups.py").read_text())
    modules = os.pathsep.join([str(packages), str(Path(__file__).parent.parent)])
    where = open_directory / "configuration"
    (where / "profiles").mkdir(parents=True)
    async with AsyncExitStack() as stack:
        with deployment_of(where, fresh_redis, fresh_database, PYTHONPATH=modules) as deployment:
            cases = [await serve(case, deployment, stack) for case in CASES]
            (where / "streampoll.toml").write_text(TOML)
            yield deployment, cases


async def serve(case: Case, deployment: Deployment, stack: AsyncExitStack) -> Case:
    """Serve the devices of a case, and write its part of the configuration."""
    where = deployment.where
    words = [tuple(new_secret() for _ in range(case.secrets)) for _ in range(2)]
    case = replace(case, right=words[0], wrong=words[1])
    port = await stack.enter_async_context(case.serve(where.parent / case.name, case.right))
    profile = case.profile if "\n" not in case.profile else f"of-{case.name}"
    if "\n" in case.profile:
        (where / f"profiles/{profile}.toml").write_text(case.profile)
    inventory = where / "inventory.csv"
    text = inventory.read_text() if inventory.exists() else "name,address,port,profile,credential\n"
    for kind, secret_words in (("right", case.right), ("wrong", case.wrong)):
        kept = [place(deployment, f"{case.name}_{kind}_{n}", word) for n, word in enumerate(secret_words)]
        with (where / "credentials.toml").open("a") as file:
            file.write(f"[credentials.{case.name}-{kind}]\n" + case.credential.format(*kept) + "\n")
        text += f"{case.name}-{kind},127.0.0.1,{port},{profile},{case.name}-{kind}\n"
    inventory.write_text(text)
    return case


def place(deployment: Deployment, name: str, word: str) -> str:
    """Keep a secret somewhere, by turns: in a variable, in a file, behind a program."""
    kind = len(list(deployment.where.parent.glob("*.secret"))) % 3
    file = deployment.where.parent / f"{name}.secret"
    file.write_text(word)
    file.chmod(0o600)
    deployment.environ[name.upper()] = word
    return (f'"env:{name.upper()}"', f'"file:{file}"', f'{{ command = ["cat", "{file}"] }}')[kind]


async def test_no_secret_is_seen_anywhere(system: System) -> None:
    deployment, cases = system
    words = [word for case in cases for word in (*case.right, *case.wrong)]
    with Witness(deployment.redis_url) as witness:
        deployment.start("coordinator")
        deployment.start("worker", "--processes", "2")
        await eventually_async(lambda: off_the_loop(enough, deployment, len(cases)), START_S)
        printed = await commands(deployment, cases)
        rows, statuses = await stored(deployment.dsn)
        kept = await off_the_loop(in_redis, deployment)

    assert {name: ok for name, ok in statuses.items() if ok != name.endswith("right")} == {}
    places = {
        "arguments and commands of Redis": bytes(witness.seen),
        "keys of Redis": kept,
        "rows": rows,
        "what commands print": printed,
        **{running.log.name: running.log.read_bytes() for running in deployment.running},
        **{str(path): path.read_bytes() for path in deployment.where.rglob("*") if path.is_file()},
    }
    assert all(len(places[name]) > 500 for name in ("arguments and commands of Redis", "rows", "what commands print"))
    assert b"DEBUG" in places["1-worker.log"]
    leaks = {name: seen for name, text in places.items() if (seen := found_in(text, words))}
    assert leaks == {}


def enough(deployment: Deployment, protocols: int) -> bool:
    """Tell whether every device has been polled several times."""
    rows = deployment.query("SELECT count(*) FROM polls GROUP BY device")
    return len(rows) == 2 * protocols and min(row[0] for row in rows) >= 3


async def commands(deployment: Deployment, cases: list[Case]) -> bytes:
    """Run every command that shows something, some of them at DEBUG; return all they print."""
    devices = [f"{case.name}-{kind}" for case in cases for kind in ("right", "wrong")]
    calls = [("check", "--json"), ("stats", "--json"), ("audit", "--since", "1m", "--json", "--list"), ("dead", "list")]
    calls += [("poll", device, "--json") for device in devices]
    calls += [(name, device, *more) for device in devices[:2]
              for name, more in (("device", ["--json"]), ("results", ["--format", "json"]))]  # fmt: skip
    printed = b""
    for first in range(0, len(calls), 4):
        some = [
            asyncio.to_thread(deployment.run, *call, STREAMPOLL_LOG_LEVEL="debug") for call in calls[first : first + 4]
        ]
        for done in await asyncio.gather(*some):
            assert "Traceback" not in done.stderr, done.stderr
            printed += (done.stdout + done.stderr).encode()
    return printed


async def stored(dsn: str) -> tuple[bytes, dict[str, bool]]:
    """Return all that is in PostgreSQL as text, payloads opened; and by device whether a poll was ok."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        rows = [row for table in tables for row in await connection.fetch(f'SELECT * FROM "{table["name"]}"')]
        ended = await connection.fetch(
            "SELECT d.name, bool_or(p.status = 0) AS ok FROM polls p JOIN devices d ON d.id = p.device GROUP BY d.name"
        )
    finally:
        await connection.close()
    opened = [decode_payload(row["payload"]) for row in rows if "payload" in dict(row)]
    return repr([rows, opened]).encode(), {row["name"]: row["ok"] for row in ended}


def in_redis(deployment: Deployment) -> bytes:
    """Return every key of Redis with all that is in it."""
    readers: dict[bytes, Any] = {b"hash": "HGETALL", b"string": "GET", b"zset": "ZRANGE", b"stream": "XRANGE"}
    ends = {"ZRANGE": (0, -1), "XRANGE": ("-", "+")}
    with deployment.redis() as client:
        return b"".join(
            key + repr(client.execute_command(word, key, *ends.get(word, ()))).encode()
            for key in client.scan_iter()
            if (word := readers.get(client.type(key)))
        )


# -- that the search finds what it looks for


@pytest.mark.parametrize(
    "leak",
    ["{0}", "…{0:.6}…", "{1}", "{2}", "{3}"],
)
def test_a_leak_in_any_form_is_found(leak: str) -> None:
    word = new_secret()
    turned, basic = word[::-1], base64.b64encode(f"user:{word}".encode()).decode()

    assert found_in(leak.format(word, turned, word.encode().hex(), basic).encode(), [new_secret(), word])
    assert not found_in(leak.format(*[new_secret()] * 4).encode(), [word])


def test_every_protocol_of_a_profile_with_a_credential_is_searched_for() -> None:
    asked = {match[1] if (match := re.match(r'protocol = "(\w+)"', case.credential)) else "snmp" for case in CASES}

    assert _READERS.keys() <= asked
