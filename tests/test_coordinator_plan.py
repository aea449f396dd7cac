"""Plans and schedules: what is due when, and what PostgreSQL keeps of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.coordinator.plan import PlanTerms, build_plan, empty_plan
from streampoll.coordinator.schedule import Cron, Every
from streampoll.model import Device
from streampoll.shards.entries import decode_target
from streampoll.shards.ring import device_hash, phase_of

TERMS = PlanTerms("interfaces", 3, Every(60))


def fleet(count: int, **more: object) -> list[Device]:
    return [Device(f"sw{n}", f"10.0.0.{n}", profile="system", **more) for n in range(count)]  # type: ignore[arg-type]


def names_due(plan, tick):
    return sorted(decode_target(body)[0].device for _, polls in plan.due(tick) for body in polls.bodies)


def test_each_device_is_due_once_an_interval_at_its_own_phase():
    plan = build_plan(TERMS, fleet(20), "")
    due = {name: tick for tick in range(600, 660) for name in names_due(plan, tick)}
    assert due == {f"sw{n}": 600 + (phase_of(f"sw{n}", "interfaces", 60) - 600) % 60 for n in range(20)}


def test_without_spread_all_are_due_at_once_at_whole_intervals():
    plan = build_plan(PlanTerms("j", 0, Every(60, spread=False)), fleet(5), "")
    assert [len(names_due(plan, tick)) for tick in (119, 120, 121)] == [0, 5, 0]


def test_a_device_with_an_interval_of_its_own_keeps_it_and_expires_by_it():
    plan = build_plan(PlanTerms("j", 0, Every(60, spread=False)), fleet(1, interval_s=10), "")
    assert [expiry for expiry, _ in plan.due(130)] == [140]


def test_a_cron_job_is_due_when_its_time_zone_says_so():
    plan = build_plan(PlanTerms("j", 0, Cron("30 8 * * *", "Europe/Zurich")), fleet(2), "")
    winter, summer = 1_768_462_200, 1_784_097_000  # 2026-01-15 and 2026-07-15, 08:30 in Zurich
    assert [len(names_due(plan, tick)) for tick in (winter - 1, winter, summer, summer + 3600)] == [0, 2, 2, 0]


def test_a_job_is_due_only_between_its_start_and_end():
    plan = build_plan(PlanTerms("j", 0, Every(1), start=10, end=13), fleet(1), "")
    assert [tick for tick in range(8, 16) if plan.due(tick)] == [10, 11, 12]


def test_the_jobs_profile_goes_before_the_devices_own():
    jobs, devices = (build_plan(TERMS, fleet(1), profile) for profile in ("interfaces", ""))
    profiles = [
        decode_target(body)[0].profile
        for plan in (jobs, devices)
        for tick in range(60)
        for _, polls in plan.due(tick)
        for body in polls.bodies
    ]
    assert profiles == ["interfaces", "system"]


@pytest.mark.parametrize(
    "other",
    [
        build_plan(TERMS, fleet(3), ""),
        build_plan(PlanTerms("interfaces", 3, Every(61)), fleet(4), ""),
        build_plan(PlanTerms("interfaces", 4, Every(60)), fleet(4), ""),
        build_plan(TERMS, fleet(4, port=1161), ""),
        empty_plan("interfaces", 3),
    ],
)
def test_a_plans_id_tells_any_difference(other):
    assert other.id != build_plan(TERMS, fleet(4), "").id


def test_a_plans_id_does_not_depend_on_the_order_of_the_inventory():
    assert build_plan(TERMS, fleet(4), "").id == build_plan(TERMS, reversed(fleet(4)), "").id


def test_parts_hold_what_is_due_once_and_sum_its_hashes():
    plan = build_plan(PlanTerms("j", 0, Every(60, spread=False)), fleet(25), "")
    parts = plan.parts(60, 10)
    assert [len(part.polls) for part in parts] == [10, 10, 5]
    assert sum(part.hash_sum for part in parts) % 2**64 == sum(device_hash(f"sw{n}") for n in range(25)) % 2**64


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 90), st.integers(1, 90))
def test_counting_a_range_equals_counting_its_ticks(first, length, interval_s, other_s):
    devices = [*fleet(5), Device("slow", "10.1.1.1", interval_s=other_s)]
    plan = build_plan(PlanTerms("j", 0, Every(interval_s), start=50, end=400), devices, "")
    by_tick = sum(len(names_due(plan, tick)) for tick in range(first, first + length + 1))
    assert plan.count_between(first, first + length) == by_tick


def test_counting_a_range_of_a_cron_job_counts_its_times():
    plan = build_plan(PlanTerms("j", 0, Cron("*/5 * * * *")), fleet(3), "")
    assert plan.count_between(0, 3600) == 3 * 13


def test_the_summary_says_for_any_second_how_many_were_due():
    plan = build_plan(TERMS, fleet(50), "")
    phases = plan.summary()["intervals"]["60"]
    counts = [phases.get(str(tick % 60), [0, "0"])[0] for tick in range(1200, 1260)]
    assert counts == [len(names_due(plan, tick)) for tick in range(1200, 1260)]
    assert sum(itertools.chain(counts)) == 50
