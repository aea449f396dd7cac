"""A poller on Celery as many run one: prefork workers, Redis, one task a device, a row a task in PostgreSQL.

Runs in Celery's environment. Two tasks: pysnmp with an engine shared by all tasks of a process, and net-snmp's snmpget
forked for each device. It is kept as fast as such deployments get: no result backend, no MIB look-ups, one connection a
process with autocommit, numeric output of snmpget.

    python celery_polls.py TASK    sends tasks for the devices of $DEVICES again and again, as a beat or cron job does
"""

import asyncio
import json
import os
import subprocess
import sys
import time

import psycopg
from celery import Celery
from celery.signals import worker_process_init

OIDS = os.environ["OIDS"].split()
PORT = int(os.environ["AGENT_PORT"])
COMMUNITY = os.environ["COMMUNITY"]
BACKLOG = 400  # tasks that wait at the most: a dispatcher that sends a round each interval never has more

app = Celery("peers", broker=os.environ["BROKER_URL"])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)


class Process:
    """What the tasks of one worker process share."""

    database: psycopg.Connection
    loop: asyncio.AbstractEventLoop
    engine: object


@worker_process_init.connect
def _open(**_: object) -> None:
    Process.database = psycopg.connect(os.environ["DSN"], autocommit=True)
    Process.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(Process.loop)
    from pysnmp.hlapi.v3arch.asyncio import SnmpEngine

    Process.engine = SnmpEngine()


@app.task(name="pysnmp")
def poll_pysnmp(address: str, slot: float) -> None:
    """Ask for the ten values through pysnmp."""
    _store(address, slot, Process.loop.run_until_complete(_get(address)))


async def _get(address: str) -> dict[str, str]:
    from pysnmp.hlapi.v3arch.asyncio import (
        CommunityData,
        ContextData,
        ObjectIdentity,
        ObjectType,
        UdpTransportTarget,
        get_cmd,
    )

    target = await UdpTransportTarget.create((address, PORT), timeout=2, retries=1)
    varbinds = [ObjectType(ObjectIdentity(oid)) for oid in OIDS]
    error, status, _, found = await get_cmd(
        Process.engine, CommunityData(COMMUNITY), target, ContextData(), *varbinds, lookupMib=False
    )
    if error or status:
        raise RuntimeError(str(error or status))
    return {str(name): value.prettyPrint() for name, value in found}


@app.task(name="snmpget")
def poll_snmpget(address: str, slot: float) -> None:
    """Ask for the ten values through net-snmp's command."""
    done = subprocess.run(
        ["snmpget", "-v2c", "-c", COMMUNITY, "-m", "", "-On", "-Oq", "-Oe", "-t2", "-r1", f"{address}:{PORT}", *OIDS],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    _store(address, slot, dict(line.split(" ", 1) for line in done.stdout.splitlines()))


def _store(address: str, slot: float, found: dict[str, str]) -> None:
    if len(found) != len(OIDS):
        raise RuntimeError(f"{address}: {len(found)} values")
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
