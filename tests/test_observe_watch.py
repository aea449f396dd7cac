"""Showing figures once and again and again, until a signal."""

import asyncio
import io
import json
import os
import signal
import sys
from typing import NoReturn

import pytest
from rich.console import Console

from streampoll.observe.figures import FakeStats, Stats
from streampoll.observe.watch import Look, show_once, terminal_console, watch
from tests.observe_support import busy_stats

WELL = busy_stats()
ILL = Stats(0.0, troubles=["Redis: refused"])


def console(terminal: bool = False) -> Console:
    environ = {"TERM": "xterm"}  # not that of whoever runs the tests: a dumb terminal has no screen to take
    return Console(file=io.StringIO(), width=80, height=24, force_terminal=terminal, _environ=environ)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class EndsAfter(FakeStats):
    """Sends this process a signal once its snapshots have been seen."""

    def __init__(self, number: int, *snapshots: Stats) -> None:
        super().__init__(*snapshots)
        self._number = number
        self.last_was_given = False

    async def snapshot(self) -> Stats:
        if self.last_was_given:
            os.kill(os.getpid(), self._number)
            await asyncio.Event().wait()  # a server that never answers does not keep it from ending
        self.last_was_given = len(self.snapshots) == 1
        return await super().snapshot()


async def test_once_answers_whether_everything_could_be_read() -> None:
    assert await show_once(FakeStats(WELL), Look(), console())
    assert not await show_once(FakeStats(ILL), Look(), console())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_is_the_ordinary_end_of_watching(number: int) -> None:
    await watch(EndsAfter(number, ILL, WELL), Look(), out := console(), 0.0)

    assert written(out).index("Redis: refused") < written(out).index("polling")
    assert not asyncio.get_running_loop().remove_signal_handler(number)  # it was taken away again


async def test_json_is_one_object_a_line_however_narrow_the_console() -> None:
    await watch(EndsAfter(signal.SIGINT, WELL, WELL), Look(json=True), out := console(), 0.0)

    assert [json.loads(line)["at"] for line in written(out).splitlines()] == [WELL.at, WELL.at]


async def test_on_a_terminal_it_takes_the_screen_and_gives_it_back() -> None:
    await watch(EndsAfter(signal.SIGINT, WELL), Look(), out := console(terminal=True), 0.0)

    assert "\x1b[?1049h" in written(out)  # to the alternate screen
    assert written(out).rindex("\x1b[?1049l") > written(out).index("Queue")
    assert written(out).rindex("\x1b[?25h") > written(out).index("\x1b[?25l")  # the cursor is shown again


async def test_a_bug_while_watching_is_not_swallowed() -> None:
    class Broken(FakeStats):
        async def snapshot(self) -> NoReturn:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await watch(Broken(), Look(), out := console(terminal=True), 0.0)
    assert "\x1b[?1049l" in written(out)


async def test_a_cancelled_watch_ends_cancelled() -> None:
    source = FakeStats(WELL)
    task = asyncio.create_task(watch(source, Look(), console(), 60.0))
    while len(asyncio.all_tasks()) < 3:
        await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_terminal_that_writes_no_unicode_gets_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    latin = io.TextIOWrapper(buffer := io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", latin)

    terminal_console().print("– unknown")
    latin.flush()

    assert buffer.getvalue() == b"? unknown\n"
