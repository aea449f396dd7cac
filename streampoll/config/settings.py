"""The settings table: every name, default, unit, bound and help text, once.

The configuration file, the environment variables, `check`, the command line's defaults and docs/configuration.md are
all made from these dataclasses. A field's name carries its unit; in files a duration may also be written as text
("90s", "5m"), a size too ("8MiB"). Services take their section, not the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from streampoll.config.secret import Secret
from streampoll.model import SERVED, QueueClass

Seconds = float
Positive = Annotated[Seconds, Meta(gt=0)]  # a time-out or an interval
Limit = Annotated[Seconds, Meta(ge=0)]  # a limit that 0 switches off
Count = Annotated[int, Meta(ge=0)]
Prefix = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,32}$", title="letters, digits, _ . -, at most 32")]

_REDIS = Secret("redis://127.0.0.1:6379/0")
_NONE = Secret("")
_POSTGRES = Secret("postgresql://127.0.0.1:5432/streampoll")


def _doc(text: str) -> Meta:
    """Return a setting's help text, as `streampoll.config.reference` and messages show it."""
    return Meta(description=text)


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where the streams are."""

    url: Annotated[
        Secret, _doc("URL of Redis: redis://, rediss:// (TLS), unix://, sentinel(s)://, cluster(s)://; see security.md")
    ] = _REDIS
    prefix: Annotated[Prefix, _doc("first part of every key; lets deployments share one Redis")] = "sp"
    connect_timeout_s: Annotated[Positive, _doc("time-out of making a connection")] = 5.0
    memory_high_water: Annotated[float, Meta(gt=0, le=1), _doc("share of maxmemory above which dispatch skips")] = 0.8
    tls_ca: Annotated[str, _doc("file of the authorities of the servers' certificates; empty: the system's")] = ""
    tls_cert: Annotated[str, _doc("file of our certificate, for servers that ask for one")] = ""
    tls_key: Annotated[str, _doc("file of its key")] = ""
    tls_verify: Annotated[
        Literal["full", "chain", "none"], _doc("full: authority and host name; chain: authority only; none: anybody")
    ] = "full"
    sentinel_user: Annotated[str, _doc("user at the Sentinels, if they ask for one")] = ""
    sentinel_password: Annotated[Secret, _doc("password at the Sentinels; that of the servers is in url")] = _NONE


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Where the rows go."""

    dsn: Annotated[Secret, _doc("DSN of PostgreSQL (postgresql://user@host/database)")] = _POSTGRES
    prepared_statements: Annotated[bool, _doc("false behind pgbouncer in transaction mode, which mixes them up")] = True
    connect_timeout_s: Annotated[Positive, _doc("time-out of making a connection")] = 5.0
    command_timeout_s: Annotated[
        Positive, _doc("a statement of a process without an answer for so long is given up")
    ] = 20.0
    retention_days: Annotated[Count, _doc("days of polls that are kept; 0 keeps all")] = 30
    rates_retention_days: Annotated[Count, _doc("days of rates of counters that are kept; 0 keeps all")] = 30
    partitions_ahead_days: Annotated[int, Meta(ge=1, le=30), _doc("day partitions made in advance")] = 3


@dataclass(frozen=True, slots=True)
class ShardsSettings:
    """How the inventory is sliced."""

    count: Annotated[
        int, Meta(ge=1, le=4096), _doc("shards; recorded in Redis at first start, changed only when drained")
    ] = 16


