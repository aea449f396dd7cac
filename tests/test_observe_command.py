"""`streampoll stats` as it is called."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streampoll.app import looks
from streampoll.cli import run
from streampoll.observe.figures import FakeStats, Stats
from tests.observe_support import busy_stats


def serve(monkeypatch: pytest.MonkeyPatch, stats: Stats) -> None:
    @asynccontextmanager
    async def open_stats(_: Path) -> AsyncIterator[FakeStats]:
        yield FakeStats(stats)

    monkeypatch.setattr(looks, "open_stats", open_stats)


def test_stats_prints_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    serve(monkeypatch, busy_stats())
    assert run(["stats", "--shards"]) == 0
    assert "shard 07" in capsys.readouterr().out


def test_stats_as_json_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    serve(monkeypatch, busy_stats())
    assert run(["stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["queues"][1]["waiting"] == 1_234_567


def test_stats_says_by_its_exit_code_that_redis_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monkeypatch, Stats(0.0, troubles=["Redis at 127.0.0.1:6379: connection refused"]))
    assert run(["stats"]) == 1
    assert "! Redis at 127.0.0.1:6379: connection refused" in capsys.readouterr().out
