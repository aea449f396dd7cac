"""Rules on polls: what opens, changes and closes, and who is told."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streampoll.analysis.judge import RuleJudge
from streampoll.analysis.port import Above
from streampoll.analysis.rule import Window
from streampoll.config.selector import Selector
from streampoll.model import Device, Severity, Status
from streampoll.notifications.routes import LABELS, text_of
from tests.analysis_support import START, interfaces, rated, rules_of, story, told

DOWN = """
[rules.down]
when = 'state == "down" or state == "unreachable"'
severity = "critical"
text = "{device} in {site} is {state}: {error}"
"""
FAILING = Above(failing=True)
PORT = '[rules.port]\ntable = "interfaces"\nwhen = "ifOperStatus == 2"\ntext = "{row} of {device} is down"\n'
HOT = '[rules.hot]\nwhen = "temperature > 70"\nclear = "temperature < 60"\nhold = "2m"\ncritical = "temperature > 90"\n'


def test_an_event_says_what_routes_may_ask_of_every_event(tmp_path: Path) -> None:
    device = story('[rules.always]\nwhen = "duration_ms > 0"\nseverity = "error"\nlabels = { team = "net" }', tmp_path)
    device.facts = Device(
        "d", "10.0.0.1", site="zurich", role="core", groups=("a", "b"), vendor="cisco", tags=("x", "y")
    )
    [event] = device.poll().changes

    said = {label: text_of(event, label) for label in LABELS}
    assert said == {
        "device": "d", "groups": "a,b", "role": "core", "row": "", "rule": "always", "severity": "error",
        "site": "zurich", "tags": "x,y", "vendor": "cisco",
    }  # fmt: skip
    assert text_of(event, "team") == "net"


def test_a_device_that_falls_silent_opens_one_event_and_closes_it(tmp_path: Path) -> None:
    device = story(DOWN, tmp_path)
    device.poll()

    assert told(device.silence(2)) == []
    opened = device.silence()
    assert told(opened) == [("down", "", "opened")]
    assert opened.changes[0].text == "core-1 in zurich is down: no answer"
    assert opened.changes[0].severity is Severity.CRITICAL
    assert told(device.silence(5)) == []
    closed = device.poll()
    assert told(closed) == [("down", "", "closed")]
    assert closed.changes[0].id == opened.changes[0].id


def test_rows_of_a_table_have_events_of_their_own(tmp_path: Path) -> None:
    device = story(PORT, tmp_path)

    assert told(device.poll(table=interfaces([1, 2, 2]))) == [("port", "eth1", "opened"), ("port", "eth2", "opened")]
    assert told(device.poll(table=interfaces([1, 2, 1]))) == [("port", "eth2", "closed")]


def test_a_row_is_known_by_its_key_and_not_by_its_index(tmp_path: Path) -> None:
    device = story(PORT, tmp_path)
    device.poll(table=interfaces([1, 2], ["a", "b"]))

    assert told(device.poll(table=interfaces([2, 1], ["b", "a"]))) == []


def test_what_was_open_on_a_row_that_is_gone_closes_unless_the_walk_was_cut(tmp_path: Path) -> None:
    device = story(PORT, tmp_path)
    device.poll(table=interfaces([1, 2], ["a", "b"]))

    assert told(device.poll(table=interfaces([1], ["a"], complete=False))) == []
    found = device.poll(table=interfaces([1], ["a"]))
    assert told(found) == [("port", "b", "closed")]
    assert found.changes[0].text == "port: b is gone"


def test_a_poll_that_brings_nothing_of_a_table_changes_nothing_on_it(tmp_path: Path) -> None:
    device = story(PORT, tmp_path)
    device.poll(table=interfaces([2]))

    assert told(device.silence(4)) == []
    assert told(device.poll(table=interfaces([None]))) == []
    assert told(device.poll(table=interfaces([1]))) == [("port", "eth0", "closed")]


def test_a_condition_must_hold_and_clears_by_its_own(tmp_path: Path) -> None:
    device = story(HOT, tmp_path)
    said = [told(device.poll(values={"temperature": each})) for each in (71, 75, 80, 65, 61, 59)]

    assert said == [[], [], [("hot", "", "opened")], [], [], [("hot", "", "closed")]]


def test_a_condition_that_did_not_hold_in_between_begins_anew(tmp_path: Path) -> None:
    device = story(HOT, tmp_path)

    assert [told(device.poll(values={"temperature": each})) for each in (71, 60, 75, 75)] == [[]] * 4


def test_what_gets_worse_is_told_once_more_and_what_gets_better_is_stored_only(tmp_path: Path) -> None:
    device = story(HOT, tmp_path)
    for each in (75, 75, 75):
        device.poll(values={"temperature": each})
    worse, better = device.poll(values={"temperature": 95}), device.poll(values={"temperature": 75})

    assert (told(worse), worse.notify[0].severity) == ([("hot", "", "updated")], Severity.CRITICAL)
    assert (told(better), [each.severity for each in better.changes]) == ([], [Severity.WARNING])


def test_a_late_or_repeated_slot_changes_nothing(tmp_path: Path) -> None:
    device = story(PORT, tmp_path)
    device.poll(table=interfaces([1]))
    before = device.state
    device.slot = START
    found = device.poll(table=interfaces([2]))

    assert (found.changes, device.state) == ((), before)


def test_absence_of_what_was_there_is_something_to_tell(tmp_path: Path) -> None:
    device = story('[rules.gone]\nwhen = "missing(temperature)"\nhold = "1m"\n', tmp_path)

    assert told(device.silence(5)) == []  # it never had one
    device.poll(values={"temperature": 20})
    device.poll(Status.PARTIAL, values={"other": 1})
    assert told(device.silence()) == [("gone", "", "opened")]
    assert told(device.poll(values={"temperature": 20})) == [("gone", "", "closed")]


def test_a_change_of_a_value_is_told_once(tmp_path: Path) -> None:
    device = story('[rules.firmware]\nwhen = "changed(version)"\n', tmp_path)
    said = [told(device.poll(values={"version": each})) for each in ("1", "1", None, "2", "2")]

    assert said == [[], [], [], [("firmware", "", "opened")], [("firmware", "", "closed")]]


def test_rates_and_shares_of_the_speed_are_looked_up_by_row(tmp_path: Path) -> None:
    device = story('[rules.full]\ntable = "interfaces"\nwhen = "percent(octets) > 90"\n', tmp_path)
    found = device.poll(table=interfaces([1, 1, 1]), tables=rated(["eth0", "eth1", "eth2"], octets=[50.0, 95.5, None]))

    assert told(found) == [("full", "eth1", "opened")]
    assert found.changes[0].value == 95.5


def test_what_is_far_from_usual_at_this_hour_of_the_week_is_found(tmp_path: Path) -> None:
    device = story('[rules.odd]\nwhen = "abs(deviation(load)) > 5"\n', tmp_path, every_s=60)
    for number in range(45):
        assert told(device.poll(values={"load": 100 + number % 5})) == []

    assert told(device.poll(values={"load": 300})) == [("odd", "", "opened")]


def test_maintenance_silences_and_what_is_still_wrong_after_it_is_told_then(tmp_path: Path) -> None:
    device = story(PORT, tmp_path)
    device.judge.windows = [Window("now", Selector(), start=START, end=START + 90)]
    quiet = device.poll(table=interfaces([2, 2]))
    device.poll(table=interfaces([1, 2]))
    after = device.poll(table=interfaces([1, 2]))

    assert (told(quiet), {each.suppressed for each in quiet.changes}) == ([], {"maintenance"})
    assert told(after) == [("port", "eth1", "updated")]


def test_windows_come_by_cron_for_the_devices_they_are_for(tmp_path: Path) -> None:
    window = '[maintenance.nightly]\ncron = "0 2 * * *"\nhold = "1h"\nselect = { site = "zurich" }\n'
    night = START - START % 86_400 + 2 * 3600
    inside, outside = story(PORT + window, tmp_path, slot=night + 60), story(PORT + window, tmp_path, slot=night + 3660)
    elsewhere = story(PORT + window, tmp_path, slot=night + 60)
    elsewhere.facts = replace_site(elsewhere.facts, "bern")

    assert told(inside.poll(table=interfaces([2]))) == []
    assert told(outside.poll(table=interfaces([2]))) == [("port", "eth0", "opened")]
    assert told(elsewhere.poll(table=interfaces([2]))) == [("port", "eth0", "opened")]


def test_a_device_behind_a_dead_one_is_unreachable_and_nobody_is_told(tmp_path: Path) -> None:
    device = story(DOWN, tmp_path)
    device.poll()
    found = device.silence(3, parent=FAILING)
    here = Above(False, device.slot)
    returned = device.silence(2, parent=here)  # the parent is there again; this one may be on its way
    back = device.silence(parent=here)

    assert (told(found), found.standing, found.changes[0].suppressed) == ([], "unreachable", "parent")
    assert (told(returned), returned.standing) == ([], "unreachable")
    assert (told(back), back.standing) == ([("down", "", "updated")], "down")


def test_what_was_never_told_closes_in_silence(tmp_path: Path) -> None:
    device = story(DOWN, tmp_path)
    device.poll()
    device.silence(3, parent=FAILING)
    found = device.poll()

    assert (told(found), [each.change.value for each in found.changes]) == ([], ["closed"])


def test_a_flapping_device_is_told_a_few_times_and_then_not(tmp_path: Path) -> None:
    device = story(DOWN + "[state]\ndown_after = 1\nflap_changes = 4\nflap_window = '1h'\n", tmp_path)
    said = []
    for _ in range(6):
        said += [*told(device.poll()), *told(device.silence())]

    assert [change for _, _, change in said] == ["opened", "closed"] * 2  # what was told as open is told as closed
    assert device.poll().state["device"][5] is True


def test_a_workflow_runs_once_when_the_event_is_first_told(tmp_path: Path) -> None:
    device = story(PORT + 'run = "diagnose"\n', tmp_path)
    first, second = device.poll(table=interfaces([2])), device.poll(table=interfaces([2]))

    assert [each.run for each in first.runs] == ["diagnose"]
    assert second.runs == []


def test_rules_are_for_the_devices_and_jobs_they_name(tmp_path: Path) -> None:
    text = PORT + 'select = { site = "bern" }\n\n' + PORT.replace("port", "mine") + 'jobs = ["other"]\n'
    device = story(text, tmp_path)

    assert told(device.poll(table=interfaces([2]))) == []
    assert told(device.poll(table=interfaces([2]), job="other")) == [("mine", "eth0", "opened")]


def test_events_of_a_rule_that_is_gone_are_closed(tmp_path: Path) -> None:
    device = story(PORT, tmp_path)
    device.poll(table=interfaces([2]))
    device.judge = RuleJudge(rules_of(DOWN, tmp_path))

    assert told(device.poll(table=interfaces([2]))) == [("port", "eth0", "closed")]


def test_a_text_of_the_device_can_not_break_the_line(tmp_path: Path) -> None:
    device = story(
        '[rules.name]\nwhen = "changed(sysName)"\ntext = "{device} is {value}"\nvalue = "sysName"\n', tmp_path
    )
    device.poll(values={"sysName": "a"})
    found = device.poll(values={"sysName": "b\n{row}\x1b[31m"})

    assert found.changes[0].text == "core-1 is b·{row}·[31m"


@settings(max_examples=150)
@given(st.lists(st.lists(st.sampled_from([1, 2, None]), min_size=2, max_size=2), max_size=25), st.data())
def test_each_row_has_one_open_event_at_most_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, polls: list[list[int | None]], data: st.DataObject
) -> None:
    """Opened and closed alternate by row, ids agree, and what was told as open is told as closed."""
    device = story(PORT + "hold = '1m'\n", tmp_path_factory.mktemp("rules"))
    is_open: dict[str, int] = {}
    was_told: set[int] = set()
    for status in polls:
        if data.draw(st.booleans()):
            device.slot -= 60 * data.draw(st.integers(0, 2))  # late, repeated
        found = device.poll(table=interfaces(status))
        for event in found.changes:
            if event.change.value == "opened":
                assert event.row not in is_open
                is_open[event.row] = event.id
            elif event.change.value == "closed":
                assert is_open.pop(event.row) == event.id
        for event in found.notify:
            if event.change.value == "closed":
                was_told.remove(event.id)
            else:
                was_told.add(event.id)
    assert was_told <= set(is_open.values())


def replace_site(device: object, site: str) -> object:
    import msgspec

    return msgspec.structs.replace(device, site=site)
