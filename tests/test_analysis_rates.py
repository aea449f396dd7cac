"""Rates of counters: right in every case, never negative, never a spike, and none where none can be known."""

from dataclasses import dataclass, field, replace
from operator import sub
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streampoll.analysis import columns, rates
from streampoll.analysis.baseline import Baseline, pack, unpack
from streampoll.analysis.columns import narrow, narrow_rate
from streampoll.analysis.counters import ProfileCounters, TableCounters
from streampoll.analysis.rates import Found, rates_of
from streampoll.model import ColumnRows, Outcome, Status, Table, TableTime

COUNTERS = ProfileCounters(
    frozenset({"ipInReceives"}),
    {"ifs": TableCounters(frozenset({"inOctets", "inErrors"}), "ifCounterDiscontinuityTime",
                          (("ifHighSpeed", 1e6), ("ifSpeed", 1.0)))},
)  # fmt: skip
COLUMNS = ("ifName", "ifHighSpeed", "ifSpeed", "inOctets", "inErrors", "ifCounterDiscontinuityTime")
START = 1_700_000_000.0
WRAP = 1 << 32


@dataclass
class Row:
    """An interface as it answers."""

    name: str = "Gi0/1"
    index: int = 1
    octets: int | None = 0
    errors: int | None = 0
    jumped: int = 0
    speed: int = 1000  # Mbit/s


@dataclass
class Poll:
    """One poll: `at` in seconds after START."""

    at: float
    rows: list[Row]
    uptime: int | None = None  # hundredths of a second; None: as if booted 1,000 s before START
    scalar: int = 0
    boots: int | None = None
    narrow: bool = False
    complete: bool = True
    values: dict[str, int] = field(default_factory=dict)

    def outcome(self) -> Outcome:
        ticks = int((self.at + 1000) * 100) % WRAP if self.uptime is None else self.uptime
        data = [
            [row.index for row in self.rows], [row.name for row in self.rows], [row.speed for row in self.rows],
            [min(row.speed * 10**6, WRAP - 1) for row in self.rows], [row.octets for row in self.rows],
            [row.errors for row in self.rows], [row.jumped for row in self.rows],
        ]  # fmt: skip
        half = len(self.rows) // 2
        times = [TableTime(half, START + self.at, ticks), TableTime(len(self.rows) - half, START + self.at, ticks)]
        short = {"inOctets": range(len(self.rows))} if self.narrow else {}
        table = Table(COLUMNS, ColumnRows(data), times, self.complete, "ifName", short)
        values = {"sysUpTime": ticks, "ipInReceives": self.scalar}
        if self.boots is not None:
            values["snmpEngineBoots"] = self.boots
        return Outcome(Status.OK, values=values, tables={"ifs": table}, at=START + self.at)


def follow(*polls: Poll, failed: bool = False) -> Found:
    """Analyse polls in order, each with the baseline that the one before left, as Redis keeps it; return the last."""
    found = Found(Baseline())
    for poll in polls:
        base = unpack(pack(found.base))
        found = rates_of(int(START + poll.at), poll.outcome(), COUNTERS, base)
    return found


def octets(*polls: Poll) -> list[float | None]:
    table = follow(*polls).tables.get("ifs")
    return [] if table is None or "inOctets" not in table.per_s else table.per_s["inOctets"]


def rounded(found: list[float | None]) -> list[float | None]:
    return [None if rate is None else round(rate, 6) for rate in found]


def test_the_first_poll_has_no_rate() -> None:
    assert octets(Poll(0, [Row()])) == []


def test_a_rate_is_the_difference_over_the_measured_time() -> None:
    assert rounded(octets(Poll(0, [Row()]), Poll(62.5, [Row(octets=6250)]))) == [100.0]


def test_the_time_is_that_of_the_devices_clock_not_of_the_replies_arrival() -> None:
    late = Poll(62, [Row(octets=6000)], uptime=106_000)  # the reply was 2 s on its way

    assert octets(Poll(0, [Row()]), late) == [100.0]


def test_after_missed_slots_there_is_one_rate_over_the_true_time() -> None:
    assert rounded(octets(Poll(0, [Row()]), Poll(600, [Row(octets=60_000)]))) == [100.0]


