"""Built-in profiles on recordings of real devices, value by value as net-snmp reads them; `bin/recordings` does all."""

from dataclasses import replace
from pathlib import Path

import pytest

from streampoll.model import Outcome, Status, Table
from streampoll.snmp.plan import CollectPlan, Kind, Metric, Oid, TableSpec
from tests.builtin_support import read
from tests.fleet_support import NetSnmp
from tests.recordings import agents
from tests.recordings.catalogue import Recording, recordings
from tests.recordings.choice import plans_for
from tests.recordings.compare import differences, plain
from tests.recordings.polls import Report, examine
from tests.recordings.reference import Reference, Typed, as_kind
from tests.recordings.trim import write

PLANS, _ = read()
RECORDINGS = {each.name: each for each in recordings()}
SAMPLE = {  # recording -> profiles, of which each has something there
    "UPS/apc-8641": ("apc-pdu",),
    "UPS/eaton-93e-80": ("ups", "interfaces"),
    "cloud/arista-dcs-7150s-52-cl": ("arista", "lldp"),
    "network/firewall/fortinet-xcu": ("fortinet",),
    "network/firewall/paloalto-pa-5000": ("paloalto",),
    "network/router/huawei-s5720": ("huawei",),
    "network/router/juniper-mx960-12-3r6-6": ("juniper", "lldp"),
    "network/switch/cisco-c3750": ("cisco", "entity"),
    "network/switch/h3c-e528-2": ("h3c",),
    "network/wifi/aruba-7210": ("aruba",),
    "os/linux/slackware": ("linux",),
    "os/windows/XP": ("windows",),
    "storage/netapp-fas3270": ("netapp",),
}
BY_SNMPSIM = {"UPS/eaton-93e-80": ("ups",), "os/windows/XP": ("hostresources",)}

pytestmark = pytest.mark.skipif(not RECORDINGS, reason="snmpsim-data is not installed")


def chosen(names: tuple[str, ...]) -> list[CollectPlan]:
    return [plan for name in names if isinstance(plan := PLANS[name], CollectPlan)]


def seen(report: Report) -> tuple[list[str], set[str]]:
    """What is wrong, and the profiles that found more than the system group."""
    return report.wrong, {poll.profile for poll in report.polls if poll.values > 10}


@pytest.mark.parametrize("name", SAMPLE)
def test_a_profile_reads_what_net_snmp_reads(name: str) -> None:
    report = examine(RECORDINGS[name], chosen(SAMPLE[name]), agents.fleet, whole=False, compare=True)
    assert seen(report) == ([], set(SAMPLE[name]))


@pytest.mark.parametrize("name", BY_SNMPSIM)
def test_so_it_does_from_snmpsim(name: str) -> None:
    report = examine(RECORDINGS[name], chosen(BY_SNMPSIM[name]), agents.snmpsim, whole=False, compare=True)
    assert seen(report) == ([], set(BY_SNMPSIM[name]))


def test_there_are_116_of_them_and_most_say_what_they_are() -> None:
    assert len(RECORDINGS) == 116
    assert len([name for name, each in RECORDINGS.items() if not each.object_id]) < 6


def test_a_device_is_polled_with_what_suits_it_and_with_what_any_may_have() -> None:
    names = {plan.profile for plan in plans_for(RECORDINGS["UPS/apc-8641"], PLANS)}
    assert {"apc-pdu", "apc-ups", "ups", "system", "interfaces", "printer"} <= names
    assert not {"cisco", "linux"} & names


# ---- the comparison itself

PEERS = TableSpec(
    "peers", (Metric("state", (1, 3, 2), Kind.INTEGER, (1, 3, 9)), Metric("name", (1, 4, 7), Kind.TEXT, by=("index",)))
)
PLAN = CollectPlan("made", (Metric("up", (1, 3, 1, 0), Kind.TICKS),), (PEERS,))
THEIRS: dict[Oid, dict[Oid, Typed]] = {
    (1, 3, 2): {(5,): Typed(2, "6")},
    (1, 3, 9): {(6,): Typed(2, "1")},
    (1, 4, 7): {(5,): Typed(4, "north"), (7,): Typed(4, "not in the table")},
}
ROWS = [["5", 6, "north"], ["6", 1, None]]


def told(rows: list[list[object]], up: int = 77) -> list[str]:
    """What the comparison says of a poll with these rows."""
    table = Table(("state", "name"), rows)  # type: ignore[arg-type]
    outcome = Outcome(Status.OK, values={"up": up}, tables={"peers": table})
    reference = Reference(NetSnmp(0), dict(THEIRS), {(1, 3, 1, 0): Typed(67, "77")})
    return list(differences(plain(PLAN), outcome, reference, frozenset()))


def test_what_net_snmp_has_is_what_a_poll_should_have() -> None:
    assert told(ROWS) == []


@pytest.mark.parametrize(
    ("rows", "up", "what"),
    [
        (ROWS, 78, "up: 78 here, 77 by net-snmp"),
        ([["5", 7, "north"], ROWS[1]], 77, "peers.state.5: 7 here, 6 by net-snmp"),
        ([["5", 6, b"north"], ROWS[1]], 77, "peers.name.5: b'north' here, 'north' by net-snmp"),
        ([["5", 6, None], ROWS[1]], 77, "peers.name.5: None here, 'north' by net-snmp"),
        (ROWS[:1], 77, "peers: rows ['6'] are there for one of us"),
        ([*ROWS, ["7", 1, None]], 77, "peers: rows ['7'] are there for one of us"),
    ],
)
def test_what_differs_is_told(rows: list[list[object]], up: int, what: str) -> None:
    assert told(rows, up) == [what]


def test_a_transform_is_not_compared_but_what_it_is_made_from() -> None:
    made = replace(PLAN, scalars=(replace(PLAN.scalars[0], keep=False),))
    assert [metric.keep for metric in plain(made).scalars] == [True]


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        (Typed(70, "18446744073709551615"), Kind.COUNTER, 18446744073709551615),
        (Typed(2, "-1"), Kind.COUNTER, None),
        (Typed(2, "-1"), Kind.INTEGER, -1),
        (Typed(4, "caf\xc3\xa9"), Kind.TEXT, "café"),
        (Typed(4, "caf\xe9"), Kind.TEXT, b"caf\xe9"),
        (Typed(4, "5"), Kind.INTEGER, None),
        (Typed(6, ".1.3.6.1"), Kind.OID, "1.3.6.1"),
        (Typed(64, "192.0.2.1"), Kind.IP, b"\xc0\x00\x02\x01"),
        (Typed(4, ""), Kind.IP, None),
        (None, Kind.INTEGER, None),
    ],
)
def test_a_value_of_net_snmp_s_is_taken_as_the_profile_says(typed: Typed | None, kind: Kind, value: object) -> None:
    assert as_kind(typed, kind) == value


def test_a_recording_is_served_without_what_nobody_asks_for_and_without_lines_that_are_none(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("1.3.6.1.2.1.1.3.0|67:numeric|rate=100\n1.3.6.1.9|2|1\n1.3.6.1.2.1.1.5.0|4x|no hex\n1.3.7.1|2|5")
    served = write(Recording("made", source), [(1, 3, 6, 1, 2, 1, 1), (1, 3, 7)], tmp_path)
    assert served.path.read_text() == "1.3.6.1.2.1.1.3.0|67:numeric|rate=100\n1.3.7.1|2|5\n"
    assert (served.lines, served.spoilt, served.moving) == (2, 1, frozenset({"1.3.6.1.2.1.1.3.0"}))
