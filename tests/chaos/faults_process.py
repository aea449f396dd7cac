"""Faults of processes: killed, frozen, poisoned from within."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from streampoll.shards.ring import phase_of
from tests.chaos.fault import Torment, fault
from tests.chaos.system import CLAIM_IDLE_S, HARD_LIMIT_S, HOSTS, MAX_RSS_MB, wait_for

RESTART_S = 1.0  # what systemd's RestartSec would be


@fault("kill -9 a worker process")
def worker_killed(torment: Torment) -> None:
    torment.system.kill(torment.rng.choice(sorted(torment.system.workers())))


@fault("kill -9 every worker process of a host")
def workers_of_a_host_killed(torment: Torment) -> None:
    for pid in torment.system.daemons[f"worker-{torment.rng.choice(HOSTS)}"].children:
        torment.system.kill(pid)


@fault("freeze a worker process beyond its lease")
def worker_frozen(torment: Torment) -> float:
    pid = torment.rng.choice(sorted(torment.system.workers()))
    return _freeze(torment, [pid], CLAIM_IDLE_S + torment.rng.uniform(0.5, 1.8))


@fault("freeze a whole host beyond its leases")
def host_frozen(torment: Torment) -> float:
    host = torment.rng.choice(HOSTS)
    daemons = [torment.system.daemons[f"{role}-{host}"] for role in ("coordinator", "worker")]
    pids = [pid for daemon in daemons for pid in (daemon.pid, *daemon.children)]
    return _freeze(torment, pids, CLAIM_IDLE_S + torment.rng.uniform(3, 6))


@fault("kill -9 a supervisor (its workers drain; systemd starts it again)")
def supervisor_killed(torment: Torment) -> None:
    daemon = torment.system.daemons[f"worker-{torment.rng.choice(HOSTS)}"]
    torment.system.killed.update(daemon.children)
    torment.system.kill(daemon.pid)
    torment.wait(RESTART_S)
    torment.system.restart_ended()


@fault("freeze a supervisor")
def supervisor_frozen(torment: Torment) -> float:
    daemon = torment.system.daemons[f"worker-{torment.rng.choice(HOSTS)}"]
    return _freeze(torment, [daemon.pid], CLAIM_IDLE_S + 4)


@fault("kill -9 the leader")
def leader_killed(torment: Torment) -> None:
    torment.system.kill(_leader(torment))


@fault("freeze the leader beyond its lease")
def leader_frozen(torment: Torment) -> float:
    return _freeze(torment, [_leader(torment)], 4 + torment.rng.uniform(2, 5))


@fault("SIGTERM a host's workers under load, and start them again")
def workers_drained(torment: Torment) -> None:
    daemon = torment.system.daemons[f"worker-{torment.rng.choice(HOSTS)}"]
    torment.system.killed.update((daemon.pid, *daemon.children))
    code = daemon.terminate(30)
    if code:
        torment.tell(f"the supervisor ended with {code}")
    daemon.start()


@fault("a poll blocks its process's loop, shorter than the lease")
def loop_blocked(torment: Torment) -> None:
    _poison_once(torment, f"block {CLAIM_IDLE_S - 1.5}")
    torment.wait(CLAIM_IDLE_S - 1.5)


@fault("a poll blocks its process's loop beyond the lease")
def loop_blocked_past_lease(torment: Torment) -> None:
    _poison_once(torment, f"block {CLAIM_IDLE_S + 1}")
    torment.wait(CLAIM_IDLE_S + 1)


@fault("a poll blocks its process's loop for ever")
def loop_blocked_for_ever(torment: Torment) -> float:
    began = time.time()
    before = set(torment.system.workers())
    _poison_once(torment, "block 600")
    wait_for(lambda: before - set(torment.system.workers()), HARD_LIMIT_S + 5)
    torment.system.killed.update(before - set(torment.system.workers()))
    return began + HARD_LIMIT_S  # until then nobody can know


@fault("a poll eats memory")
def memory_eaten(torment: Torment) -> None:
    before = set(torment.system.workers())
    _poison_once(torment, f"eat {MAX_RSS_MB}")
    wait_for(lambda: before - set(torment.system.workers()), 20)


@fault("a poll ends its process (segmentation fault)")
def segfault(torment: Torment) -> None:
    before = set(torment.system.workers())
    _poison_once(torment, "segfault")
    wait_for(lambda: before - set(torment.system.workers()), 5)
    torment.system.forgive_crashes()


@fault("a poll ends every process it is given to, until it is buried")
def poison(torment: Torment) -> None:
    """Its second delivery and its third come after the claim time each; the third is alone in its process."""
    system = torment.system
    slow_s = system.scale.slow_s
    soon = (int(time.time()) + 4) % slow_s
    names = (f"sim-{n:05}" for n in range(system.scale.devices))
    device = next(name for name in names if phase_of(name, "slow", slow_s) == soon)
    _poison(torment, device, "always slow segfault")
    buried = wait_for(lambda: _dead_letters(torment), 4 + 4 * (CLAIM_IDLE_S + 5))
    (system.poison / device).unlink()
    system.forgive_crashes()
    torment.tell("buried" if buried else "NOT BURIED")


@fault("every poll of a device ends its process, for four rounds")
def poison_in_every_round(torment: Torment) -> None:
    device = f"sim-{torment.rng.randrange(torment.system.scale.devices):05}"
    _poison(torment, device, "always light segfault")
    torment.wait(4 * torment.system.scale.fast_s)
    (torment.system.poison / device).unlink()
    torment.system.forgive_crashes()


def _dead_letters(torment: Torment) -> int:
    with torment.system.redis_client() as client:
        return sum(client.xlen(key) for key in client.scan_iter("sp:{*}:polling:dead"))


def _leader(torment: Torment) -> int:
    wait_for(torment.system.leader, 10)
    return torment.system.leader()


def _freeze(torment: Torment, pids: Iterable[int], seconds: float) -> float:
    """Stop processes, and let them go on; their peers' time runs from the beginning."""
    began = time.time()
    pids = list(pids)
    _signal(pids, signal.SIGSTOP)
    torment.tell(f"for {seconds:.1f} s")
    try:
        torment.wait(seconds)
    finally:
        _signal(pids, signal.SIGCONT)
    torment.system.killed.update(pids)  # a supervisor may have replaced one that did not answer: as it should
    return began


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _poison_once(torment: Torment, order: str) -> None:
    """Have the next poll of one device do as the order says; wait until one has begun to."""
    device = f"sim-{torment.rng.randrange(torment.system.scale.devices):05}"
    dose = _poison(torment, device, order)
    wait_for(lambda: not dose.exists(), torment.system.scale.fast_s + 5, 0.02)
    dose.unlink(missing_ok=True)


def _poison(torment: Torment, device: str, order: str) -> Path:
    """Put poison into a device, whole or not at all."""
    new = torment.system.room / "poison.new"
    new.write_text(order)
    torment.tell(f"{device}: {order}")
    return new.rename(torment.system.poison / device)