@dataclass(frozen=True, slots=True)
class CoordinatorSettings:
    """Who leads, and how dispatch is paced."""

    lease_s: Annotated[Seconds, Meta(ge=2), _doc("leader lease; a dead leader is replaced within this + 2 s")] = 6.0
    grace_s: Annotated[Limit, _doc("a tick missed by at most this is dispatched late, an older one skipped")] = 10.0
    batch_size: Annotated[int, Meta(ge=1, le=1000), _doc("polls in one dispatch call")] = 100
    results_high_water: Annotated[int, Meta(ge=1000), _doc("results waiting in a shard above which dispatch skips")] = (
        100_000
    )
    facts: Annotated[
        bool, _doc("tell the fleet what the inventory says of devices; analysis, workflows and the API need it")
    ] = True


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What all worker processes share; the rest is in pools and queues."""

    heartbeat_s: Annotated[Positive, _doc("interval of a process's heartbeat")] = 1.0
    dead_after_s: Annotated[Positive, _doc("a process silent this long loses its shards")] = 3.0
    drain_s: Annotated[Limit, _doc("time to finish what is in flight after SIGTERM; the rest is handed back")] = 20.0
    outputs_kept: Annotated[
        int, Meta(ge=100), _doc("results kept in a shard for outputs that are behind; then the oldest go, and count")
    ] = 20_000
    start_timeout_s: Annotated[Positive, _doc("a child that has not beaten once by then is replaced")] = 30.0


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """One kind of worker: `[pools.NAME]`, `streampoll worker --pool NAME`, `streampoll-worker@NAME`."""

    queues: Annotated[tuple[QueueClass, ...], Meta(min_length=1), _doc("queue classes served")] = SERVED
    processes: Annotated[int, Meta(ge=1, le=1024), _doc("forked processes")] = 2
    concurrency: Annotated[int, Meta(ge=1, le=100_000), _doc("targets polled at a time by one process")] = 200
    prefetch: Annotated[Count, _doc("entries held beyond those being served")] = 8
    outputs: Annotated[bool, _doc("serves the outputs of the configuration, beside its queues")] = True
    max_tasks: Annotated[Count, _doc("a process is replaced after this many entries; 0: never")] = 0
    max_rss_mb: Annotated[Count, _doc("a process is replaced above this resident size; 0: never")] = 0


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Limits of one queue class: `[queues.polling]`."""

    concurrency: Annotated[Count, _doc("entries served at a time by one process; 0: the pool's")] = 0
    batch: Annotated[int, Meta(ge=1, le=10_000), _doc("entries handed to the handler at a time")] = 1
    soft_limit_s: Annotated[Limit, _doc("an attempt is cancelled and recorded after this; 0: never")] = 300.0
    hard_limit_s: Annotated[Limit, _doc("a process whose loop is blocked this long is killed; 0: never")] = 600.0
    claim_idle_s: Annotated[
        Seconds, Meta(ge=2), _doc("an entry idle this long is claimed by another process (visibility timeout)")
    ] = 30.0
    weight: Annotated[int, Meta(ge=1, le=100), _doc("share of a process's slots when classes compete")] = 1
    gather_s: Annotated[
        float,
        Meta(ge=0, le=1),
        _doc("on a busy stream, more is waited for so long: to acknowledge, and to read where entries go in batches"),
    ] = 0.005


def _default_queues() -> dict[QueueClass, QueueSettings]:
    return {
        QueueClass.POLLING: QueueSettings(weight=8, gather_s=0.2),
        QueueClass.RESULTS: QueueSettings(weight=8, concurrency=1_000, batch=500, soft_limit_s=0.0, gather_s=0.05),
        QueueClass.NOTIFICATIONS: QueueSettings(weight=4),
        QueueClass.WORKFLOWS: QueueSettings(weight=2),
        QueueClass.ANALYSIS: QueueSettings(weight=1, batch=16, gather_s=0.05),
        QueueClass.URGENT: QueueSettings(concurrency=50),
    }


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """What is made of results: rates of counters, and events by rules."""

    enabled: Annotated[bool, _doc("results are analysed, where a worker serves the class analysis")] = True
    cache_bytes: Annotated[
        int, Meta(ge=0), _doc("records of devices that a process keeps in memory; others are read from Redis each time")
    ] = 16 << 20


@dataclass(frozen=True, slots=True)
class SnmpSettings:
    """SNMP's defaults; a device overrides one as `snmp.NAME` in its inventory line."""

    engine: Annotated[
        Literal["wire", "pysnmp"], _doc("wire: our own; pysnmp: the second one, slower by far, to compare with")
    ] = "wire"
    port: Annotated[int, Meta(ge=1, le=65535), _doc("UDP port of agents")] = 161
    timeout_s: Annotated[Positive, _doc("time-out of one request")] = 2.0
    retries: Annotated[int, Meta(ge=0, le=10), _doc("further tries of a request that got no answer")] = 1
    window: Annotated[int, Meta(ge=1, le=64), _doc("requests in flight to one agent, over all jobs")] = 2
    gap_ms: Annotated[float, Meta(ge=0), _doc("least time between two requests to one agent")] = 0.0
    max_varbinds: Annotated[int, Meta(ge=1, le=500), _doc("variable bindings in one GET")] = 40
    max_repetitions: Annotated[int, Meta(ge=1, le=500), _doc("rows asked by one GETBULK at the most")] = 25
    max_reply_bytes: Annotated[int, Meta(ge=484, le=65507), _doc("size that replies are kept under (path MTU)")] = 1400
    follow_engine_id: Annotated[
        bool, _doc("SNMPv3: believe an agent with another engine ID than before once it proves it, or fail it as auth")
    ] = True
    allow_boots_back: Annotated[
        bool, _doc("SNMPv3: believe an agent whose engine boots or time went back, or fail it as auth")
    ] = False
    packets_per_s: Annotated[Count, _doc("requests a second sent by one process; 0: no bound")] = 20_000
    receive_buffer_bytes: Annotated[int, Meta(ge=65536), _doc("SO_RCVBUF asked for; the kernel's rmem_max caps it")] = (
        8 << 20
    )
    wall_limit_s: Annotated[Positive, _doc("a poll ends after this, with what it has")] = 60.0


