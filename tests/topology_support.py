"""Redis processes in formation: a Cluster, a master with replicas and Sentinels; each on ports and files of its own."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streampoll.embedded.places import free_port
from streampoll.embedded.process import ServerCommand, ServerProcess
from streampoll.model import QueueClass
from streampoll.shards.slots import SLOTS
from tests.servers_support import redis_program
from tests.shards_support import RedisBench
from tests.waiting import eventually

NODE_TIMEOUT_MS = 1_500


@dataclass
class Server:
    """One redis-server process."""

    directory: Path
    options: Sequence[str]  # lines of its configuration
    program: Path = field(default_factory=lambda: redis_program("redis-7.0"))
    mode: Sequence[str] = ()  # ("--sentinel",)
    password: str = ""
    tls: dict[str, Any] = field(default_factory=dict)  # how our own client connects
    tls_lines: Callable[[int], Sequence[str]] | None = None  # lines of the configuration for a port with TLS
    clock: str = ""  # what its clock is off by: "+40s"
    port: int = field(default_factory=free_port)
    process: ServerProcess | None = None

    def start(self) -> None:
        """Start it on its port and directory; what these hold is still there."""
        self.directory.mkdir(exist_ok=True)
        configuration = self.directory / "redis.conf"
        if not configuration.exists():  # a Sentinel, and a node that is told to, keep what they know in theirs
            port = self.tls_lines(self.port) if self.tls_lines else (f"port {self.port}",)
            lines = ("bind 127.0.0.1", f"dir {self.directory}", *port, *self.options)
            configuration.write_text("\n".join(lines) + "\n")
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT)
        try:
            argv = (*with_clock(self.clock), str(self.program), str(configuration), *self.mode)
            self.process = ServerProcess(ServerCommand("Redis", argv, self.directory, signal.SIGTERM), lock)
        finally:
            os.close(lock)
        self.process.wait_ready(self._answers, 20.0)

    def _answers(self) -> bool:
        try:
            return bool(self.do("PING"))
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def do(self, *words: Any) -> Any:
        """Run a command on this process."""
        client: redis.Redis = redis.Redis(
            host="127.0.0.1",
            port=self.port,
            password=self.password or None,
            socket_timeout=5.0,
            retry=Retry(NoBackoff(), 0),
            **self.tls,
        )
        try:
            return client.execute_command(*words)
        finally:
            client.close()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    def stop(self) -> None:
        """End it for good."""
        self.kill()


def with_clock(offset: str) -> Sequence[str]:
    """Return what starts a program with a wall clock of its own. Redis 7.0 as Debian has it does not start so:
    its jemalloc asks for the time before libfaketime is ready. Redis 6.2 and Valkey bring their allocators."""
    if not offset:
        return ()
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.fail("libfaketime is not installed: apt-get install faketime")
    return ("/usr/bin/env", f"LD_PRELOAD={library}", f"FAKETIME={offset}", "FAKETIME_DONT_FAKE_MONOTONIC=1")


@contextmanager
def servers(directory: Path, *options: str, count: int = 1, **more: Any) -> Iterator[list[Server]]:
    """Run servers of the same configuration."""
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            server = Server(directory / secrets.token_hex(4), options, **more)
            stack.callback(server.stop)
            server.start()
            made.append(server)
        yield made


# -- Cluster


@dataclass
class TestCluster:
    """Masters that share the slots evenly, and a replica of each, if wanted."""

    __test__ = False
    masters: list[Server]
    replicas: list[Server]

    @property
    def url(self) -> str:
        """What streampoll is given: the first two nodes."""
        return f"cluster://{','.join(f'127.0.0.1:{server.port}' for server in self.masters[:2])}"

    def holder(self, slot: int) -> Server:
        """The master of a slot, by the first master's knowledge."""
        for first, last, (_, port, *_), *_ in self.masters[0].do("CLUSTER SLOTS"):
            if first <= slot <= last:
                return next(server for server in (*self.masters, *self.replicas) if server.port == port)
        raise AssertionError(f"nobody serves slot {slot}")


@contextmanager
def redis_cluster(directory: Path, replicas: bool = False, masters: int = 3, **more: Any) -> Iterator[TestCluster]:
    """Run a Cluster; the last of four masters has no slots."""
    options = (
        "cluster-enabled yes", f"cluster-node-timeout {NODE_TIMEOUT_MS}", "cluster-require-full-coverage no",
        "save ''", "repl-diskless-sync-delay 0", "cluster-replica-validity-factor 0",
    )  # fmt: skip
    with ExitStack() as stack:
        nodes = []
        for _ in range(masters * (2 if replicas else 1)):
            port, bus = free_port(), free_port()
            server = Server(directory / secrets.token_hex(4), (*options, f"cluster-port {bus}"), port=port, **more)
            stack.callback(server.stop)
            server.start()
            nodes.append((server, bus))
        cluster = TestCluster([s for s, _ in nodes[:masters]], [s for s, _ in nodes[masters:]])
        share_slots(cluster.masters[:3])
        for server, bus in nodes[1:]:
            nodes[0][0].do("CLUSTER MEET", "127.0.0.1", server.port, bus)
        everybody = [server for server, _ in nodes]
        eventually(lambda: all(knows(server, len(everybody)) for server in everybody), 20)
        for master, replica in zip(cluster.masters, cluster.replicas, strict=False):
            replica.do("CLUSTER REPLICATE", node_id(master))
        eventually(lambda: all(b"cluster_state:ok" in info_of(server) for server in everybody), 20)
        eventually(lambda: all(in_sync(replica) for replica in cluster.replicas), 20)
        yield cluster


