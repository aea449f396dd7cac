"""`stats --watch` and `top` on a real terminal: drawn, told by keys, and the terminal given back however it ends."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.model import Status
from tests.results_support import bench, result_entry
from tests.terminal_support import CTRL_C, ENTER_SCREEN, on_terminal

CYAN = "\x1b[1;36m"
NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


@pytest.fixture
def place(tmp_path: Path, fresh_redis: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "streampoll.toml").write_text('[shards]\ncount = 2\n[jobs.interfaces]\nevery = "60s"\n')
    (tmp_path / "inventory.csv").write_text("name,address,site\nr1,10.0.0.1,zrh\nr2,10.0.0.2,zrh\n")
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", fresh_redis)
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", NOWHERE)
    monkeypatch.setenv("STREAMPOLL_CONFIG", str(tmp_path))
    return str(tmp_path)


@pytest.fixture
def polled(place: str, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two devices: r1 answered in 750 ms, r2 did not."""

    async def store() -> None:
        now = int(time.time())
        async with bench(fresh_database, float(now)) as b:
            await b.handle(result_entry("r1", now - 30), result_entry("r2", now - 20, Status.TIMEOUT))

    asyncio.run(store())
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)
    return place


def test_top_is_drawn_sorted_paused_and_ended_by_keys(polled: str) -> None:
    with on_terminal("top", "--every", "1") as terminal:
        assert ENTER_SCREEN in terminal.draws("slowest by median")
        assert CYAN in terminal.draws("r1")
        terminal.type("s")
        terminal.draws("failing most")
        terminal.draws("r2")
        terminal.type("p")
        terminal.draws("paused")
        terminal.type("ps")
        terminal.draws("slowest by median")
        terminal.type("q")
        assert terminal.ends() == 0


@pytest.mark.parametrize("end", [CTRL_C, signal.SIGTERM])
def test_top_gives_the_terminal_back_on_a_signal_and_draws_without_colours(polled: str, end: str | int) -> None:
    with on_terminal("top", columns=40, NO_COLOR="1") as terminal:
        terminal.draws("r1")
        terminal.type(end) if isinstance(end, str) else os.kill(terminal.process.pid, end)
        assert terminal.ends() == 0
        assert "\x1b[1;3" not in terminal.said


def test_stats_are_watched_until_q(place: str) -> None:
    with on_terminal("stats", "--watch", NO_COLOR="1") as terminal:
        assert ENTER_SCREEN in terminal.draws("polls/s")
        terminal.type("q")
        assert terminal.ends() == 0
        assert CYAN not in terminal.said


@pytest.fixture
def silent() -> Iterator[str]:
    """The DSN of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://nobody@127.0.0.1:{server.getsockname()[1]}/none"


def test_while_a_server_does_not_answer_it_says_so_and_ends_at_once(place: str, silent: str) -> None:
    with on_terminal("top", STREAMPOLL_POSTGRES_DSN=silent) as terminal:
        terminal.draws("reading…")
        terminal.type("q")
        assert terminal.ends() == 0