@dataclass(frozen=True, slots=True)
class PingSettings:
    """Reachability: ICMP echo, or a TCP connect."""

    timeout_s: Annotated[Positive, _doc("wait for each echo")] = 1.0
    wall_limit_s: Annotated[Positive, _doc("a poll ends after this, with what it has")] = 30.0
    explain_silence: Annotated[bool, _doc("ask a device that is silent over its protocol for an echo, to say why")] = (
        True
    )


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """HTTP's defaults; a device overrides some as `http.NAME` in its inventory line."""

    connect_timeout_s: Annotated[Positive, _doc("time-out of making a connection, TLS included")] = 5.0
    read_timeout_s: Annotated[Positive, _doc("a device silent this long within an answer has timed out")] = 10.0
    request_limit_s: Annotated[Positive, _doc("one request ends after this, its whole answer included")] = 30.0
    wall_limit_s: Annotated[Positive, _doc("a poll ends after this, with what it has")] = 60.0
    max_body_bytes: Annotated[int, Meta(ge=1024), _doc("longest answer, measured once it is unpacked")] = 8 << 20
    connections: Annotated[int, Meta(ge=1, le=16), _doc("connections to one device, over all jobs")] = 1
    idle_s: Annotated[Positive, _doc("a device not polled for this long is logged out of and disconnected")] = 900.0
    max_kept: Annotated[Count, _doc("devices that one process stays connected to; 35 KB each or so")] = 1_000
    logout_limit_s: Annotated[Positive, _doc("time to log out of a device and close its connections")] = 5.0
    max_retry_after_s: Annotated[Limit, _doc("a device that asks to wait longer (Retry-After) is asked after this")] = (
        3600.0
    )
    tls_ca: Annotated[str, _doc("file of the authorities of devices' certificates; empty: the system's")] = ""
    tls_verify: Annotated[
        Literal["full", "chain", "none"], _doc("full: authority and host name; chain: authority only; none: anybody")
    ] = "full"


@dataclass(frozen=True, slots=True)
class SshSettings:
    """SSH's defaults; a device overrides some as `ssh.NAME` in its inventory line."""

    port: Annotated[int, Meta(ge=1, le=65535), _doc("TCP port of devices")] = 22
    host_keys: Annotated[
        Literal["first-use", "known"],
        _doc("first-use: a device's first host key is recorded and must stay; known: it must be in known_hosts"),
    ] = "first-use"
    known_hosts: Annotated[str, _doc("file of host keys in OpenSSH's format, shared by all processes of a host")] = (
        "known_hosts"
    )
    connect_timeout_s: Annotated[Positive, _doc("time-out of making a connection, and again of logging in")] = 10.0
    command_timeout_s: Annotated[Positive, _doc("time-out of one command; a profile's command may have its own")] = 15.0
    wall_limit_s: Annotated[Positive, _doc("a poll ends after this, with what it has")] = 60.0
    idle_s: Annotated[Limit, _doc("a kept connection is closed when it was idle this long")] = 600.0
    keepalive_s: Annotated[Limit, _doc("a kept connection is tested this often, dead after three; 0: never")] = 30.0
    max_sessions: Annotated[
        int, Meta(ge=0, le=64), _doc("sessions open to one device at a time; 0: one, and closed after each poll")
    ] = 1
    max_kept: Annotated[Count, _doc("idle connections one process keeps; 50 KB each or so")] = 1_000
    logins: Annotated[int, Meta(ge=1, le=1000), _doc("logins one process computes at a time")] = 16
    max_output_bytes: Annotated[int, Meta(ge=1024), _doc("longest output of one command")] = 1 << 20


