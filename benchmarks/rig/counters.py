"""What Redis and PostgreSQL have done and hold, and a coordinator: counters that only grow, and weights."""

import gc
import multiprocessing
import time
from collections.abc import Mapping

import redis

from benchmarks.rig.deployment import Deployment
from benchmarks.rig.processes import Ended
from streampoll.config.jobs import Job
from streampoll.coordinator.layout import lay_out
from streampoll.model import Device, QueueClass
from streampoll.worker.process import resident_bytes

_SENT = ("evalsha", "evalsha_ro", "xreadgroup", "set", "get", "time", "ping")  # by clients; scripts send the rest
_BACKLOG_S = 4.0
_STREAMS = tuple(f":{queue}".encode() for queue in QueueClass)
_INDEX_ENTRY_BYTES = 56  # five columns in a B-tree whose pages are 90 % full
_ROWS = (
    "SELECT count(*) AS rows, coalesce(avg(octet_length(payload)), 0)::float8 AS payload,"
    " (SELECT count(*) FROM rates) AS rates,"
    " (SELECT coalesce(avg(octet_length(payload)), 0)::float8 FROM rates) AS rates_payload,"
    " (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
    " WHERE inhparent IN ('polls'::regclass, 'rates'::regclass))::float8 AS relation,"
    " (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 AS wal FROM polls"
)


def counters(on: Deployment) -> dict[str, float]:
    """Read them all; `payload` and `rates_payload` are means, the rest only grow."""
    return {**dict(on.query(_ROWS)[0]), **_of_redis(on)}


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return by how much they have grown; the means as they are."""
    grown = {name: value - before[name] for name, value in after.items()}
    return {**grown, "payload": after["payload"], "rates_payload": after["rates_payload"]}


def _of_redis(on: Deployment) -> dict[str, float]:
    with redis.Redis.from_url(on.servers.redis_url) as client:
        said = client.info("everything")
    return {
        "round_trips": sum(said[f"cmdstat_{name}"]["calls"] for name in _SENT if f"cmdstat_{name}" in said),
        "commands": sum(of["calls"] for name, of in said.items() if name.startswith("cmdstat_")),
        "in": said["total_net_input_bytes"],
        "out": said["total_net_output_bytes"],
        "aof": said.get("aof_current_size", 0),
    }


def entry_bytes(on: Deployment, queue: str) -> int:
    """Return what an entry of a class (of results: a row) takes in Redis, from how much more more of them take."""
    first = _waiting(on, queue)
    time.sleep(_BACKLOG_S)
    last = _waiting(on, queue)
    if last[0] <= first[0]:
        raise Ended(f"no {queue} entries came to wait")
    return round((last[1] - first[1]) / (last[0] - first[0]))


def _waiting(on: Deployment, queue: str) -> tuple[int, int]:
    """Return how many entries (of results, rows) of a class there are, and the bytes of their streams."""
    with redis.Redis.from_url(on.servers.redis_url) as client:
        streams = list(client.scan_iter(f"sp:{{*}}:{queue}", count=1000))
        weights = (client.memory_usage(stream, samples=0) or 0 for stream in streams)
        backlogs = client.scan_iter("sp:{*}:backlog", count=1000) if queue == "results" else ()
        more_rows = sum(int(client.hget(backlog, "results:+") or 0) for backlog in backlogs)
        return sum(client.xlen(stream) for stream in streams) + more_rows, sum(weights)


def held_bytes(on: Deployment) -> int:
    """Return what Redis takes more for an entry that a consumer holds, from many in a stream of their own."""
    stream, entries = "weighed", 10_000
    with redis.Redis.from_url(on.servers.redis_url) as client:
        client.xgroup_create(stream, "polling", mkstream=True)
        for _ in range(entries):
            client.xadd(stream, {"v": "1"})
        before = int(client.memory_usage(stream, samples=0) or 0)
        client.xreadgroup("polling", "worker", {stream: ">"}, count=entries)
        after = int(client.memory_usage(stream, samples=0) or 0)
        client.delete(stream)
    return round((after - before) / entries)


def keep_appending(on: Deployment) -> None:
    """Have Redis not rewrite its append-only file, which so only grows."""
    with redis.Redis.from_url(on.servers.redis_url) as client:
        client.config_set("auto-aof-rewrite-percentage", 0)


def shard_bytes(on: Deployment) -> int:
    """Return what the keys of a shard take but for its streams of work."""
    with redis.Redis.from_url(on.servers.redis_url) as client:
        keys = [key for key in client.scan_iter("sp:{*}*", count=1000) if not key.endswith(_STREAMS)]
        return round(sum(client.memory_usage(key) or 0 for key in keys) / on.shape.shards)


def ledger_row_bytes(on: Deployment) -> int:
    """Return what a ledger row takes, from many copies: those of a short run fill no page."""
    on.query("DROP TABLE IF EXISTS weighed")
    on.query("CREATE TABLE weighed (LIKE ledger)")
    on.query("INSERT INTO weighed SELECT one.* FROM ledger one, generate_series(1, 50)")
    size, rows = on.query("SELECT pg_table_size('weighed'), (SELECT count(*) FROM weighed)")[0]
    return round(size / max(rows, 1)) + _INDEX_ENTRY_BYTES


def planned_bytes(devices: int) -> int:
    """Return the memory that a coordinator takes for a device, in a process that does nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_planned_bytes, (devices,))


def _planned_bytes(devices: int) -> int:
    gc.collect()
    before = resident_bytes()
    inventory = [
        Device(f"core-{n:07}", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", profile="get10") for n in range(devices)
    ]
    plans = list(lay_out([Job("bench", every_s=300)], inventory, 64))
    del inventory
    gc.collect()
    return round((resident_bytes() - before) / devices) if plans else 0
