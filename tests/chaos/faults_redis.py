"""Faults of Redis: killed, frozen, emptied, set back, its connections and groups taken away."""

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import redis

from streampoll.embedded.redis import EmbeddedRedis
from tests.chaos.fault import Torment, fault
from tests.chaos.system import Servers, wait_for
from tests.topology_support import Server


@fault("Redis killed (-9), back after 2 s with the same data", loses=True, on=Servers.ONE)
def redis_killed(torment: Torment) -> None:
    torment.system.redis.kill()
    torment.wait(2)
    _start(torment)


@fault("Redis stopped for longer than leases last", on=Servers.ONE)
def redis_away(torment: Torment) -> None:
    torment.system.redis.stop()
    torment.wait(min(12.0, torment.long_s))
    _start(torment)


@fault("CLIENT PAUSE of Redis")
def redis_paused(torment: Torment) -> None:
    seconds = torment.rng.uniform(3, 7)
    with torment.system.redis_client() as client:
        client.execute_command("CLIENT", "PAUSE", int(seconds * 1000), "ALL")
    torment.tell(f"for {seconds:.1f} s")
    torment.wait(seconds)


@fault("freeze Redis", on=Servers.ONE)
def redis_frozen(torment: Torment) -> None:
    pid = torment.system.redis.pid
    seconds = torment.rng.uniform(3, 10)
    os.kill(pid, signal.SIGSTOP)
    torment.tell(f"for {seconds:.1f} s")
    try:
        torment.wait(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


@fault("every connection of Redis killed")
def redis_connections_killed(torment: Torment) -> None:
    with torment.system.redis_client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal")


@fault("FLUSHALL", loses=True)
def redis_flushed(torment: Torment) -> None:
    with torment.system.redis_client() as client:
        _when_much_is_in_flight()
        client.flushall()


@fault("Redis back with nothing in it", loses=True, on=Servers.ONE)
def redis_emptied(torment: Torment) -> None:
    _when_much_is_in_flight()
    torment.system.redis.kill()
    shutil.rmtree(_files(torment.system.redis, torment))
    torment.wait(1)
    _start(torment)


@fault("Redis back with what it held some seconds ago", loses=True, on=Servers.ONE)
def redis_set_back(torment: Torment) -> None:
    files = _files(torment.system.redis, torment)
    kept = files.with_name("kept")
    shutil.copytree(files, kept)
    torment.wait(torment.rng.uniform(2, 6))
    torment.system.redis.kill()
    shutil.rmtree(files)
    kept.rename(files)
    _start(torment)


@fault("the consumer groups of all streams destroyed by hand")
def groups_destroyed(torment: Torment) -> None:
    with torment.system.redis_client() as client:
        for queue in ("polling", "results"):
            for key in client.scan_iter(f"sp:{{*}}:{queue}"):
                client.xgroup_destroy(key, queue)


@fault("a living worker's consumer deleted by hand, with what it holds")
def consumers_deleted(torment: Torment) -> None:
    dropped = 0
    with torment.system.redis_client() as client:
        for queue in ("polling", "results"):
            for key in client.scan_iter(f"sp:{{*}}:{queue}"):
                with suppress(redis.ResponseError):
                    for consumer in client.xinfo_consumers(key, queue):
                        dropped += client.xgroup_delconsumer(key, queue, consumer["name"])
    torment.tell(f"{dropped} entries were pending")


@fault("the master killed (-9), its replica promoted by Sentinel", loses=True, on=Servers.SENTINEL)
def redis_failover_killed(torment: Torment) -> float:
    watched = torment.system.sentinels
    old = watched.master()
    old.kill()
    promoted = _promoted(torment, old)
    old.start()
    return promoted


@fault("the master frozen, its replica promoted by Sentinel; it wakes and is made a replica", loses=True,
       on=Servers.SENTINEL)  # fmt: skip
def redis_failover_frozen(torment: Torment) -> float:
    old = torment.system.sentinels.master()
    assert old.process is not None
    os.kill(old.process.pid, signal.SIGSTOP)
    try:
        promoted = _promoted(torment, old)
    finally:
        os.kill(old.process.pid, signal.SIGCONT)
    return promoted


@fault("SENTINEL FAILOVER: the master is replaced and lives on", loses=True, on=Servers.SENTINEL)
def redis_failover_asked(torment: Torment) -> float:
    watched = torment.system.sentinels
    old = watched.master()
    watched.sentinels[0].do("SENTINEL FAILOVER", watched.service)
    return _promoted(torment, old)


def _when_much_is_in_flight() -> None:
    """Wait for the moment after a second has been dispatched."""
    time.sleep(1.02 - time.time() % 1)


def _promoted(torment: Torment, old: object) -> float:
    """Wait until every Sentinel names another master; return when that was."""
    watched = torment.system.sentinels

    def named(sentinel: Server) -> int:
        return int(sentinel.do("SENTINEL GET-MASTER-ADDR-BY-NAME", watched.service)[1])

    wait_for(lambda: watched.master() is not old and len(set(map(named, watched.sentinels))) == 1, 30, 0.2)
    return time.time()


def _files(server: EmbeddedRedis, torment: Torment) -> Path:
    """Return what has the data: a directory from Redis 7 on."""
    directory = torment.system.room / "redis"
    found = directory / "appendonlydir"
    if not found.exists():
        raise RuntimeError("this needs a redis-server 7 on the PATH")
    return found


def _start(torment: Torment) -> None:
    torment.system.redis.start()
    torment.system.network.moved("redis", torment.system.redis.port)
