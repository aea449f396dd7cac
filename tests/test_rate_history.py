"""Rates over time, out of a real PostgreSQL: the API, `results --rates` and `plot` say the same, and whence."""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streampoll.api.directory import Directory, Inventory
from streampoll.api.rates import RateRoutes
from streampoll.api.series import SeriesRoutes
from streampoll.cli import run
from streampoll.config.jobs import Job
from streampoll.model import Device, Outcome, RatesRow, Result, Status, Table, TableTime
from streampoll.results.archive import Archive
from streampoll.results.choice import Choice
from streampoll.results.codec import encode_payload
from streampoll.results.postgres import Postgres
from streampoll.results.rate_history import Column, RateHistory, RateLine, rate_lines, read_rates
from streampoll.results.rates_codec import StoredRates, TableColumns, encode_rates_payload
from streampoll.results.reader import StoredPoll, StoredRow, Wanted
from streampoll.results.series import Path as Metric
from streampoll.shards.entries import Entry, encode_rates, encode_result
from tests.api_support import asking
from tests.results_support import TRACE, bench, settings_of

IN = Metric("ifHCInOctets", "interfaces", "Ethernet1")
POLLS, RATED = 12, 8  # the newest of the polls have rates


def outcome(at: float, octets: int) -> Outcome:
    rows = [(1, b"Ethernet1", octets), (2, b"Ethernet2", 7)]
    table = Table(("ifName", "ifHCInOctets"), rows, (TableTime(2, at, 100),), key="ifName")
    return Outcome(Status.OK, tables={"interfaces": table}, at=at, profile="interfaces")


def rates(at: float, rate: float | None) -> StoredRates:
    table = TableColumns(["Ethernet1", "Ethernet2"], {"ifHCInOctets": [rate, 0.0], "ifOutErrors": [0.5, 0.0]},
                         {"ifHCInOctets": [0.25, 0.0]}, [60.0, 60.0])  # fmt: skip
    return StoredRates(at, 60.0, {"ipInReceives": 12.5}, {"interfaces": table})


def stored(now: int) -> list[Entry]:
    """Polls that say 1,000 octets a second, and rates that say a little more: so one can tell who is asked."""
    polls = [(now - 60 * n, outcome(now - 60 * n, 1_000_000 - 60_000 * n)) for n in range(POLLS)]
    results = [Result("interfaces", "r1", slot, Status.OK, 9, encode_payload(made, TRACE)) for slot, made in polls]
    rated = [(now - 60 * n, rates(float(now - 60 * n), 1001.5 + n)) for n in range(RATED)]
    rows = [RatesRow("interfaces", "r1", slot, encode_rates_payload(made)) for slot, made in rated]
    return [*map(encode_result, results), *map(encode_rates, rows)]


