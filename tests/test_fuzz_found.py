"""What `bin/fuzz` has found: each was a crash, an exception nobody foresaw, or a message that drives a terminal."""

import json
from pathlib import Path

import pytest

from streampoll.cli import run
from streampoll.config.report import shorten
from streampoll.config.settings import SnmpSettings
from streampoll.config.units import parse_duration, parse_since, parse_size
from streampoll.model import Outcome, Status, Target, Trace
from streampoll.pollers.resolver import Resolver
from streampoll.pollers.snmp import SnmpPoller
from streampoll.results.reader import StoredPoll
from streampoll.results.render import as_json, text_lines
from streampoll.snmp.plan import CollectPlan
from tests.config_support import faults_in
from tests.servers_support import run_now
from tests.snmp_peer_support import PUBLIC


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("inventory.json", "[" * 3000),
        ("inventory.yaml", "- " * 100_000),  # libyaml's loader ended the process
        ("inventory.toml", "a = " + "[" * 3000),
        ("profiles/own.toml", "a = " + "[{b=" * 1000),
    ],
)
def test_a_file_that_is_nested_without_end_is_a_fault(tmp_path: Path, name: str, text: str) -> None:
    files = {"inventory.csv": ""} if name.startswith("inventory") else {}

    assert f"{name}: nested too deeply" in faults_in(tmp_path, {**files, name: text})[0]


def test_a_number_of_thousands_of_digits_is_a_fault(tmp_path: Path) -> None:
    fault = "profiles/own.toml: not TOML: a number is too long; write at most 19 digits"

    assert faults_in(tmp_path, {"profiles/own.toml": "a = " + "9" * 5000}) == [fault]


def test_what_is_cut_off_in_a_message_is_never_written_out() -> None:
    bomb: list[object] = []
    for _ in range(60):
        bomb = [bomb] * 9  # as YAML's aliases make it: its repr has 9 to the 60 brackets

    assert len(shorten(bomb)) <= 60
    assert shorten([0xF << 20_000]) == "[a number of 20004 bits]"


@pytest.mark.parametrize("parse", [parse_duration, parse_size])
def test_infinity_is_no_setting(parse: object) -> None:
    with pytest.raises(ValueError, match=r"is none|is not"):
        parse("9" * 400)  # type: ignore[operator]


@pytest.mark.parametrize("text", ["0001-01-01", "9" * 400 + "d", "9" * 40, "1970-01-01T00:00+23:00"])
def test_a_time_before_all_times_is_the_first_or_a_mistake(text: str) -> None:
    try:
        since = parse_since(text, now=1_700_000_000.0)
    except ValueError:
        return

    assert since == 0.0


def test_a_stored_poll_with_times_beyond_all_calendars_is_shown() -> None:
    trace = Trace(1e13, 1e300, 0.0, 0.0, -1e13, 1, "w")
    outcome = Outcome(Status.OK, values={"a\x1b[2J": float("nan")})
    poll = StoredPoll("j", "d", 1_700_000_000, Status.OK, 1, 2, outcome, trace)

    assert (
        json.loads(json.dumps(as_json(poll), allow_nan=False))["trace"]["dispatched"] == "10000000000000 s after 1970"
    )
    assert all(line.isprintable() for line in text_lines(poll))


@pytest.mark.parametrize("name", ["\0", "127.0.0.1\0", "x" * 64 + ".example", "é" * 80])
def test_what_is_no_name_has_no_address(name: str) -> None:
    with pytest.raises(OSError, match="no host name"):
        run_now(Resolver().resolve(name))


@pytest.mark.parametrize(
    ("port", "overrides"),
    [
        (65_536, {}),
        (-1, {}),
        (9, {"snmp.timeout_s": float("inf")}),
        (9, {"snmp.timeout_s": float("nan")}),
        (9, {"snmp.retries": 1 << 63}),
        (9, {"snmp.max_repetitions": 1 << 40}),
    ],
)
def test_a_target_that_no_inventory_would_have_is_a_mistake_of_configuration(
    port: int, overrides: dict[str, float]
) -> None:
    async def poll() -> Outcome:
        poller = SnmpPoller(SnmpSettings())
        try:
            target = Target("d", "127.0.0.1", port, "p", "c", overrides)
            return await poller.poll(target, CollectPlan("p"), PUBLIC, 1e9)
        finally:
            await poller.close()

    assert run_now(poll()).status is Status.CONFIG


def test_a_directory_that_can_not_be_looked_at_is_a_clear_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", "x" * 300]) == 2

    assert "can't be looked at: File name too long" in capsys.readouterr().err