@pytest.mark.parametrize(
    ("case", "before", "after"),
    [
        ("rebooted", Poll(0, [Row(octets=500)]), Poll(60, [Row(octets=9000)], uptime=3000)),
        ("rebooted long ago", Poll(0, [Row(octets=500)], uptime=6000),
         Poll(3600, [Row(octets=9_000_000)], uptime=300_000)),
        ("engine boots", Poll(0, [Row(octets=500)], boots=4), Poll(60, [Row(octets=9000)], boots=5)),
        ("64 bits fell", Poll(0, [Row(octets=2**64 - 5)]), Poll(60, [Row(octets=5)])),
        ("discontinuity", Poll(0, [Row(octets=500)]), Poll(60, [Row(octets=9000, jumped=777)])),
        ("another index", Poll(0, [Row(octets=500)]), Poll(60, [Row(octets=9000, index=7)])),
        ("32 bits fell too far for a wrap", Poll(0, [Row(octets=2**31)], narrow=True),
         Poll(10, [Row(octets=5)], narrow=True)),
        ("32 bits fell, speed not known", Poll(0, [Row(octets=WRAP - 5, speed=0)], narrow=True),
         Poll(60, [Row(octets=5, speed=0)], narrow=True)),
        ("32 bits could have wrapped twice", Poll(0, [Row(octets=5)], narrow=True),
         Poll(60, [Row(octets=9000)], narrow=True)),
        ("from 64 bits to 32", Poll(0, [Row(octets=500)]), Poll(10, [Row(octets=9000)], narrow=True)),
        ("a value was missing", Poll(0, [Row(octets=None)]), Poll(60, [Row(octets=9000, errors=None)])),
        ("no time between", Poll(0, [Row(octets=500)]), Poll(0, [Row(octets=9000)])),
    ],
)  # fmt: skip
def test_no_rate_where_a_counter_may_have_begun_anew_and_a_baseline_at_once(
    case: str, before: Poll, after: Poll
) -> None:
    assert octets(before, after) in ([], [None]), case

    boots = after.boots
    uptime = None if after.uptime is None else after.uptime + 1000
    row = replace(after.rows[0], octets=(after.rows[0].octets or 0) + 1000)
    after_that = Poll(after.at + 10, [row], uptime=uptime, boots=boots, narrow=after.narrow)
    assert rounded(octets(before, after, after_that)) in ([100.0], []), case


def test_a_counter_of_32_bits_that_wraps_within_the_speed_goes_on() -> None:
    slow = Poll(0, [Row(octets=WRAP - 1000, speed=100)], narrow=True)

    assert octets(slow, Poll(60, [Row(octets=5000, speed=100)], narrow=True)) == [100.0]


def test_sysuptime_wraps_after_497_days_and_is_no_reboot() -> None:
    before = Poll(0, [Row(octets=0)], uptime=WRAP - 3000)
    found = follow(before, Poll(60, [Row(octets=6000)], uptime=3000))

    assert not found.rebooted
    assert found.tables["ifs"].per_s["inOctets"] == [100.0]


def test_rows_are_known_by_name_whatever_their_order_and_a_new_one_has_none() -> None:
    before = Poll(0, [Row("a", 1, 0), Row("b", 2, 0)])
    after = Poll(60, [Row("b", 2, 6000), Row("c", 3, 99), Row("a", 1, 12_000)])

    assert octets(before, after) == [100.0, None, 200.0]


def test_rows_of_one_name_are_told_apart() -> None:
    found = follow(Poll(0, [Row("x", 1), Row("x", 2)]), Poll(60, [Row("x", 1, 60), Row("x", 2, 120)]))

    assert found.tables["ifs"].rows == ["x#1", "x#2"]
    assert found.tables["ifs"].per_s["inOctets"] == [1.0, 2.0]


def test_rows_that_a_cut_walk_did_not_reach_keep_their_baseline() -> None:
    both = Poll(0, [Row("a", 1, 0), Row("b", 2, 0)])
    cut = Poll(60, [Row("a", 1, 600)], complete=False)

    assert octets(both, cut, Poll(120, [Row("a", 1, 1200), Row("b", 2, 1200)])) == [10.0, 10.0]


def test_a_row_that_is_gone_and_comes_back_begins_anew() -> None:
    both, one = [Row("a", 1, 60), Row("b", 2, 9)], [Row("a")]

    assert octets(Poll(0, both), Poll(60, one), Poll(120, both)) == [1.0, None]


def test_utilisation_is_of_ifhighspeed() -> None:
    found = follow(Poll(0, [Row(speed=100)]), Poll(60, [Row(octets=375_000_000, speed=100)]))

    assert found.tables["ifs"].percent["inOctets"] == [50.0]


def test_scalars_have_rates_too() -> None:
    found = follow(Poll(0, [Row()], scalar=10), Poll(60, [Row()], scalar=610))

    assert (found.scalars, found.span_s) == ({"ipInReceives": 10.0}, 60.0)


def test_a_failed_poll_leaves_the_baseline() -> None:
    first = follow(Poll(0, [Row()]))
    failed = rates_of(int(START + 60), Outcome(Status.TIMEOUT, "no answer"), COUNTERS, first.base)
    found = rates_of(int(START + 120), Poll(120, [Row(octets=1200)]).outcome(), COUNTERS, failed.base)

    assert (failed.any, failed.base.slot) == (False, int(START + 60))
    assert found.tables["ifs"].per_s["inOctets"] == [10.0]


