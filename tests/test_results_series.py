"""Values over time and rates out of stored polls: differences over measured time, and nothing made up."""

from itertools import pairwise

import pytest

from streampoll.model import Outcome, Status, Table, TableTime, Trace, Value
from streampoll.results.reader import StoredPoll
from streampoll.results.series import Path, PathError, parse_path, paths_of, rates, samples, thinned, values

TRACE = Trace(0, 0, 0, 0, 0, 1, "host:1:1")
IN = Path("ifHCInOctets", "interfaces", "Ethernet1/1")


def poll(at: float, octets: Value, uptime: int = 100) -> StoredPoll:
    rows = [(1, b"Ethernet1/1", octets), (2, b"Ethernet2", 7)]
    table = Table(("ifName", "ifHCInOctets"), rows, (TableTime(2, at, uptime),), key="ifName")
    outcome = Outcome(Status.OK, values={"load": 0.5, "sysUpTime": uptime}, tables={"interfaces": table}, at=at)
    return StoredPoll("interfaces", "r1", int(at), Status.OK, 5, 9, outcome, TRACE)


def test_a_rate_is_the_difference_over_the_time_between_the_replies() -> None:
    polls = [poll(100.0, 1_000), poll(160.5, 7_050), poll(281.5, 7_050)]
    assert rates(samples(polls, IN)) == [(160.5, 100.0), (281.5, 0.0)]


def test_the_largest_counters_stay_exact() -> None:
    polls = [poll(0.5, (1 << 64) - 11), poll(10.5, (1 << 64) - 1)]
    assert rates(samples(polls, IN)) == [(10.5, 1.0)]


@pytest.mark.parametrize(("octets", "uptime"), [(10, 200), (99_000, 50)], ids=["it fell", "it booted"])
def test_over_a_reset_there_is_no_rate_and_the_next_is_right(octets: int, uptime: int) -> None:
    polls = [poll(100.0, 1_000), poll(110.0, octets, uptime), poll(120.0, octets + 50, uptime + 9)]
    assert rates(samples(polls, IN)) == [(110.0, None), (120.0, 5.0)]


def test_a_poll_without_the_value_widens_the_span() -> None:
    polls = [poll(100.0, 1_000), poll(110.0, None), poll(120.0, 3_000)]
    assert rates(samples(polls, IN)) == [(120.0, 100.0)]


def test_values_that_are_no_numbers_are_gaps() -> None:
    assert values(samples([poll(1.0, 5), poll(2.0, None)], IN)) == [(1.0, 5.0), (2.0, None)]
    assert values(samples([poll(1.0, 5)], Path("load"))) == [(1.0, 0.5)]


def test_thinned_polls_are_even_and_end_with_the_last() -> None:
    polls = [poll(float(n + 1), n) for n in range(100)]
    kept = [each.slot for each in thinned(polls, 30)]
    assert len(kept) == 25
    assert kept[-1] == 100
    assert {b - a for a, b in pairwise(kept)} == {4}


def test_paths_are_written_as_they_are_read() -> None:
    for path in paths_of(poll(1.0, 5).outcome):
        assert parse_path(str(path)) == path
    assert IN in paths_of(poll(1.0, 5).outcome)
    with pytest.raises(PathError, match=r"table\.column\[row\]"):
        parse_path("ifTable[1]")
