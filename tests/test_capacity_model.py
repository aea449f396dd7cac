"""The capacity model against what is reckoned by hand."""

from dataclasses import replace
from math import exp
from pathlib import Path

import pytest

from streampoll.capacity.advice import remarks, settings_of
from streampoll.capacity.constants import LIVE, MEASURED, ROLES, read, write
from streampoll.capacity.model import Question, imbalance, ledger_entries, needs, seconds_a_poll, shards_for
from streampoll.capacity.workload import analysed, difference, estimate, mixed, size_of
from streampoll.errors import ConfigError
from streampoll.shards.ring import home_of
from streampoll.snmp.plan import CollectPlan, Condition, Kind, Metric, TableSpec
from tests.capacity_support import CONSTANTS, load, question


def test_cores_are_polls_a_second_times_cpu_seconds_a_poll() -> None:
    found = needs(question(), CONSTANTS)

    assert found.role("coordinator").cores == pytest.approx(0.005)
    assert found.role("worker").cores == pytest.approx(0.2)
    assert found.role("redis").cores == pytest.approx(0.04 + (found.shards - 16) * 100e-6)
    assert found.cores == pytest.approx(sum(role.cores for role in found.roles))


def test_in_flight_is_polls_a_second_times_seconds_a_poll() -> None:
    asked = question(silent=0.1)

    assert seconds_a_poll(asked) == pytest.approx(0.9 * 0.1 + 0.1 * 2.0)
    assert needs(asked, CONSTANTS).in_flight == pytest.approx(1_000 * 0.29)


def test_rows_and_bytes_a_day_are_those_of_the_polls_and_the_ledger() -> None:
    stored = needs(question(), CONSTANTS).postgres

    assert stored.rows_per_day == 86_400_000
    assert stored.ledger_rows_per_day == pytest.approx(32 * 86_400, rel=1e-3)
    assert stored.bytes_per_day == pytest.approx(86_400_000 * 300 + stored.ledger_rows_per_day * 150)
    assert stored.bytes_kept == pytest.approx(10 * stored.bytes_per_day)
    assert stored.wal_bytes_per_s == 500_000


def test_analysis_is_a_role_with_rows_and_memory_of_its_own() -> None:
    plain = question(outage_s=600.0)
    asked = replace(plain, load=analysed(plain.load, CONSTANTS))

    without, found = needs(plain, CONSTANTS), needs(asked, CONSTANTS)

    assert found.role("analysis").cores == pytest.approx(0.1)
    assert found.role("analysis").memory_bytes > 0
    assert settings_of(found)["pools.analysis.processes"] == 2
    assert found.role("worker").cores - without.role("worker").cores == pytest.approx(1_000 * 10e-6)
    assert found.postgres.rows_per_day == 2 * without.postgres.rows_per_day
    assert found.postgres.bytes_per_day - without.postgres.bytes_per_day == pytest.approx(86_400_000 * 200)
    kept = found.redis.memory_bytes - without.redis.memory_bytes
    assert kept == 60_000 * 400 + 1_000 * (150 + 100)  # records, and rates that wait like results
    assert found.redis.outage_bytes == without.redis.outage_bytes + 600_000 * 250
    long = replace(asked, outage_s=1e6)
    assert needs(long, CONSTANTS).redis.outage_s == found.shards * 100_000 / 2_000  # the high water counts rows
    assert "analysis" not in [role.name for role in without.roles]
    assert "pools.analysis.processes" not in settings_of(without)


def test_analysis_costs_by_varbinds_and_never_less_than_was_measured_at_the_least() -> None:
    between, least = (analysed(load(varbinds=varbinds, cpu_us={}), CONSTANTS) for varbinds in (50.0, 3.0))

    assert between.cpu_us["analysis"] == pytest.approx(300.0)
    assert between.device_bytes == pytest.approx(1_200.0)
    assert least.cpu_us["analysis"] == 100.0
    assert analysed(load(), replace(CONSTANTS, loads=(load(),))) == load()  # an older file of constants


def test_what_a_load_takes_beyond_another_is_never_less_than_nothing() -> None:
    more = load(cpu_us={"worker": 210.0, "analysis": 90.0, "redis": 30.0}, rates_rows=1.0, payload_bytes=350.0)

    found = difference(more, load(cpu_us={"worker": 200.0, "redis": 40.0, "store": 50.0}))

    assert {role: used for role, used in found.cpu_us.items() if used} == {"worker": 10.0, "analysis": 90.0}
    assert (found.payload_bytes, found.rates_rows, found.redis_in_bytes, found.varbinds) == (150.0, 1.0, 0.0, 10.0)


