"""Faults of the network between a host and a server, and of hosts' clocks."""

import hashlib
import time
from collections.abc import Callable
from importlib.resources import files

from tests.chaos.fault import FAULTS, Fault, Torment, fault
from tests.chaos.proxy import Mode
from tests.chaos.system import HOSTS, SERVERS, Servers, wait_for

_PAYLOADS = bytes.fromhex("00000001 00000000 00000011")  # how a bytea[] begins as a parameter: 1 dimension, no NULL, 17


@fault("a host cut off from Redis and PostgreSQL: connections reset, none made", on=Servers.ONE)
def host_cut_off(torment: Torment) -> float:
    host = torment.rng.choice(HOSTS)
    began = time.time()
    for server in SERVERS:
        torment.system.network.turn(f"{host}-{server}", Mode.REFUSE)
        torment.system.network.reset(f"{host}-{server}")
    torment.wait(torment.rng.uniform(5, 10))
    for server in SERVERS:
        torment.system.network.turn(f"{host}-{server}", Mode.PASS)
    return began


@fault("a host's packets dropped on the way to Redis and PostgreSQL", on=Servers.ONE)
def host_packets_dropped(torment: Torment) -> float:
    host = torment.rng.choice(HOSTS)
    began = time.time()
    for server in SERVERS:
        torment.system.network.turn(f"{host}-{server}", Mode.HOLD)
    torment.wait(torment.rng.uniform(5, 12))
    for server in SERVERS:
        torment.system.network.turn(f"{host}-{server}", Mode.PASS)
    return began


@fault("all packets to Redis dropped", on=Servers.ONE)
def redis_packets_dropped(torment: Torment) -> None:
    _all(torment, "redis", lambda name: torment.system.network.turn(name, Mode.HOLD))
    torment.wait(torment.rng.uniform(2, 8))
    _all(torment, "redis", lambda name: torment.system.network.turn(name, Mode.PASS))


@fault("all packets to Redis and PostgreSQL 200 ms late", on=Servers.ONE)
def network_slow(torment: Torment) -> None:
    for server in SERVERS:
        _all(torment, server, lambda name: torment.system.network.delay(name, 0.2))
    torment.wait(8)
    for server in SERVERS:
        _all(torment, server, lambda name: torment.system.network.delay(name, 0.0))


@fault("every connection to Redis and PostgreSQL reset", on=Servers.ONE)
def network_reset(torment: Torment) -> None:
    for server in SERVERS:
        _all(torment, server, torment.system.network.reset)


@fault("every connection to Redis half open: the server's end is gone, no client is told", on=Servers.ONE)
def redis_half_open(torment: Torment) -> None:
    _all(torment, "redis", torment.system.network.half_open)


@fault("every connection to PostgreSQL half open: the server's end is gone, no client is told")
def postgres_half_open(torment: Torment) -> None:
    _all(torment, "postgres", torment.system.network.half_open)


@fault("a host's clock steps 40 s forward, then back")
def clock_forward(torment: Torment) -> None:
    _step(torment, 40.0)


@fault("a host's clock steps 40 s back, then forward")
def clock_back(torment: Torment) -> None:
    _step(torment, -40.0)


def _step(torment: Torment, seconds: float) -> None:
    clock = torment.system.room / f"clock-{torment.rng.choice(HOSTS)}"
    clock.write_text(str(seconds))
    torment.wait(6)
    clock.write_text("0")


def _all(torment: Torment, server: str, order: Callable[[str], None]) -> None:
    for host in HOSTS:
        order(f"{host}-{server}")


def _loser(server: str, pattern: bytes, least: int = 0) -> Callable[[Torment], None]:
    """Return a fault that loses the replies of a few requests of every host, each of which has been carried out."""

    def lose(torment: Torment) -> None:
        network, names = torment.system.network, [f"{host}-{server}" for host in HOSTS]
        before = sum(map(network.lost, names))
        for name in names:
            network.lose(name, pattern, torment.rng.randint(1, 4), least)
        wait_for(lambda: sum(map(network.lost, names)) > before, 6)
        torment.wait(1)
        for name in names:
            network.lose(name, pattern, 0)
        torment.tell(f"{sum(map(network.lost, names)) - before} replies lost")

    return lose


def _digest(script: str) -> bytes:
    """Return what EVALSHA calls a script."""
    text = files("streampoll.shards").joinpath("lua", f"{script}.lua").read_bytes()
    return hashlib.sha1(text).hexdigest().encode()


def _add_losers() -> None:
    """Add a fault for each reply that matters."""
    losers = {
        "read": ("a read that brought entries", _loser("redis", b"XREADGROUP", 60)),
        "commit": ("a COMMIT", _loser("postgres", b"COMMIT;")),
        "rows": ("a statement that stores rows, a transaction of its own", _loser("postgres", _PAYLOADS)),
    }
    for script, what in (
        ("dispatch", "a dispatch"), ("finish", "a finish"), ("renew", "a renewal"), ("sweep", "a claim"),
        ("lead", "a lease's renewal"), ("beat", "a heartbeat"),
    ):  # fmt: skip
        losers[script] = (what, _loser("redis", _digest(script)))
    for name, (what, lose) in losers.items():
        on = None if name in ("commit", "rows") else Servers.ONE
        FAULTS[f"reply-lost-{name}"] = Fault(
            f"reply-lost-{name}", f"the reply to {what}, carried out, is lost", lose, on=on
        )


_add_losers()
