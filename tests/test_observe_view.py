"""What `streampoll stats` shows."""

import json

import pytest
from rich.console import Console

from streampoll.observe.figures import JobRow, QueueRow, Stats, WorkerRow, by_class
from streampoll.observe.view import render, to_json
from tests.observe_support import busy_stats, text


def test_a_class_is_the_sum_of_its_shards_and_says_where_the_oldest_is() -> None:
    summed = by_class(busy_stats().queues)

    assert [(row.queue, row.waiting, row.dead) for row in summed] == [
        ("polling", 1_333_332, 0),
        ("notifications", 0, 1),
    ]
    assert "99.9s in 07" in text(render(busy_stats()))


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    assert by_class([QueueRow("polling", 0, waiting=4), QueueRow("polling", 1)])[0].waiting is None


def test_everything_fits_80_columns_with_no_figure_cut() -> None:
    lines = text(render(busy_stats(), shards=True)).splitlines()

    assert max(map(len, lines)) <= 80
    cut = [line for line in lines if "…" in line]
    assert [line.split()[0] for line in cut] == ["interfaces-of-the…", "poller-frankfurt-…"]  # names, clipped by us


def test_what_is_unknown_is_a_dash_and_null_and_never_a_zero() -> None:
    stats = Stats(0.0, [QueueRow("polling", 0)], [WorkerRow("w")], None, [JobRow("interfaces")])

    lines = text(render(stats)).splitlines()[1:]
    rows = json.loads(to_json(stats))

    assert not any("0" in line.replace("p50", "") for line in lines)
    assert {value for key, value in rows["queues"][0].items() if key not in ("queue", "shard")} == {None}
    assert rows["leader"] is None


def test_only_shards_that_hold_something_have_a_line() -> None:
    shown = text(render(busy_stats(), shards=True))
    assert shown.count("shard 00") == 1
    assert shown.count("shard 07") == 2


@pytest.mark.parametrize(
    ("stats", "said"),
    [
        (Stats(0.0), "nobody leads: nothing is dispatched"),
        (Stats(0.0), "No worker is alive"),
        (Stats(0.0, troubles=["Redis: refused"]), "! Redis: refused"),
        (Stats(0.0, troubles=["Redis: refused"]), "leader unknown"),
    ],
)
def test_what_is_wrong_is_said_in_words(stats: Stats, said: str) -> None:
    assert said in text(render(stats))


def test_a_server_that_is_away_does_not_become_no_workers() -> None:
    assert "No worker" not in text(render(Stats(0.0, troubles=["Redis: refused"])))


def test_no_color_and_pipes_get_no_escape_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Console(force_terminal=True, width=80).print(render(busy_stats()))
    coloured = [code for code in ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m") if code in capsys.readouterr().out]
    assert not coloured
    assert "\x1b" not in text(render(busy_stats()))


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    stats = Stats(0.0, [QueueRow("polling", 0)], [WorkerRow("w", host="[red]h[/]")], None, [JobRow("[bold]j")])
    shown = text(render(stats))
    assert "[red]h[/]" in shown
    assert "[bold]j" in shown
