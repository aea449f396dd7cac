"""What `check --connect` makes of the facts it gets."""

from dataclasses import replace

import pytest

from streampoll.config.report import Report
from streampoll.observe.doctor import judge_kernel, judge_postgres, judge_redis
from streampoll.shards.server import ServerFacts

FIT = ServerFacts((7, 2, 0), 1 << 30, 1 << 20, "noeviction", aof=True, run_id="x")


def test_servers_that_fit_are_not_worth_a_word() -> None:
    report = Report()
    judge_redis(FIT, 0.8, report)
    judge_postgres(16, 2, 2, report)
    judge_kernel("8388608\n", 8 << 20, report)

    assert not report.faults
    assert not report.notices


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"version": (6, 0, 9)}, "Redis 6.0.9 is too old"),
        ({"maxmemory_policy": "allkeys-lru"}, "set 'maxmemory-policy noeviction' in redis.conf"),
    ],
)
def test_a_redis_that_loses_work_is_refused_with_the_line_to_set(changes: dict[str, object], fault: str) -> None:
    report = Report()
    judge_redis(replace(FIT, **changes), 0.8, report)  # type: ignore[arg-type]

    assert fault in str(report.faults[0])


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"aof": False}, "set appendonly yes"),
        ({"version": (7, 0, 3)}, "upgrade to 7.0.4"),
        ({"maxmemory": 0}, "has no maxmemory"),
        ({"used_memory": 900 << 20}, "88% of maxmemory is used: dispatch skips"),
    ],
)
def test_a_redis_that_may_hurt_one_day_is_worth_a_notice(changes: dict[str, object], notice: str) -> None:
    report = Report()
    judge_redis(replace(FIT, **changes), 0.8, report)  # type: ignore[arg-type]

    assert not report.faults
    assert notice in str(report.notices[0])


def test_an_old_postgres_and_a_newer_schema_are_refused() -> None:
    report = Report()
    judge_postgres(12, 3, 2, report)

    assert [str(fault) for fault in report.faults] == [
        "postgres.dsn: PostgreSQL 12 is too old; use 13 or newer",
        "postgres.dsn: the schema has version 3, this release knows 2; upgrade streampoll",
    ]


def test_a_small_receive_buffer_comes_with_the_line_to_run() -> None:
    report = Report()
    judge_kernel("212992", 8 << 20, report)

    assert "run: sysctl -w net.core.rmem_max=8388608" in str(report.notices[0])
