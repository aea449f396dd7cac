"""The Celery deployment of `peers`: workers, a dispatcher, Redis as the broker, rows in PostgreSQL."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.contenders.ground import Contender, Ground, Runner, begun
from benchmarks.rig.environments import APPS, MissingPeer, peer_environment
from benchmarks.rig.processes import running, tail
from benchmarks.rig.roles import Roles

PROCESSES = 8  # prefork workers wait for their device: more of them than cores
KNOWN = 100  # devices that are polled with pysnmp: each process has asked each before, since a first contact costs more
_TABLE = (
    "CREATE TABLE IF NOT EXISTS celery_polls (device text, slot timestamptz, found jsonb, PRIMARY KEY (device, slot))"
)
_RAISED = re.compile(r"^\[([^,]+),.*raised unexpected", re.MULTILINE)
_VERSIONS = ("celery", "kombu", "redis", "pysnmp", "psycopg")


@contextmanager
def _celery(task: str, ground: Ground) -> Iterator[Runner]:
    environment = peer_environment("celery")
    if task == "snmpget" and not _is_there("snmpget"):
        raise MissingPeer("snmpget is not installed: apt-get install snmp")
    _ask(ground, _TABLE)
    known = ground.addresses[:KNOWN] if task == "pysnmp" else []
    (ground.where / "devices").write_text("\n".join(known or ground.addresses))
    environ = {
        "BROKER_URL": ground.servers.redis_url.removesuffix("/0") + "/1",
        "DSN": ground.servers.dsn,
        "OIDS": " ".join(value.oid for value in ground.asked.scalars),
        "TABLES": json.dumps(ground.asked.tables),
        "REPETITIONS": str(ground.asked.repetitions),
        "VALUES": str(ground.asked.values),
        "AGENT_PORT": str(ground.port),
        "COMMUNITY": ground.community,
        "DEVICES": str(ground.where / "devices"),
        "KNOWN": " ".join(known),
        "PYTHONPATH": str(APPS),
        "SNMP_PERSISTENT_DIR": str(ground.where),
    }
    python = str(environment.python)
    worker = [
        python,
        "-m",
        "celery",
        "-A",
        "celery_polls",
        "worker",
        f"--concurrency={PROCESSES}",
        "--loglevel=WARNING",
    ]
    log = ground.where / "worker.log"
    with ExitStack() as stack:
        start = partial(running, environ=environ, cwd=ground.where)
        workers = stack.enter_context(start(worker, log))
        script = str(APPS / "celery_polls.py")
        dispatcher = stack.enter_context(start([python, script, task], ground.where / "dispatch.log"))
        roles = Roles({"worker": [workers.pid], "dispatcher": [dispatcher.pid], **ground.servers.roles})
        versions = {name: environment.versions[name] for name in _VERSIONS}
        runner = Runner(
            roles,
            lambda: int(_ask(ground, "SELECT count(*) FROM celery_polls")[0][0]),
            lambda: [values_of(json.loads(row["found"])) for row in _ask(ground, "SELECT found FROM celery_polls")],
            versions,
            [workers, dispatcher],
            lambda since: failed_of(log, since),
        )
        yield stack.enter_context(begun(runner, lambda: tail(log)))


def failed_of(log: Path, since: float) -> int:
    """Count the tasks that raised; a worker says so of each in a line that begins with the time."""
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
    return sum(said[1] >= began for said in _RAISED.finditer(log.read_text(errors="replace")))


def _is_there(program: str) -> bool:
    import shutil

    return shutil.which(program) is not None


def values_of(found: dict[str, Any]) -> int:
    """Count the values of a row; both libraries say in words what does not exist."""
    parts = [each.values() if isinstance(each, dict) else [each] for each in found.values()]
    return sum(not value.startswith(("No Such ", "No more ")) for part in parts for value in part)


def _ask(ground: Ground, statement: str) -> list[Any]:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(ground.servers.dsn)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(ask())


celery_pysnmp: Contender = partial(_celery, "pysnmp")
celery_snmpget: Contender = partial(_celery, "snmpget")
