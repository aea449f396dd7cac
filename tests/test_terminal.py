"""The full screens, their keys, and what is plain where nobody looks at a terminal."""

import contextlib
import os
import pty
import signal
import termios

import pytest

from streampoll.cli.progress import followed, progress
from streampoll.errors import PostgresUnavailable
from streampoll.model import Status
from streampoll.observe.braille import chart, nice
from streampoll.observe.figures import FakeStats
from streampoll.observe.keyboard import keys, named
from streampoll.observe.screen import Screen, Slowest
from streampoll.observe.top import Top, TopDevice, TopScreen
from streampoll.observe.watch import Look, terminal_console, watch
from streampoll.results.ranking import Ranked
from tests.observe_support import busy_stats, text
from tests.test_observe_watch import EndsAfter, console, written
from tests.waiting import eventually_async

SLOW = Slowest([Ranked("core-1", 10, 0, 1250, 3100, Status.OK)])


# -- keys


def test_keys_have_names_however_they_come() -> None:
    assert named("q") == ["q"]
    assert named("\x1b[A") == ["up"]
    assert named("sp \x07") == ["s", "p", "space"]


async def test_a_key_comes_without_enter_and_the_terminal_is_given_back() -> None:
    ours, theirs = pty.openpty()
    before, pressed = termios.tcgetattr(theirs), []
    with contextlib.suppress(ZeroDivisionError), keys(pressed.append, theirs) as listening:
        assert listening
        assert termios.tcgetattr(theirs) != before
        os.write(ours, b"q")
        await eventually_async(lambda: pressed == ["q"])
        raise ZeroDivisionError  # a crash gives it back too
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


async def test_where_there_is_no_terminal_there_are_no_keys() -> None:
    reader, writer = os.pipe()
    with keys(print, reader) as listening:
        assert not listening
    os.close(reader)
    os.close(writer)


# -- stats --watch


def screen(*pressed: str) -> Screen:
    made = Screen()
    made.take(busy_stats())
    made.rank(SLOW)
    for key in pressed:
        made.press(key)
    return made


def test_the_screen_has_queues_jobs_workers_and_the_slowest_devices_in_80_columns() -> None:
    shown = text(screen().draw(80))
    for part in (
        "polls/s   6,025 █",
        "late p99 12.7s",
        "polling",
        "interfaces-of-the",
        "silent 42s",
        "core-1",
        "3.10s",
    ):
        assert part in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_on_a_wide_terminal_devices_stand_beside_workers() -> None:
    lines = text(screen().draw(160), width=160).splitlines()
    assert any("Worker" in line and "Slowest devices" in line for line in lines)


def test_workers_are_sorted_by_a_key() -> None:
    by_lag = text(screen("s", "s", "s", "s").draw(120), width=120)
    assert "workers most lag first" in by_lag
    assert by_lag.index("4194304") < by_lag.index("4194305")


def test_while_paused_nothing_moves_and_that_is_said() -> None:
    held = screen("p")
    held.take(FakeStats(busy_stats()).snapshots[0].__class__(0.0, troubles=["Redis: refused"]))
    assert "refused" not in text(held.draw(80))
    assert "paused" in text(held.draw(80))


async def test_why_the_slowest_are_not_known_is_said_in_their_place() -> None:
    async def away() -> None:
        raise PostgresUnavailable("PostgreSQL: refused")

    source = EndsAfter(signal.SIGINT, busy_stats(), busy_stats(), busy_stats())
    await watch(source, Look(), out := console(terminal=True), 0.01, away)
    assert "Slowest devices: PostgreSQL: refused" in written(out)


def test_no_color_takes_the_colours_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal_console().no_color


# -- top


def test_top_shows_where_a_device_is_on_a_wide_terminal_only() -> None:
    device = TopDevice("core-1", "10.0.0.1", None, "timeout", 10, 7, 250, 3100, 1_000)
    shown = TopScreen("failing")
    shown.take(Top(1_300.0, "failing", [device]))
    assert "10.0.0.1" not in text(shown.draw(80))
    wide = text(shown.draw(120), width=120)
    for part in ("10.0.0.1", "–", "timeout", "70 %", "250ms", "3.10s", "5m"):
        assert part in wide


def test_the_other_ranking_is_asked_for_and_a_late_answer_to_the_first_is_forgotten() -> None:
    shown = TopScreen("slow")
    shown.press("s")
    assert shown.turned.is_set()
    shown.take(Top(0.0, "slow", troubles=["old"]))
    assert "old" not in text(shown.draw(80))


# -- progress


def test_progress_is_seen_on_a_terminal_and_nowhere_else() -> None:
    with progress("migrating", None, out := console(terminal=True)) as done:
        done()
    assert "migrating" in written(out)
    assert list(followed("requeue", [1, 2], plain := console())) == [1, 2]
    assert written(plain) == ""


# -- lines


def test_a_line_is_drawn_with_its_axes_and_its_gaps() -> None:
    points = [(60.0 * n, None if 40 <= n < 60 else float(n)) for n in range(100)]
    lines = chart(points, 60, 14)
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith(" 100 ┤")
    assert lines[11].lstrip().startswith("0 ┤")
    columns = ["".join(line[7 + n : 8 + n] for line in lines[:12]).strip() for n in range(50)]
    assert all(columns[:18])
    assert not any(columns[23:28])


@pytest.mark.parametrize(
    "points", [[(0.0, 5.0)], [(0.0, 0.0), (1.0, 0.0)], [(0.0, -3.0), (9.0, 4e12)], [(0.0, None), (1.0, 1.0)]]
)
def test_any_line_can_be_drawn(points: list[tuple[float, float | None]]) -> None:
    lines = chart(points, 50, 12)
    assert any("⠀" < letter <= "⣿" for line in lines for letter in line)


def test_axes_end_at_round_numbers() -> None:
    assert [nice(value) for value in (0.0, 0.7, 1.0, 99.0, 470e6)] == [1.0, 0.8, 1.0, 100.0, 500e6]
