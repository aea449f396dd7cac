"""A poller on Celery as many run one: prefork workers, Redis, one task a device, a row a task in PostgreSQL.

Runs in Celery's environment. Two tasks: pysnmp with an engine shared by all tasks of a process, and net-snmp's commands
forked for each device. It is kept as fast as such deployments get: no result backend, no MIB look-ups, one connection a
process with autocommit, numeric output of the commands; with pysnmp each process has met each device before, since an
engine's first request to one costs several milliseconds more, and the more the more it knows.

The single values are one GET. The tables are a GETBULK each, of all columns wanted of it and as many repetitions as
take it in one reply; it is asked on where a reply was cut. With pysnmp nothing cheaper was found: bulk_walk_cmd, which
takes a column at a time, spends 1.4 times the CPU with the same repetitions, twice with 25. With net-snmp that is a
fork a request: snmpget, and an snmpbulkget a table. snmpbulkwalk would be one a column, eight instead of two, or bring
whole tables, five times as many values; and one GETBULK for all can't name the instances of single values.

    python celery_polls.py TASK    sends tasks for the devices of $DEVICES again and again, as a beat or cron job does
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any

import psycopg
import walk
from celery import Celery
from celery.signals import worker_process_init

OIDS = os.environ["OIDS"].split()
TABLES: list[list[str]] = json.loads(os.environ["TABLES"])  # of each the columns' OIDs
REPETITIONS = int(os.environ["REPETITIONS"])
VALUES = int(os.environ["VALUES"])  # of a device, all together
PORT = int(os.environ["AGENT_PORT"])
COMMUNITY = os.environ["COMMUNITY"]
BACKLOG = 400  # tasks that wait at the most: a dispatcher that sends a round each interval never has more

app = Celery("peers", broker=os.environ["BROKER_URL"])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)

Found = dict[str, str | dict[str, str]]
"""Single values by their OIDs, and columns by theirs: of each the values by index."""


class Process:
    """What the tasks of one worker process share."""

    database: psycopg.Connection
    loop: asyncio.AbstractEventLoop
    engine: object
    access: object  # pysnmp's CommunityData
    context: object  # its ContextData


@worker_process_init.connect
def _open(**_: object) -> None:
    Process.database = psycopg.connect(os.environ["DSN"], autocommit=True)
    Process.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(Process.loop)
    from pysnmp.hlapi.v3arch.asyncio import CommunityData, ContextData, SnmpEngine

    Process.engine, Process.access, Process.context = SnmpEngine(), CommunityData(COMMUNITY), ContextData()
    for address in os.environ["KNOWN"].split():
        Process.loop.run_until_complete(_ask(address))


@app.task(name="pysnmp")
def poll_pysnmp(address: str, slot: float) -> None:
    """Ask for the values through pysnmp."""
    _store(address, slot, Process.loop.run_until_complete(_ask(address)))


async def _ask(address: str) -> Found:
    from pysnmp.hlapi.v3arch.asyncio import UdpTransportTarget, bulk_cmd, get_cmd

    target = await UdpTransportTarget.create((address, PORT), timeout=2, retries=1)
    found: Found = dict(await _request(get_cmd, target, OIDS))
    for columns in TABLES:
        table = walk.Walk(columns)
        while table.oids:
            table.take(await _request(bulk_cmd, target, table.oids, 0, REPETITIONS))
        found |= table.found
    return found


async def _request(command: Any, target: object, oids: list[str], *numbers: int) -> list[tuple[str, str]]:
    from pysnmp.hlapi.v3arch.asyncio import ObjectIdentity, ObjectType

    varbinds = [ObjectType(ObjectIdentity(oid)) for oid in oids]
    error, status, _, found = await command(
        Process.engine, Process.access, target, Process.context, *numbers, *varbinds, lookupMib=False
    )
    if error or status:
        raise RuntimeError(str(error or status))
    return [(str(name), value.prettyPrint()) for name, value in found]


@app.task(name="snmpget")
def poll_snmpget(address: str, slot: float) -> None:
    """Ask for the values through net-snmp's commands."""
    found: Found = dict(_fork(["snmpget"], address, OIDS))
    for columns in TABLES:
        table = walk.Walk(columns)
        while table.oids:
            table.take(_fork(["snmpbulkget", "-Cn0", f"-Cr{REPETITIONS}"], address, table.oids))
        found |= table.found
    _store(address, slot, found)


def _fork(command: list[str], address: str, oids: list[str]) -> list[tuple[str, str]]:
    options = ["-v2c", "-c", COMMUNITY, "-m", "", "-On", "-Oq", "-Oe", "-t2", "-r1"]
    done = subprocess.run([*command, *options, f"{address}:{PORT}", *oids], capture_output=True, text=True, check=True)
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    return [(oid.removeprefix("."), value) for oid, _, value in lines]


def _store(address: str, slot: float, found: Found) -> None:
    count = sum(len(each) if isinstance(each, dict) else 1 for each in found.values())
    if count != VALUES:
        raise RuntimeError(f"{address}: {count} values")
    Process.database.execute(
        "INSERT INTO celery_polls (device, slot, found) VALUES (%s, to_timestamp(%s), %s)",
        (address, slot, json.dumps(found)),
    )


def dispatch(task: str) -> None:
    """Send tasks for ever, at the pace at which they are done."""
    import redis

    queue = redis.Redis.from_url(os.environ["BROKER_URL"])
    with open(os.environ["DEVICES"]) as file:
        devices = file.read().split()
    with app.producer_pool.acquire(block=True) as producer:
        while True:
            slot = time.time()
            for number, address in enumerate(devices):
                if number % 50 == 0:
                    while queue.llen("celery") > BACKLOG:
                        time.sleep(0.05)
                app.send_task(task, (address, slot), producer=producer)


if __name__ == "__main__":
    dispatch(sys.argv[1])