@dataclass
class Machine:
    """A device whose counters are known exactly; `true` is what each counted since the poll before, None: not known."""

    random: Random
    bits: int
    now: float = 0.0
    booted: float = -4_294_900.0  # sysUpTime wraps soon
    count: int = 0
    since: int | None = None  # counted since the last poll, without a break

    def live(self) -> float:
        """Let time pass, with whatever happens in it; return how long."""
        wait = self.random.choice([60.0, 60.0, 60.0, 61.5, 58.0, 300.0])
        rate = self.random.randint(0, 10**6)  # at most 8 Mbit/s of 10
        what = self.random.choice(["", "", "", "", "reboot", "clear", "fall"])
        what = "" if what == "fall" and not self.polled else what
        self.now += wait
        grown = int(rate * wait)
        self.since = None if self.since is None or what else self.since + grown
        if what:
            self.count = self.polled // 2 if what == "fall" else int(rate * wait / 2)
            self.booted = self.now - wait / 2 if what == "reboot" else self.booted
        self.fell = what == "fall"
        self.count = (self.count + (0 if what else grown)) % (1 << self.bits)
        self.jumped += what == "clear"
        return wait

    jumped: int = 0
    polled: int = 0  # the count at the last poll
    fell: bool = False  # below that, without a word: a poll that comes soon enough sees it

    def poll(self) -> Poll:
        uptime = round((self.now - self.booted) * 100) % WRAP
        self.polled = self.count
        return Poll(self.now, [Row("a", 1, self.count, speed=10, jumped=self.jumped)], uptime, narrow=self.bits == 32)


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([32, 64]))
def test_whatever_happens_a_rate_is_what_was_counted_or_none(seed: int, bits: int) -> None:
    machine = Machine(Random(seed), bits)
    base, last, some = Baseline(), None, 0
    for _ in range(12):
        machine.live()
        if machine.random.random() < 0.2 and not machine.fell:
            continue  # the slot was missed
        found = rates_of(int(START + machine.now), machine.poll().outcome(), COUNTERS, base)
        base = found.base
        table = found.tables.get("ifs")
        [rate] = table.per_s.get("inOctets", [None]) if table else [None]
        if rate is not None:
            assert machine.since is not None, "a rate over a break"
            assert last is not None
            assert rate == pytest.approx(machine.since / (machine.now - last), rel=1e-3, abs=1e-6)
            some += 1
        machine.since, last = 0, machine.now


@pytest.mark.parametrize(
    ("module", "name", "mistake"),
    [
        (rates, "_spans", lambda new, before, found: list(map(sub, new.at, before.at))),
        (rates, "narrow", lambda after, before, per_s, most: columns.wide(
            [a if a >= b else a + WRAP for a, b in zip(after, before, strict=True)], before, per_s)),
        (rates, "wide", lambda after, before, per_s: [
            (a - b) % 2**64 * p if p else None for a, b, p in zip(after, before, per_s, strict=True)]),
        (rates, "_broken", lambda spans, new, before: spans),
    ],
    ids=["reboots are not seen", "every fall of 32 bits is a wrap", "64 bits wrap", "discontinuity is not seen"],
)  # fmt: skip
def test_a_planted_bug_is_found(module, name: str, mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, mistake)
    if name == "_spans":
        monkeypatch.setattr(rates, "span_of", lambda wall_s, before, after: wall_s)
    with pytest.raises(AssertionError):
        _all_seeds()


def _all_seeds() -> None:
    for seed in range(400):
        test_whatever_happens_a_rate_is_what_was_counted_or_none.hypothesis.inner_test(seed, 32 + seed % 2 * 32)


@pytest.mark.parametrize("seed", range(20))
def test_a_column_of_32_bits_is_rated_as_its_rows_are(seed: int) -> None:
    random = Random(seed)
    odd = (None, 0, 5, 2**31, 2**32 - 1, 2**32, 2**33)
    for _ in range(200):
        count = random.randint(1, 4)
        before = [random.choice(odd) if random.random() < 0.2 else random.randrange(2**32) for _ in range(count)]
        after = [random.choice(odd) if old is None or random.random() < 0.2 else old + random.randrange(1000)
                 for old in before]  # fmt: skip
        per_s = [None if random.random() < 0.1 else 1 / random.choice((1, 10, 60, 300, 900)) for _ in range(count)]
        most = [None if random.random() < 0.4 else random.choice((1e3, 1e7, 1.25e8, 2**32 / 60)) for _ in range(count)]

        assert narrow(after, before, per_s, most) == list(map(narrow_rate, after, before, per_s, most))
