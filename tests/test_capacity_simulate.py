"""The simulation: its engine against queueing theory, and streampoll on it against what the model says of waiting."""

import random
from dataclasses import replace
from math import factorial, sqrt

import pytest

from streampoll.capacity.engine import Clock, Cores
from streampoll.capacity.scenario import Observed, Scenario, Trouble
from streampoll.capacity.simulate import READ_GATHER_S, simulate
from tests.capacity_support import CPU_US, load

ONE_S = dict.fromkeys(CPU_US, 0.0) | {"worker": 500.0}  # 1,000 polls/s of it are half a core
SMALL = Scenario(2_000, 10, load(), seconds=8, warm_s=2, cores=8)


# -- the engine


def mean_wait_s(servers: int, busy: float, jobs: int = 40_000) -> float:
    """Return the mean wait in M/D/c with a service of a second: each job is a process of its own."""
    clock, draw, waits = Clock(), random.Random(7), []
    cores = Cores(clock, servers, slice_s=10.0)

    def arrive() -> None:
        came_s = clock.now
        cores.process().do(1.0, lambda: waits.append(clock.now - came_s - 1.0))
        clock.after(draw.expovariate(busy * servers), arrive)

    clock.at(0.0, arrive)
    clock.run(jobs / (busy * servers))
    return sum(waits) / len(waits)


def m_d_c_wait_s(servers: int, busy: float) -> float:
    """Return the same by Cosmetatos' approximation ("Approximate explicit formulae...", 1975), exact for one server."""
    offered = servers * busy
    last = offered**servers / factorial(servers) / (1 - busy)
    waiting = last / (sum(offered**n / factorial(n) for n in range(servers)) + last)
    m_m_c = waiting / (servers * (1 - busy))
    return 0.5 * m_m_c * (1 + (1 - busy) * (servers - 1) * (sqrt(4 + 5 * servers) - 2) / (16 * busy * servers))


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.5), (1, 0.8), (2, 0.5), (2, 0.8), (4, 0.7)])
def test_waits_are_those_of_m_d_c(servers: int, busy: float) -> None:
    assert mean_wait_s(servers, busy) == pytest.approx(m_d_c_wait_s(servers, busy), rel=0.1)


def test_a_process_does_one_thing_at_a_time_however_many_cores_there_are() -> None:
    clock, done = Clock(), []
    process = Cores(clock, 4).process()
    for _ in range(3):
        process.do(1.0, lambda: done.append(round(clock.now, 6)))

    clock.run(10.0)

    assert done == [1.0, 2.0, 3.0]
    assert process.busy_s == pytest.approx(3.0)


def test_processes_that_want_more_than_there_is_get_the_same() -> None:
    clock = Clock()
    cores = Cores(clock, 2)
    processes = [cores.process() for _ in range(3)]
    for process in processes:
        process.do(100.0, lambda: None)

    clock.run(30.0)

    assert [process.busy_s for process in processes] == pytest.approx([20.0] * 3, rel=0.01)


def test_one_that_slept_does_not_get_all_that_it_has_missed() -> None:
    clock = Clock()
    cores = Cores(clock, 1)
    always, sleeper = cores.process(), cores.process()
    always.do(100.0, lambda: None)
    clock.at(10.0, lambda: sleeper.do(100.0, lambda: None))

    clock.run(20.0)

    assert always.busy_s == pytest.approx(15.0, abs=0.1)


def test_a_killed_process_does_nothing_more() -> None:
    clock, done = Clock(), []
    process = Cores(clock, 1).process()
    process.do(1.0, lambda: done.append("first"))
    process.do(1.0, lambda: done.append("second"))
    clock.at(1.5, process.kill)

    clock.run(5.0)
    process.do(1.0, lambda: done.append("third"))
    clock.run(9.0)

    assert done == ["first"]


# -- streampoll on it


def test_the_same_seed_is_the_same_run() -> None:
    assert simulate(SMALL) == simulate(SMALL)
    assert simulate(SMALL).lateness_s != simulate(replace(SMALL, seed=2)).lateness_s


def test_every_poll_that_is_due_becomes_a_row_or_expires() -> None:
    for scenario in (SMALL, replace(SMALL, silent=0.3), replace(SMALL, cores=1, devices=30_000, seconds=4)):
        seen = simulate(scenario)
        assert seen.stored + seen.expired == seen.due
        assert seen.due > 0


