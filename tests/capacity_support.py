"""Constants and loads of round numbers, for capacity tests to be reckoned by hand."""

from dataclasses import replace
from typing import Any

from streampoll.capacity.constants import Constants, Load, Source, Standing
from streampoll.capacity.model import Question

SOURCE = Source("capacity", "2026-01-31", "a machine")
CPU_US = {"coordinator": 5.0, "worker": 200.0, "store": 50.0, "redis": 40.0, "postgres": 20.0}


def load(name: str = "get10", protocol: str = "snmp", **changes: Any) -> Load:
    """Return a load of 10 varbinds in one request."""
    made = Load(
        name=name, protocol=protocol, about="one GET of 10", requests=1.0, varbinds=10.0, cpu_us=CPU_US,
        redis_round_trips=0.25, redis_commands=5.0, redis_in_bytes=600.0, redis_out_bytes=400.0, aof_bytes=1000.0,
        payload_bytes=200.0, row_bytes=100.0, wal_bytes=500.0, request_ip_bytes=200.0, reply_ip_bytes=250.0,
        source=SOURCE,
    )  # fmt: skip
    return replace(made, **changes)


STANDING = Standing(
    poll_waiting_bytes=100.0, poll_held_bytes=500.0, result_waiting_bytes=100.0, shard_bytes=1000.0,
    shard_cpu_us={"redis": 100.0}, worker_pss_mb=40.0, worker_descriptors=15, coordinator_pss_mb=60.0,
    coordinator_device_bytes=300.0, ledger_row_bytes=150.0, source=SOURCE,
)  # fmt: skip
CONSTANTS = Constants(
    STANDING,
    (
        load(),
        load("walk90", requests=3.0, varbinds=90.0, cpu_us={**CPU_US, "worker": 600.0}, payload_bytes=600.0),
        load("walk400", requests=10.0, varbinds=410.0, cpu_us={**CPU_US, "worker": 2200.0}, payload_bytes=1900.0),
        load(
            "analysis-get10",
            "analysis",
            requests=0.0,
            cpu_us={"worker": 10.0, "analysis": 100.0, "redis": 20.0},
            redis_in_bytes=100.0,
            payload_bytes=150.0,
            row_bytes=50.0,
            rates_rows=1.0,
            device_bytes=400.0,
        ),
        load(
            "analysis-walk90",
            "analysis",
            requests=0.0,
            varbinds=90.0,
            cpu_us={"analysis": 500.0},
            redis_in_bytes=500.0,
            payload_bytes=150.0,
            row_bytes=50.0,
            rates_rows=1.0,
            device_bytes=2000.0,
        ),
        load("silent", "silent", varbinds=0.0, cpu_us={**CPU_US, "worker": 100.0}, payload_bytes=100.0),
    ),
)


def question(devices: int = 60_000, interval_s: float = 60.0, **changes: Any) -> Question:
    """Return a question about get10; 1,000 polls a second unless said otherwise."""
    asked = Question(devices, interval_s, load(), silent=0.0, latency_s=0.1, retention_days=10)
    return replace(asked, **changes)
