"""What nobody asked for of stored rates and polls is not held; what is asked for says the same as before."""

import pytest

from streampoll.model import ColumnRows, Outcome, Status, Table, TableTime
from streampoll.results.choice import Choice
from streampoll.results.rate_history import RateHistory, rate_lines
from streampoll.results.rates_codec import StoredRates, TableColumns
from streampoll.results.reader import StoredPoll, StoredRow
from streampoll.results.series import Path, samples
from tests.results_support import TRACE

IN, OUT = "ifHCInOctets", "ifHCOutOctets"
PORTS = [f"Ethernet{n}" for n in range(5)]
OCTETS = Choice(lambda _profile, _table, column: "Octets" in column)


def poll(slot: int, per_s: int = 10) -> StoredPoll:
    """Each two ports came at a time of their own, the last at the poll's."""
    octets = [per_s * slot + n for n in range(5)]
    data = [["1", "2", "3", "4", "5"], octets, [name.encode() for name in PORTS], [7] * 5, octets[::-1]]
    times = (TableTime(2, slot + 0.25, 100 * slot), TableTime(2, slot + 0.5, 100 * slot + 25))
    ports = Table((IN, "ifName", "ifMtu", OUT), ColumnRows(data), times, key="ifName")
    mtu = Table(("ifMtu",), [("1", 7)])
    outcome = Outcome(Status.OK, values={"sysUpTime": 9, "x": 1}, tables={"ports": ports, "mtu": mtu}, at=slot + 1.0)
    return StoredPoll("j", "r1", slot, Status.OK, 1, 1, outcome, TRACE)


def row(slot: int, names: list[str]) -> StoredRow:
    table = TableColumns(names, {IN: [1.0] * len(names), OUT: [2.0] * len(names), "ifOutErrors": [0.0] * len(names)},
                         {IN: [0.5] * len(names), "ifOutErrors": [0.0] * len(names)}, [60.0] * len(names))  # fmt: skip
    errors = TableColumns(names, {"ifInErrors": [0.0] * len(names)}, {}, [60.0] * len(names))
    return StoredRow("j", "r1", slot, StoredRates(slot, 60.0, {"x": 1.0}, {"ports": table, "errors": errors}))


def test_of_rates_only_the_columns_that_are_wanted_are_held() -> None:
    kept = OCTETS.of_rates(row(60, PORTS)).rates
    assert kept.scalars == {}
    assert list(kept.tables) == ["ports"]
    assert (list(kept.tables["ports"].per_s), list(kept.tables["ports"].percent)) == ([IN, OUT], [IN])


def test_of_polls_only_the_columns_that_are_wanted_are_held() -> None:
    kept = OCTETS.of_poll(poll(60)).outcome
    assert kept.values == {"sysUpTime": 9}
    assert list(kept.tables) == ["ports"]
    assert kept.tables["ports"].columns == (IN, "ifName", OUT)


@pytest.mark.parametrize("port", PORTS)
def test_what_is_held_says_the_same_at_the_same_time(port: str) -> None:
    path = Path(OUT, "ports", port)
    one = Choice(lambda _profile, _table, column: column == OUT, port)
    assert list(samples([one.of_poll(poll(60))], path)) == list(samples([poll(60)], path)) != []
    assert one.of_rates(row(60, PORTS)).rates.tables["ports"] == TableColumns([port], {OUT: [2.0]}, {}, [60.0])


def test_no_more_series_are_held_than_are_shown_and_they_are_of_the_rows_that_came_first() -> None:
    choice = Choice(lambda _profile, _table, column: "Octets" in column, most=6)
    newest, older = choice.of_rates(row(120, PORTS[1:3])), choice.of_rates(row(60, PORTS))
    of_poll = choice.of_poll(poll(0)).outcome.tables["ports"]
    assert newest.rates.tables["ports"].rows == PORTS[1:3]
    assert older.rates.tables["ports"].rows == PORTS[:3]
    assert [each[2] for each in of_poll.rows] == [b"Ethernet0", b"Ethernet1", b"Ethernet2"]


def test_the_names_of_rows_are_held_once() -> None:
    choice = Choice()
    one, two = (choice.of_rates(row(slot, list(PORTS))).rates.tables["ports"].rows for slot in (120, 60))
    assert one is two


def test_where_less_is_drawn_rates_are_made_of_fewer_polls_over_longer_times() -> None:
    rated = [StoredRow("j", "r1", 2000, StoredRates(2000.0))]
    polls = [poll(slot) for slot in range(0, 4000, 10)]
    history = RateHistory.of("j", rated, polls[::-1])
    made = rate_lines(history, [("ports", IN)], 20)[Path(IN, "ports", PORTS[0])].made
    assert len(made) == 20
    assert {rate for _, rate, _ in made} == {10.0}
    assert sum(span_s for _, _, span_s in made) == 3990 - 10  # all of it, but for the rated poll between