def share_slots(masters: Sequence[Server]) -> None:
    """Give each master its share, and an epoch of its own."""
    share = -(-SLOTS // len(masters))
    for number, server in enumerate(masters):
        server.do("CLUSTER SET-CONFIG-EPOCH", number + 1)
        server.do("CLUSTER ADDSLOTSRANGE", number * share, min((number + 1) * share, SLOTS) - 1)


def node_id(server: Server) -> str:
    """The node's name in its Cluster."""
    return text(server.do("CLUSTER MYID"))


def info_of(server: Server) -> bytes:
    """CLUSTER INFO."""
    said = server.do("CLUSTER INFO")
    return said if isinstance(said, bytes) else repr(said).replace("': '", ":").encode()


def knows(server: Server, count: int) -> bool:
    """Tell whether a node has met so many."""
    return f"cluster_known_nodes:{count}".encode() in info_of(server)


def in_sync(replica: Server) -> bool:
    """Tell whether a replica has its master's data."""
    return replica.do("INFO", "replication").get("master_link_status") == "up"


def text(said: Any) -> str:
    """Bytes as text."""
    return said.decode() if isinstance(said, bytes) else str(said)


def move_slot(slot: int, source: Server, target: Server, cluster: TestCluster, stay_s: float = 0.0) -> None:
    """Move a slot while it is in use, as redis-cli's reshard does; `stay_s` is how long it hangs between the two."""
    target.do("CLUSTER SETSLOT", slot, "IMPORTING", node_id(source))
    source.do("CLUSTER SETSLOT", slot, "MIGRATING", node_id(target))
    end = time.monotonic() + stay_s
    while (keys := source.do("CLUSTER GETKEYSINSLOT", slot, 1)) or time.monotonic() < end:
        if keys:
            source.do("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
    for server in (target, source, *cluster.masters):
        server.do("CLUSTER SETSLOT", slot, "NODE", node_id(target))


class ClusterBench(RedisBench):
    """A Cluster on a bench; reads there do not block, so nobody can be seen waiting."""

    async def until_blocked(self) -> None:
        return None


# -- Sentinel


@dataclass
class Watched:
    """A master, a replica, and the Sentinels that watch them."""

    nodes: list[Server]
    sentinels: list[Server]
    service: str = "polls"

    @property
    def url(self) -> str:
        """What streampoll is given."""
        return f"sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/{self.service}?db=0"

    def master(self) -> Server:
        """Who is the master, by the Sentinels."""
        _, port = self.sentinels[-1].do("SENTINEL GET-MASTER-ADDR-BY-NAME", self.service)
        return next(server for server in self.nodes if server.port == int(port))


@contextmanager
def watched_redis(directory: Path, down_after_ms: int = 800, replica_clock: str = "", **more: Any) -> Iterator[Watched]:
    """Run a master, its replica, whose clock may be another, and three Sentinels."""
    options = ("save ''", "repl-diskless-sync-delay 0")
    with ExitStack() as stack:
        [master] = stack.enter_context(servers(directory, *options, **more))
        [replica] = stack.enter_context(servers(directory, *options, clock=replica_clock, **more))
        nodes = [master, replica]
        replica.do("REPLICAOF", "127.0.0.1", master.port)
        watch = (
            f"sentinel monitor polls 127.0.0.1 {master.port} 2",
            f"sentinel down-after-milliseconds polls {down_after_ms}",
            "sentinel failover-timeout polls 5000",
        )
        sentinels = stack.enter_context(servers(directory, *watch, count=3, mode=("--sentinel",)))
        eventually(lambda: in_sync(replica), 20)
        eventually(lambda: all(sees_all(one) for one in sentinels), 20)
        yield Watched(nodes, sentinels)


def sees_all(sentinel: Server) -> bool:
    """Tell whether a Sentinel knows the others and the replica."""
    state = sentinel.do("SENTINEL MASTER", "polls")
    said = state if isinstance(state, dict) else dict(zip(state[0::2], state[1::2], strict=True))
    return int(said["num-slaves"]) == 1 and int(said["num-other-sentinels"]) == 2


ALL_QUEUES = tuple(QueueClass)
