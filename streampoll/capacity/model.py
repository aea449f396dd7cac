"""What N devices at an interval need: arithmetic over measured constants, no more. Pure.

    polls a second        devices / interval
    cores of a role       polls a second x CPU seconds a poll
    processes             so many that the busiest of them is busy for `utilisation` of the time, no more
    in flight             polls a second x seconds a poll (Little's law)

The busiest process, not the average: a shard has one home, and homes are drawn. What is assumed and not measured is
named here in capitals, and in docs/capacity.md.
"""

from dataclasses import dataclass, replace
from math import ceil, exp, log, sqrt
from typing import TypeVar

from streampoll.capacity.constants import ROLES, SHARDS, Constants, Load

DAY_S = 86_400
MIB = 1 << 20
SHARDS_LEAST, SHARDS_MOST = 16, 4096  # the default; the most that shards.count may be
SHARDS_A_PROCESS = 16  # fewer make the busiest process much busier than the others
SILENT_S = 2.0  # a device known to be silent gets one probe (snmp.timeout_s)
FAILED_S = 4.0  # one that has just gone: with its retry
ETHERNET_BYTES = 38  # a packet: header, checksum, preamble, gap
REPLY_BUFFER_BYTES = 2_304  # of a UDP buffer, for a reply up to 1,500 bytes
RMEM_LEAST_BYTES = 212_992  # the kernel's default
SSH_SESSIONS_KEPT = 1_000  # ssh.max_kept, of a process
HIGH_WATER = 0.8  # redis.memory_high_water
RESULTS_HIGH_WATER = 100_000  # coordinator.results_high_water, of a shard
POSTGRES_CORES = 8  # of one server
POSTGRES_WAL_BYTES_PER_S = 50e6  # that one server writes and ships without falling behind
POSTGRES_BYTES = 10e12  # that one server is still maintained with
COORDINATOR_BYTES = 8 << 30  # of memory, for one inventory


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be polled."""

    devices: int
    interval_s: float
    load: Load  # the average poll, silent devices included
    silent: float = 0.05  # share of devices that do not answer
    latency_s: float = 0.1  # of one request to one that does
    retention_days: int = 30
    outage_s: float = 3600.0  # of PostgreSQL, that Redis shall hold
    utilisation: float = 0.7  # of the busiest process

    @property
    def polls_per_s(self) -> float:
        """Polls a second."""
        return self.devices / self.interval_s


@dataclass(frozen=True, slots=True)
class Role:
    """One role's processes."""

    name: str
    cores: float  # busy, on the average
    processes: int
    busiest: float  # share of the time that the busiest process is busy
    memory_bytes: float = 0.0  # of all of them; 0.0: see elsewhere


@dataclass(frozen=True, slots=True)
class Redis:
    """What Redis holds and does."""

    nodes: int  # masters
    memory_bytes: float  # in steady work
    outage_bytes: float  # more, at the end of an outage of PostgreSQL
    maxmemory_bytes: float  # of all nodes, for both below the high water
    outage_s: float  # the outage that it holds: shorter than asked for where results_high_water comes first
    round_trips_per_s: float
    commands_per_s: float
    bits_per_s: float  # both ways
    aof_bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Postgres:
    """What PostgreSQL stores."""

    servers: int
    rows_per_day: float  # those of rates too
    ledger_rows_per_day: float
    bytes_per_day: float
    bytes_kept: float  # by retention
    wal_bytes_per_s: float
    connections: int


@dataclass(frozen=True, slots=True)
class Network:
    """Traffic with the devices."""

    out_bits_per_s: float
    in_bits_per_s: float
    packets_per_s: float  # sent


@dataclass(frozen=True, slots=True)
class Needs:
    """What it takes, with what to set."""

    question: Question
    regions: int  # deployments, each with a coordinator, Redis and PostgreSQL of its own
    roles: tuple[Role, ...]
    redis: Redis
    postgres: Postgres
    network: Network
    shards: int  # of one deployment
    concurrency: int  # of a process that polls
    in_flight: float
    descriptors: int  # of a process that polls
    rmem_bytes: int  # net.core.rmem_max

    @property
    def cores(self) -> float:
        """Cores that are busy, everything together."""
        return sum(role.cores for role in self.roles)

    def role(self, name: str) -> Role:
        """Return a role."""
        return next(role for role in self.roles if role.name == name)


Part = TypeVar("Part", Redis, Postgres, Network)


