"""The scripts do what the model does, whatever is asked of them in whatever order; and a bug in one is found so too."""

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from redis.exceptions import ResponseError

from streampoll.shards import scripts
from tests.servers_support import REDIS_NAMES
from tests.shards_machine import StreamsMachine
from tests.shards_support import RedisBench

LIMITS = settings(
    max_examples=45,
    stateful_step_count=40,
    database=None,
    suppress_health_check=list(HealthCheck),
)
UNSHRUNK = settings(LIMITS, max_examples=400, phases=[Phase.generate], derandomize=True)


def run_side_by_side(url: str, limits: settings) -> None:
    """Let the machine run against a server."""
    with asyncio.Runner() as runner:
        bench = RedisBench(url)
        try:
            run_state_machine_as_test(lambda: StreamsMachine(runner, bench), settings=limits)
        finally:
            runner.run(bench.topology.close())


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
def test_the_scripts_do_what_the_model_does(fresh_redis: str) -> None:
    run_side_by_side(fresh_redis, LIMITS)


@pytest.mark.parametrize(
    ("script", "text", "mistake"),
    [
        ("finish", "id, id, 1, consumer)", "id, id, 1)"),
        ("finish", "if version ~= ARGV[w + 2] then", "if false then"),
        ("finish", "change_rows(class, rows - 1)", ""),
        ("finish", "change_rows(group, 1 - rows)", ""),
        ("finish", "if kinds then\n      add_joined(", "if false then\n      add_joined("),
        ("dispatch", "if stored ~= ARGV[3] then", "if false then"),
        ("release", "'released', 0", "ARGV[2], 0"),
        ("sweep", "return { cursor,", "return { '0-0',"),
    ],
)
def test_a_difference_is_found(
    script: str, text: str, mistake: str, fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert scripts.SCRIPTS[script].count(text) == 1
    monkeypatch.setitem(scripts.SCRIPTS, script, scripts.SCRIPTS[script].replace(text, mistake))

    with pytest.raises((AssertionError, ResponseError, ExceptionGroup)):
        run_side_by_side(fresh_redis, UNSHRUNK)