def test_whether_analysis_is_in_it_is_said_but_where_it_was_looked_at() -> None:
    asked = question()
    live = replace(asked, load=replace(asked.load, source=replace(asked.load.source, benchmark=LIVE)))
    with_it = replace(asked, load=analysed(asked.load, CONSTANTS))

    said = [" ".join(remarks(needs(one, CONSTANTS))) for one in (asked, live, with_it)]

    assert ["not analysed" in each for each in said] == [True, False, False]
    assert ["with rates and no rules" in each for each in said] == [False, False, True]


def test_traffic_has_its_headers() -> None:
    traffic = needs(question(), CONSTANTS).network

    assert traffic.out_bits_per_s == 1_000 * 8 * (200 + 38)
    assert traffic.in_bits_per_s == 1_000 * 8 * (250 + 38)
    assert traffic.packets_per_s == 1_000


def test_redis_holds_what_waits_and_an_outage_of_postgresql() -> None:
    found = needs(question(outage_s=600.0), CONSTANTS)

    steady = found.shards * 1000 + (1_000 + 100) * 100 + 100 * 500 + 1_000 * 300
    assert found.redis.memory_bytes == steady
    assert found.redis.outage_bytes == 600 * 1_000 * 300
    assert found.redis.maxmemory_bytes == pytest.approx((steady + 600 * 1_000 * 300) / 0.8)
    assert found.redis.round_trips_per_s == 250


def test_an_outage_beyond_the_results_high_water_is_not_promised() -> None:
    found = needs(question(outage_s=1e6), CONSTANTS)

    assert found.redis.outage_s == found.shards * 100_000 / 1_000
    assert any("results_high_water" in remark for remark in remarks(found))


def test_no_process_is_busier_than_asked_for() -> None:
    for devices in (1_000, 1_000_000, 10_000_000):
        found = needs(question(devices, 300.0, utilisation=0.5), CONSTANTS)
        assert max(role.busiest for role in found.roles) <= 0.5


def test_the_busiest_process_is_busier_than_the_average_by_how_homes_are_drawn() -> None:
    worker = needs(question(3_000_000, 300.0), CONSTANTS).role("worker")

    drawn = imbalance(shards_for(worker.processes), worker.processes)
    assert worker.busiest == pytest.approx(worker.cores / worker.processes * drawn)
    assert drawn > 1.2


def test_twice_the_interval_is_half_the_cores() -> None:
    once, twice = (needs(question(600_000, every), CONSTANTS) for every in (60.0, 120.0))

    assert once.role("postgres").cores == pytest.approx(2 * twice.role("postgres").cores)
    assert once.role("worker").processes > twice.role("worker").processes


def test_a_hundred_million_devices_are_several_deployments() -> None:
    found = needs(question(100_000_000, 300.0), CONSTANTS)

    assert found.regions == 4  # 28 GB of plans in coordinators of at most 8 GB; 1.7 cores would need 3
    assert found.redis.nodes > 1
    assert any("deployments" in remark for remark in remarks(found))
    assert settings_of(found)["shards.count"] == found.shards
    assert found.postgres.rows_per_day == pytest.approx(100_000_000 * 288)
    assert found.role("worker").processes % 4 == 0
    quarter = needs(question(25_000_000, 300.0), CONSTANTS)
    assert (quarter.regions, 4 * quarter.redis.nodes, quarter.shards) == (1, found.redis.nodes, found.shards)


def test_a_process_that_keeps_sessions_has_a_descriptor_for_each() -> None:
    snmp, ssh = (needs(question(400, load=load(protocol=protocol)), CONSTANTS) for protocol in ("snmp", "ssh"))

    assert snmp.descriptors == 15
    assert ssh.descriptors == 15 + 200


def test_the_receive_buffer_holds_a_reply_to_everything_in_flight() -> None:
    found = needs(question(600_000), CONSTANTS)

    assert 2 * found.rmem_bytes >= 2_304 * found.concurrency
    assert found.concurrency >= 10_000 / found.role("worker").processes