@dataclass(frozen=True, slots=True)
class CustomSettings:
    """Custom pollers, of packages that you install."""

    wall_limit_s: Annotated[Positive, _doc("a poll ends after this, whatever the poller does")] = 60.0
    threads: Annotated[int, Meta(ge=1, le=1000), _doc("polls at a time of one process that block, in threads")] = 8


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """Where results go besides PostgreSQL: `[outputs.NAME]`; see outputs.md."""

    kind: Annotated[Literal["remote_write", "influx", "jsonl", "redis"], _doc("how and what is written; must be there")]
    url: Annotated[str, _doc("where to, for all kinds but jsonl; no secret in it: credential names one")] = ""
    path: Annotated[str, _doc("jsonl: file that lines are appended to; - is stdout")] = ""
    credential: Annotated[str, _doc("name in credentials.toml: basic, bearer or api_key")] = ""
    tls_ca: Annotated[str, _doc("file of the authorities of the server's certificate; empty: the system's")] = ""
    enabled: Annotated[bool, _doc("false keeps the table and sends nothing")] = True
    batch: Annotated[int, Meta(ge=1, le=10_000), _doc("results sent at a time")] = 500
    timeout_s: Annotated[Positive, _doc("a send that takes longer is given up, and tried again")] = 10.0
    max_back_off_s: Annotated[Positive, _doc("longest wait before it is tried again")] = 60.0
    rotate_bytes: Annotated[Count, _doc("jsonl: the file is renamed once it is longer; 0: never")] = 100 << 20
    rotate_keep: Annotated[int, Meta(ge=1, le=1000), _doc("jsonl: renamed files that are kept")] = 5
    stream: Annotated[str, _doc("redis: key of the stream")] = "streampoll:results"
    stream_max: Annotated[int, Meta(ge=1), _doc("redis: entries kept in the stream, roughly")] = 100_000


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Figures for Prometheus: `streampoll metrics`."""

    listen: Annotated[str, _doc("host and port that /metrics is answered on")] = "127.0.0.1:9585"
    device_max_age_s: Annotated[
        Positive, _doc("/metrics/device says nothing of a poll that was due longer ago than this")
    ] = 900.0


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The HTTP API and the dashboard."""

    enabled: Annotated[bool, _doc("run it inside `up` and `demo` too")] = True
    host: Annotated[str, _doc("address to listen on; another than loopback needs a token first: security.md")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=1, le=65535), _doc("TCP port to listen on")] = 5000
    allowed_hosts: Annotated[
        tuple[str, ...], _doc("names that requests may call it by, beside localhost, this host's and addresses")
    ] = ()
    trust_loopback: Annotated[
        bool, _doc("requests from this host, not forwarded by a proxy, need no token and may act")
    ] = True
    rate_per_s: Annotated[float, Meta(ge=0), _doc("requests a second of one address; 0: no bound")] = 50.0
    max_body_bytes: Annotated[int, Meta(ge=1024), _doc("longest body of a request")] = 64 << 10
    connections: Annotated[int, Meta(ge=1, le=10_000), _doc("connections at a time")] = 200
    streams: Annotated[int, Meta(ge=1, le=10_000), _doc("listeners of /api/v1/stream at a time")] = 50

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://[{self.host}]:{self.port}/" if ":" in self.host else f"http://{self.host}:{self.port}/"


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """Tasks of your own: Python functions of modules and packages that you install."""

    modules: Annotated[
        tuple[str, ...], _doc("modules with tasks, found beside streampoll.toml too; packages are found by themselves")
    ] = ()
    threads: Annotated[int, Meta(ge=1, le=1000), _doc("tasks at a time of one process that run in threads")] = 8
    processes: Annotated[
        int, Meta(ge=1, le=256), _doc("child processes of one process, for tasks that run in them")
    ] = 2
    max_bytes: Annotated[int, Meta(ge=1024, le=16 << 20), _doc("size of a task's arguments, and of its result")] = (
        256 << 10
    )
    kept_days: Annotated[Count, _doc("days that results are kept; 0 keeps all")] = 7


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Logging."""

    level: Annotated[Literal["debug", "info", "warning", "error"], _doc("least severe level that is written")] = "info"
    format: Annotated[Literal["console", "json"], _doc("how a line looks: for people, or one JSON object")] = "console"
    device_lines: Annotated[
        int, Meta(ge=0), _doc("lines a minute and process on devices that begin to fail or answer again; 0: none")
    ] = 20


@dataclass(frozen=True, slots=True)
class PathSettings:
    """Where the other files are; relative paths start at the configuration's directory."""

    inventory: Annotated[tuple[str, ...], _doc("inventory files (glob patterns)")] = ("inventory.*",)
    profiles: Annotated[str, _doc("directory of profiles (*.toml)")] = "profiles"
    workflows: Annotated[str, _doc("directory of workflows (*.toml)")] = "workflows"
    credentials: Annotated[str, _doc("file of credentials")] = "credentials.toml"
    notifications: Annotated[str, _doc("file of routes and channels of notifications")] = "notifications.toml"
    data: Annotated[str, _doc("data of the embedded servers")] = "data"


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
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    snmp: SnmpSettings = field(default_factory=SnmpSettings)
    ping: PingSettings = field(default_factory=PingSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    ssh: SshSettings = field(default_factory=SshSettings)
    custom: CustomSettings = field(default_factory=CustomSettings)
    outputs: Mapping[str, OutputSettings] = field(default_factory=dict)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    tasks: TaskSettings = field(default_factory=TaskSettings)
    log: LogSettings = field(default_factory=LogSettings)
    paths: PathSettings = field(default_factory=PathSettings)


def enabled_outputs(settings: Settings) -> dict[str, OutputSettings]:
    """Return the outputs that are fed."""
    return {name: output for name, output in settings.outputs.items() if output.enabled}
