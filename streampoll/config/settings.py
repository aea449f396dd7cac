"""The settings table: every name, default, unit, bound and help text, once.

The configuration file, the environment variables, `check`, the command line's defaults and docs/configuration.md are all
made from these dataclasses. A field's name carries its unit; in files a duration may also be written as text ("90s",
"5m"). Services take their section, not the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from streampoll.config.secret import Secret
from streampoll.model import QueueClass

Seconds = float


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where the streams are."""

    url: Annotated[Secret, Meta(description="URL of Redis (redis://, rediss://, unix://)")] = Secret(
        "redis://127.0.0.1:6379/0"
    )
    prefix: Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,32}$", description="first part of every key; lets deployments share one Redis")] = "sp"  # fmt: skip
    connect_timeout_s: Annotated[Seconds, Meta(gt=0, description="time-out of making a connection")] = 5.0
    memory_high_water: Annotated[float, Meta(gt=0, le=1, description="share of maxmemory above which dispatch skips")] = 0.8  # fmt: skip


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Where the rows go."""

    dsn: Annotated[Secret, Meta(description="DSN of PostgreSQL (postgresql://user@host/database)")] = Secret(
        "postgresql://127.0.0.1:5432/streampoll"
    )
    connect_timeout_s: Annotated[Seconds, Meta(gt=0, description="time-out of making a connection")] = 5.0
    command_timeout_s: Annotated[Seconds, Meta(gt=0, description="time-out of one statement of the store")] = 60.0
    retention_days: Annotated[int, Meta(ge=0, description="days of polls that are kept; 0 keeps all")] = 30
    partitions_ahead_days: Annotated[int, Meta(ge=1, le=30, description="day partitions made in advance")] = 3


@dataclass(frozen=True, slots=True)
class ShardsSettings:
    """How the inventory is sliced."""

    count: Annotated[int, Meta(ge=1, le=4096, description="shards; recorded in Redis at first start, changed only when drained")] = 16  # fmt: skip


@dataclass(frozen=True, slots=True)
class CoordinatorSettings:
    """Who leads, and how dispatch is paced."""

    lease_s: Annotated[Seconds, Meta(ge=2, description="leader lease; a dead leader is replaced within this + 2 s")] = 6.0  # fmt: skip
    grace_s: Annotated[Seconds, Meta(ge=0, description="a tick missed by at most this is dispatched late, an older one skipped")] = 10.0  # fmt: skip
    batch_size: Annotated[int, Meta(ge=1, le=1000, description="polls in one dispatch call")] = 100
    results_high_water: Annotated[int, Meta(ge=1000, description="results waiting in a shard above which dispatch skips")] = 100_000  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What all worker processes share; the rest is in pools and queues."""

    heartbeat_s: Annotated[Seconds, Meta(gt=0, description="interval of a process's heartbeat")] = 1.0
    dead_after_s: Annotated[Seconds, Meta(gt=0, description="a process silent this long loses its shards")] = 3.0
    drain_s: Annotated[Seconds, Meta(ge=0, description="time to finish what is in flight after SIGTERM; the rest is handed back")] = 20.0  # fmt: skip
    start_timeout_s: Annotated[Seconds, Meta(gt=0, description="a child that has not beaten once by then is replaced")] = 30.0  # fmt: skip


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """One kind of worker: `[pools.NAME]`, `streampoll worker --pool NAME`, `streampoll-worker@NAME`."""

    queues: Annotated[tuple[QueueClass, ...], Meta(min_length=1, description="queue classes served")] = tuple(
        QueueClass
    )
    processes: Annotated[int, Meta(ge=1, le=1024, description="forked processes")] = 2
    concurrency: Annotated[int, Meta(ge=1, le=100_000, description="targets polled at a time by one process")] = 200
    prefetch: Annotated[int, Meta(ge=0, description="entries held beyond those being served")] = 8
    max_tasks: Annotated[int, Meta(ge=0, description="a process is replaced after this many entries; 0: never")] = 0
    max_rss_mb: Annotated[int, Meta(ge=0, description="a process is replaced above this resident size; 0: never")] = 0


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Limits of one queue class: `[queues.polling]`."""

    concurrency: Annotated[int, Meta(ge=0, description="entries served at a time by one process; 0: the pool's")] = 0
    batch: Annotated[int, Meta(ge=1, le=10_000, description="entries handed to the handler at a time")] = 1
    soft_limit_s: Annotated[Seconds, Meta(ge=0, description="an attempt is cancelled and recorded after this; 0: never")] = 300.0  # fmt: skip
    hard_limit_s: Annotated[Seconds, Meta(ge=0, description="a process whose loop is blocked this long is killed; 0: never")] = 600.0  # fmt: skip
    claim_idle_s: Annotated[Seconds, Meta(ge=2, description="an entry idle this long is claimed by another process (visibility timeout)")] = 30.0  # fmt: skip
    weight: Annotated[int, Meta(ge=1, le=100, description="share of a process's slots when classes compete")] = 1


def _default_queues() -> dict[QueueClass, QueueSettings]:
    return {
        QueueClass.POLLING: QueueSettings(weight=8),
        QueueClass.RESULTS: QueueSettings(weight=8, concurrency=2_000, batch=1_000, soft_limit_s=0.0),
        QueueClass.NOTIFICATIONS: QueueSettings(weight=4),
        QueueClass.WORKFLOWS: QueueSettings(weight=2),
        QueueClass.ANALYSIS: QueueSettings(weight=1),
    }


@dataclass(frozen=True, slots=True)
class SnmpSettings:
    """SNMP's defaults; a device overrides one as `snmp.NAME` in its inventory line."""

    engine: Annotated[Literal["wire", "pysnmp"], Meta(description="wire: our own (v1, v2c; v3 goes to pysnmp); pysnmp: everything")] = "wire"  # fmt: skip
    port: Annotated[int, Meta(ge=1, le=65535, description="UDP port of agents")] = 161
    timeout_s: Annotated[Seconds, Meta(gt=0, description="time-out of one request")] = 2.0
    retries: Annotated[int, Meta(ge=0, le=10, description="further tries of a request that got no answer")] = 1
    window: Annotated[int, Meta(ge=1, le=64, description="requests in flight to one agent, over all jobs")] = 2
    gap_ms: Annotated[float, Meta(ge=0, description="least time between two requests to one agent")] = 0.0
    max_varbinds: Annotated[int, Meta(ge=1, le=500, description="variable bindings in one GET")] = 40
    max_repetitions: Annotated[int, Meta(ge=1, le=500, description="rows asked by one GETBULK at the most")] = 25
    max_reply_bytes: Annotated[int, Meta(ge=484, le=65507, description="size that replies are kept under (path MTU)")] = 1400  # fmt: skip
    packets_per_s: Annotated[int, Meta(ge=0, description="requests a second sent by one process; 0: no bound")] = 20_000
    receive_buffer_bytes: Annotated[int, Meta(ge=65536, description="SO_RCVBUF asked for; the kernel's rmem_max caps it")] = 8 << 20  # fmt: skip
    wall_limit_s: Annotated[Seconds, Meta(gt=0, description="a poll ends after this, with what it has")] = 60.0


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Logging."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="least severe level that is written")] = "info"  # fmt: skip


@dataclass(frozen=True, slots=True)
class PathSettings:
    """Where the other files are; relative paths start at the configuration's directory."""

    inventory: Annotated[tuple[str, ...], Meta(description="inventory files (glob patterns)")] = ("inventory.*",)
    profiles: Annotated[str, Meta(description="directory of profiles (*.toml)")] = "profiles"
    credentials: Annotated[str, Meta(description="file of credentials")] = "credentials.toml"
    data: Annotated[str, Meta(description="data of the embedded servers")] = "data"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole of streampoll.toml but its jobs."""

    redis: RedisSettings = field(default_factory=RedisSettings)
    postgres: PostgresSettings = field(default_factory=PostgresSettings)
    shards: ShardsSettings = field(default_factory=ShardsSettings)
    coordinator: CoordinatorSettings = field(default_factory=CoordinatorSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    pools: Mapping[str, PoolSettings] = field(default_factory=dict)
    queues: Mapping[QueueClass, QueueSettings] = field(default_factory=_default_queues)
    snmp: SnmpSettings = field(default_factory=SnmpSettings)
    log: LogSettings = field(default_factory=LogSettings)
    paths: PathSettings = field(default_factory=PathSettings)