def needs(question: Question, constants: Constants) -> Needs:
    """Return what a question's devices need, in as many deployments of the same size as it takes."""
    regions = _regions(question, constants)
    while True:
        each = _of_one(replace(question, devices=ceil(question.devices / regions)), constants)
        if each.role("coordinator").busiest <= question.utilisation or regions >= question.devices:
            return each if regions == 1 else _times(each, regions, question)
        regions += 1


def _of_one(question: Question, constants: Constants) -> Needs:
    worker, shards = _workers(question, constants)
    cores = cores_by_role(question, constants, shards)
    store = _shared("store", cores["store"], question.utilisation, least=2)
    analysis = _shared("analysis", cores["analysis"], question.utilisation, least=2)
    redis = _shared("redis", cores["redis"], question.utilisation)
    roles = (
        Role("coordinator", cores["coordinator"], 2, cores["coordinator"]),  # one leads, one stands by
        worker,
        store,
        *([analysis] if question.load.analysed else []),
        redis,
        _shared("postgres", cores["postgres"], question.utilisation),
    )
    concurrency = _concurrency(question, worker.processes)
    return Needs(
        question, 1, tuple(replace(role, memory_bytes=_memory(role, question, constants)) for role in roles),
        _redis(question, constants, redis.processes, shards),
        _postgres(question, constants, cores["postgres"], shards, 2 * store.processes + 2), _network(question),
        shards, concurrency, _in_flight(question), _descriptors(question, constants, worker), _rmem(concurrency),
    )  # fmt: skip


def _times(each: Needs, regions: int, question: Question) -> Needs:
    """Return the sum of so many; what is of one process or of one deployment stays."""
    roles = tuple(
        replace(
            role, cores=regions * role.cores, processes=regions * role.processes,
            memory_bytes=regions * role.memory_bytes,
        )
        for role in each.roles
    )  # fmt: skip
    return replace(
        each, question=question, regions=regions, roles=roles, redis=_sum(each.redis, regions, "outage_s"),
        postgres=_sum(each.postgres, regions), network=_sum(each.network, regions),
        in_flight=regions * each.in_flight,
    )  # fmt: skip


def _sum(part: Part, regions: int, *same: str) -> Part:
    """Return a part with every figure so many times, but for those that are the same in each."""
    figures = {name: getattr(part, name) for name in part.__slots__ if name not in same}
    return replace(part, **{name: regions * value for name, value in figures.items()})


def cores_by_role(question: Question, constants: Constants, shards: int) -> dict[str, float]:
    """Return the cores that each role keeps busy: its polls, and the shards beyond those that were measured with."""
    extra = max(0, shards - SHARDS)
    by_shard = constants.standing.shard_cpu_us
    return {
        role: (question.polls_per_s * question.load.cpu_us.get(role, 0.0) + extra * by_shard.get(role, 0.0)) / 1e6
        for role in ROLES
    }


# -- processes


def imbalance(shards: int, processes: int) -> float:
    """Return how much more than the average the busiest of some processes has, about, where homes are drawn.

    The greatest of `processes` shares of `shards` balls: m + sqrt(2 m ln p), m being the average (Raab and Steger,
    "Balls into bins", 1998).
    """
    if processes <= 1:
        return 1.0
    mean = shards / processes
    return min(float(processes), 1.0 + sqrt(2.0 * (1.0 - 1.0 / processes) * log(processes) / mean))


def shards_for(processes: int) -> int:
    """Return the shard count for so many processes that poll: a power of two."""
    wanted = max(SHARDS_LEAST, SHARDS_A_PROCESS * processes)
    return min(SHARDS_MOST, 1 << (wanted - 1).bit_length())