def test_cores_are_busy_with_what_the_load_says() -> None:
    seen = simulate(SMALL)
    per_s = seen.due / SMALL.seconds

    assert seen.cores["worker"] == pytest.approx(per_s * 250e-6, rel=0.02)  # it stores too
    assert seen.cores["redis"] == pytest.approx(per_s * 40e-6, rel=0.02)
    assert seen.cores["coordinator"] == pytest.approx(per_s * 5e-6, rel=0.02)


def test_in_flight_is_at_most_a_ticks_polls_and_the_silent() -> None:
    seen = simulate(replace(SMALL, silent=0.5, seconds=5))

    assert 200 * 0.5 * 2.0 <= seen.in_flight <= 1.3 * (200 + 200 * 0.5 * 2.0)


def burst(busy: float) -> Observed:
    """Return what is seen of one process that is busy for a share of its time, devices answering at once."""
    per_s = round(busy / 500e-6)
    return simulate(
        Scenario(
            per_s * 5, 5, load(cpu_us=ONE_S), processes=1, cores=8, concurrency=100_000, latency_s=(0.0, 0.0),
            seconds=5, warm_s=2,
        )
    )  # fmt: skip


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_a_ticks_last_poll_is_as_late_as_the_process_is_busy(busy: float) -> None:
    """All polls of a second are dispatched at its beginning: the last has waited for the others, and for being read."""
    assert busy < burst(busy).late_s(0.99) < busy + READ_GATHER_S + 0.1


def test_a_process_that_has_more_to_do_than_time_falls_behind_for_ever() -> None:
    seen = burst(1.3)

    assert seen.expired > 0 or seen.late_s(0.99) > 2.0
    assert seen.late_s(0.99) > 2 * burst(0.8).late_s(0.99)


def test_silent_devices_do_not_delay_the_others() -> None:
    healthy, tenth = simulate(SMALL), simulate(replace(SMALL, silent=0.1))

    assert tenth.late_s(0.99) <= max(1.1 * healthy.late_s(0.99), healthy.late_s(0.99) + 0.25)


def test_silent_devices_that_fill_all_slots_do_delay_them() -> None:
    """Slots are what a silent device costs: 200 polls/s, half of them 2 s each, are more than 100 slots."""
    assert simulate(replace(SMALL, silent=0.5, concurrency=50)).late_s(0.99) > 1.0


def test_a_dead_workers_polls_are_late_by_the_lease_and_all_are_stored() -> None:
    seen = simulate(
        replace(SMALL, interval_s=60, devices=12_000, seconds=12, trouble=Trouble.WORKER, trouble_s=5.02, cores=8)
    )

    assert seen.stored == seen.due
    assert 30.0 < seen.lateness_s[-1] < 33.0  # what it held: claim_idle_s and a sweep
    after_takeover = sum(late_s > 10.0 for late_s in seen.lateness_s)
    assert 0 < after_takeover < 0.1 * seen.due  # only that; what came after it died waited for 4 s at the most


def test_a_dead_leaders_ticks_are_late_by_its_lease_and_then_caught_up() -> None:
    seen = simulate(replace(SMALL, interval_s=30, devices=6_000, seconds=25, trouble=Trouble.LEADER, trouble_s=5.0))

    assert seen.stored == seen.due
    assert 6.0 <= seen.lateness_s[-1] <= 8.5
    assert seen.late_s(0.4) < 0.5  # most ticks are not touched


def test_processes_on_too_few_cores_are_later_than_on_enough() -> None:
    wanted = replace(SMALL, devices=20_000, seconds=4, processes=4)

    assert simulate(replace(wanted, cores=1)).late_s(0.5) > 1.5 * simulate(replace(wanted, cores=8)).late_s(0.5)


def test_stores_of_their_own_take_the_rows() -> None:
    seen = simulate(replace(SMALL, stores=2))

    per_s = seen.due / SMALL.seconds
    assert seen.cores["store"] == pytest.approx(per_s * 50e-6, rel=0.02)
    assert seen.cores["worker"] == pytest.approx(per_s * 200e-6, rel=0.02)