@pytest.fixture
def place(tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of one device of which polls and rates are stored."""
    (tmp_path / "streampoll.toml").write_text('[jobs.interfaces]\nevery = "60s"\n')
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)

    async def store() -> None:
        now = int(time.time()) - 5
        async with bench(fresh_database, float(now)) as b:
            await b.handle(*stored(now))

    asyncio.run(store())
    return tmp_path


class Holding(Archive):
    """Notes what it returns."""

    def __init__(self, postgres: Postgres) -> None:
        super().__init__(postgres)
        self.rows: list[StoredRow] = []
        self.polls: list[StoredPoll] = []

    async def rates(self, wanted: Wanted, choice: Choice | None = None) -> list[StoredRow]:
        self.rows = await super().rates(wanted, choice)
        return self.rows

    async def rate_histories(self, wanted: Wanted, choice: Choice | None = None) -> list[RateHistory]:
        found = await super().rate_histories(wanted, choice)
        self.rows = [row for history in found for row in history.rows]
        self.polls = [poll for history in found for run in history.runs for poll in run]
        return found


async def answers(dsn: str, *paths: str, archive: Archive | None = None) -> list[Any]:
    """What the API answers of r1."""
    inventory = Inventory.of([Device("r1", "10.0.0.1", profile="interfaces")], [Job("interfaces", 60)])
    directory, archive = Directory(lambda: inventory), archive or Archive(Postgres(settings_of(dsn)))
    routes = [*SeriesRoutes(directory, archive, lambda _: {("interfaces", "ifHCInOctets"): "octets"}).routes(),
              *RateRoutes(directory, archive).routes()]  # fmt: skip
    try:
        async with asking(routes) as client:
            return [(await client.get(f"/api/v1/devices/r1/{path}")).json() for path in paths]
    finally:
        await archive.close()


def said(place: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    """What a command says in JSON, line by line."""
    assert run([*words, "--config", str(place)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_everybody_who_shows_rates_says_the_same(
    place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(place, capsys, "results", "r1", "--rates", "--limit", "100", "--format", "json")
    [plot] = said(place, capsys, "plot", "r1", str(IN), "--json")
    by_route, series = asyncio.run(answers(fresh_database, "rates", "series?row=Ethernet1"))

    assert by_route == lines
    assert len(lines) == RATED
    table = [(line["at"], line["tables"]["interfaces"]["per_s"]["ifHCInOctets"][0]) for line in lines[::-1]]
    assert [tuple(point) for point in plot["points"][-RATED:]] == table
    assert [rate for _, rate in plot["points"]] == [1000.0] * (POLLS - RATED - 1) + [1001.5 + n for n in range(8)][::-1]
    assert [(each["points"], each["source"]) for each in series] == [(plot["points"], "both")]
    assert plot["source"] == "both"


def test_the_route_bounds_what_it_reads_and_keeps_to_what_is_asked_for(place: Path, fresh_database: str) -> None:
    asked = ("rates?columns=ifOutErrors&limit=2", "rates?since=4m", "rates?job=none", "rates?columns=a,,b")
    errors, late, none, wrong = asyncio.run(answers(fresh_database, *asked))

    assert [(each["per_s"], list(each["tables"]["interfaces"]["per_s"])) for each in errors] == [
        ({}, ["ifOutErrors"])
    ] * 2
    assert len(late) == 4
    assert none == []
    assert wrong["status"] == 400


def test_the_routes_hold_no_more_than_they_say(
    place: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streampoll.api.series._MOST_SERIES", 1)
    archive, made = Holding(Postgres(settings_of(fresh_database))), []

    def lines(history: RateHistory, columns: Sequence[Column], most: int = 0) -> dict[Metric, RateLine]:
        made.append((most, threading.current_thread() is threading.main_thread()))
        return rate_lines(history, columns, most)

    monkeypatch.setattr("streampoll.api.series.rate_lines", lines)
    [series] = asyncio.run(answers(fresh_database, "series?points=50", archive=archive))

    assert len(series) == 1
    assert {tuple(each.rates.tables) for each in archive.rows} == {("interfaces",)}
    assert {(*table.per_s, *table.rows) for table in tables_of(archive.rows)} == {("ifHCInOctets", "Ethernet1")}
    assert [len(poll.outcome.tables["interfaces"].rows) for poll in archive.polls] == [1] * (POLLS - RATED)
    assert made == [(50, False)]  # no more than are drawn, and others are served meanwhile


def test_the_route_of_rates_holds_only_the_columns_that_are_asked_for(place: Path, fresh_database: str) -> None:
    archive = Holding(Postgres(settings_of(fresh_database)))
    asyncio.run(answers(fresh_database, "rates?columns=ifOutErrors&limit=1000", archive=archive))
    assert [list(table.per_s) for table in tables_of(archive.rows)] == [["ifOutErrors"]] * RATED


def tables_of(rows: list[StoredRow]) -> list[TableColumns]:
    return [table for row in rows for table in row.rates.tables.values()]


def test_plot_holds_no_more_than_it_draws(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[RateHistory] = []

    async def read(*given: Any) -> list[RateHistory]:
        held.extend(await read_rates(*given))
        return held

    monkeypatch.setattr("streampoll.cli.plot.read_rates", read)
    assert run(["plot", "r1", str(IN), "--json", "--config", str(place)]) == 0

    [history] = held
    assert [(list(t.per_s), t.rows) for t in tables_of([*history.rows])] == [(["ifHCInOctets"], ["Ethernet1"])] * RATED
    assert [len(poll.outcome.tables["interfaces"].rows) for run in history.runs for poll in run] == [1] * 4


def test_what_analysis_left_out_is_not_made_up_of_polls() -> None:
    rows = [StoredRow("j", "r1", 60 * n, rates(60.0 * n, 5.0)) for n in (2, 3, 6)]
    polls = [StoredPoll("j", "r1", 60 * n, Status.OK, 1, 1, outcome(60.0 * n, 600 * n), TRACE) for n in (1, 4, 5, 7)]
    line = rate_lines(RateHistory.of("j", rows[::-1], polls[::-1]), [("interfaces", "ifHCInOctets")])[IN]
    assert [at for at, _, _ in line.made] == [300.0]  # from 4 to 5, and no other: there are rates between


def test_rates_drawn_as_one_are_means_and_a_time_without_any_is_a_gap() -> None:
    line = RateLine([(60.0, 1.0, 60.0), (90.0, 4.0, 30.0), (150.0, None, 60.0), (400.0, 3.0, 60.0)], [])
    assert line.points(10) == [(60.0, 1.0), (90.0, 4.0), (150.0, None), (340.0, None), (400.0, 3.0)]
    assert line.points(2) == [(90.0, 2.0), (340.0, None), (400.0, 3.0)]