@pytest.mark.parametrize("processes", [2, 4, 8, 16])
def test_the_busiest_process_is_about_as_busy_as_where_homes_are_really_drawn(processes: int) -> None:
    shards, worst = shards_for(processes), []
    for draw in range(20):
        names = [f"{draw}-{number}" for number in range(processes)]
        homes = [home_of("polling", shard, names) for shard in range(shards)]
        worst.append(max(map(homes.count, names)) / (shards / processes))

    assert imbalance(shards, processes) == pytest.approx(sum(worst) / len(worst), rel=0.2)


@pytest.mark.parametrize(("processes", "shards"), [(1, 16), (2, 32), (5, 128), (1000, 4096)])
def test_shards_are_a_power_of_two_with_some_for_each_process(processes: int, shards: int) -> None:
    assert shards_for(processes) == shards


def test_a_tick_with_nothing_due_has_no_ledger_entry_and_a_large_one_has_parts() -> None:
    assert ledger_entries(0.1) == pytest.approx(1 - exp(-0.1))
    assert ledger_entries(250.0) == pytest.approx(2.5)


# -- loads


def test_a_profile_is_counted_by_its_scalars_and_columns() -> None:
    scalars = tuple(Metric(f"s{n}", (1, n, 0), Kind.COUNTER) for n in range(10))
    columns = tuple(Metric(f"c{n}", (2, n), Kind.COUNTER) for n in range(8))
    made = Metric("made", (), source="c1")
    plan = CollectPlan("walk", scalars, (TableSpec("t", (*columns, made)),))

    assert size_of(plan, rows=10) == (2, 90)  # the scalars are asked together with the first rows
    filtered = TableSpec("t", columns, where=(Condition("c1", exists=True),))
    assert size_of(CollectPlan("walk", scalars, (filtered,)), rows=10) == (3, 90)
    assert size_of(CollectPlan("walks", (), (*plan.tables, *plan.tables)), rows=10) == (4, 160)
    assert size_of(CollectPlan("get", scalars), rows=10) == (1, 10)


def test_what_was_not_measured_lies_between_what_was() -> None:
    found = estimate(CONSTANTS, "mine", "snmp", (2, 50))

    assert found.cpu_us["worker"] == pytest.approx(400.0)
    assert found.payload_bytes == pytest.approx(400.0)
    assert (found.name, found.requests, found.varbinds, found.estimated) == ("mine", 2.0, 50.0, True)


def test_beyond_the_largest_load_the_line_goes_on() -> None:
    assert estimate(CONSTANTS, "large", "snmp", (20, 730)).cpu_us["worker"] == pytest.approx(3_800.0)


def test_below_the_smallest_load_costs_what_the_smallest_does() -> None:
    assert estimate(CONSTANTS, "small", "snmp", (1, 1)).cpu_us["worker"] == 200.0


def test_silent_devices_cost_their_share() -> None:
    one, silent = CONSTANTS.load("get10"), CONSTANTS.load("silent")
    assert one
    assert silent

    average = mixed(one, silent, 0.25)

    assert average.cpu_us["worker"] == pytest.approx(175.0)
    assert average.payload_bytes == pytest.approx(175.0)
    assert (average.name, average.estimated) == ("get10", False)


# -- the data


def test_the_constants_that_are_shipped_say_where_they_come_from() -> None:
    constants = read()

    assert {"get10", "walk90", "silent"} <= {each.name for each in constants.loads}
    for each in constants.loads:
        analyses = each.protocol == "analysis"
        assert each.cpu_us.keys() == set(ROLES) - ({"coordinator", "worker"} if analyses else {"analysis"})
        assert each.source.benchmark
        assert each.source.date
        assert each.source.machine


def test_constants_are_read_as_they_were_written(tmp_path: Path) -> None:
    write(tmp_path / "mine.toml", CONSTANTS)

    assert read(tmp_path / "mine.toml") == CONSTANTS


def test_a_new_run_replaces_the_loads_of_its_names_and_no_others() -> None:
    newer = load("get10", payload_bytes=1.0)

    replaced = CONSTANTS.replaced([newer], None)

    assert replaced.load("get10") == newer
    assert replaced.load("walk90") == CONSTANTS.load("walk90")
    assert replaced.standing == CONSTANTS.standing


@pytest.mark.parametrize("text", ["", "loads = 3", "[standing", "\udcff"])
def test_a_file_that_is_no_constants_is_one_fault_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(ConfigError, match=r"mine\.toml: are no constants"):
        read(path)


def test_what_is_shipped_is_beside_the_code() -> None:
    assert MEASURED.exists()
    assert Question(1, 60.0, load()).polls_per_s == pytest.approx(1 / 60)