def _workers(question: Question, constants: Constants) -> tuple[Role, int]:
    """Return the fewest processes of which the busiest is not busier than asked for, and the shards for them.

    Shards can't be more than `SHARDS_MOST`: what that can't hold is busier, and more regions are the way out.
    """
    processes = 2
    while True:
        shards = shards_for(processes)
        cores = cores_by_role(question, constants, shards)["worker"]
        busiest = cores / processes * imbalance(shards, processes)
        if busiest <= question.utilisation or processes >= SHARDS_MOST:
            return Role("worker", cores, processes, busiest), shards
        processes += max(1, processes // 50)


def _shared(name: str, cores: float, utilisation: float, least: int = 1) -> Role:
    """Return a role whose processes share what there is evenly."""
    processes = max(least, ceil(cores / utilisation))
    return Role(name, cores, processes, cores / processes)


def _memory(role: Role, question: Question, constants: Constants) -> float:
    """Return the memory of a role's processes; 0.0 for the servers."""
    standing = constants.standing
    if role.name == "coordinator":  # a standby plans too
        return (
            role.processes * standing.coordinator_pss_mb * MIB
            + 2 * question.devices * standing.coordinator_device_bytes
        )
    of_workers = role.name in ("worker", "store", "analysis")
    return role.processes * standing.worker_pss_mb * MIB if of_workers else 0.0


def _regions(question: Question, constants: Constants) -> int:
    """Return how many deployments it takes at the least: a coordinator is one process, and holds its inventory."""
    cores = question.polls_per_s * question.load.cpu_us["coordinator"] / 1e6
    by_memory = question.devices * constants.standing.coordinator_device_bytes / COORDINATOR_BYTES
    return max(1, ceil(cores / question.utilisation), ceil(by_memory))


# -- what a process has in hand


def seconds_a_poll(question: Question) -> float:
    """Return for how long a poll is in flight, on the average."""
    return (1.0 - question.silent) * question.load.requests * question.latency_s + question.silent * SILENT_S


def _in_flight(question: Question) -> float:
    return question.polls_per_s * seconds_a_poll(question)


def _concurrency(question: Question, processes: int) -> int:
    """Return slots for one tick's polls, which come at once, and for all silent devices as if they had just gone."""
    per_s = question.polls_per_s / processes
    wanted = per_s * (1.0 + (1.0 - question.silent) * question.load.requests * question.latency_s)
    return max(200, ceil((wanted + per_s * question.silent * FAILED_S) / 100) * 100)


def _descriptors(question: Question, constants: Constants, worker: Role) -> int:
    sessions = min(SSH_SESSIONS_KEPT, ceil(question.devices / worker.processes))
    return constants.standing.worker_descriptors + (sessions if question.load.protocol in ("ssh", "http") else 0)


def _rmem(concurrency: int) -> int:
    """Return net.core.rmem_max for a reply to everything in flight; the kernel doubles what it is asked for."""
    return max(RMEM_LEAST_BYTES, concurrency * REPLY_BUFFER_BYTES // 2)


# -- servers


def _redis(question: Question, constants: Constants, nodes: int, shards: int) -> Redis:
    load, standing, per_s = question.load, constants.standing, question.polls_per_s
    rows = 1.0 + load.rates_rows
    result_bytes = rows * standing.result_waiting_bytes + load.payload_bytes
    unread = per_s  # one tick's polls, dispatched at once
    steady = (
        shards * standing.shard_bytes
        + (unread + _in_flight(question)) * standing.poll_waiting_bytes
        + _in_flight(question) * standing.poll_held_bytes
        + per_s * result_bytes
        + question.devices * load.device_bytes
    )
    held_s = min(question.outage_s, shards * RESULTS_HIGH_WATER / (rows * per_s))
    outage = per_s * held_s * result_bytes
    return Redis(
        nodes, steady, outage, (steady + outage) / HIGH_WATER, held_s, per_s * load.redis_round_trips,
        per_s * load.redis_commands, per_s * 8 * (load.redis_in_bytes + load.redis_out_bytes), per_s * load.aof_bytes,
    )  # fmt: skip


def _postgres(question: Question, constants: Constants, cores: float, shards: int, connections: int) -> Postgres:
    load, per_s = question.load, question.polls_per_s
    rows = per_s * DAY_S
    ledger = min(rows, shards * DAY_S * ledger_entries(per_s / shards))
    a_day = rows * (load.payload_bytes + load.row_bytes) + ledger * constants.standing.ledger_row_bytes
    kept = a_day * question.retention_days
    wal = per_s * load.wal_bytes
    by = (
        cores / (POSTGRES_CORES * question.utilisation),
        wal / POSTGRES_WAL_BYTES_PER_S,
        kept / POSTGRES_BYTES,
    )
    return Postgres(max(1, ceil(max(by))), rows * (1.0 + load.rates_rows), ledger, a_day, kept, wal, connections)


def ledger_entries(per_tick: float, batch: int = 100) -> float:
    """Return about how many ledger entries a shard writes a tick in which so many polls are due on the average.

    One for each part of `coordinator.batch_size`; none where nothing is due, which has a share of e**-mean of the ticks
    (devices' phases are hashes).
    """
    return max(1.0, per_tick / batch) * (1.0 - exp(-per_tick))


def _network(question: Question) -> Network:
    load, per_s = question.load, question.polls_per_s
    link = load.requests * ETHERNET_BYTES
    return Network(
        per_s * 8 * (load.request_ip_bytes + link), per_s * 8 * (load.reply_ip_bytes + link), per_s * load.requests
    )
