"""Names and formats of a profile, where stored values are shown: numbers stay numbers beside them."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from streampoll.cli import run
from streampoll.cli.drawing import table_grids
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.model import Asked, Outcome, Result, Status, Table, Trace
from streampoll.observe.looks import look_by_profile
from streampoll.results.codec import encode_payload
from streampoll.results.reader import StoredPoll
from streampoll.results.render import CSV_COLUMNS, Look, as_it_is, as_json, csv_rows, text_lines
from streampoll.shards.entries import encode_result
from streampoll.snmp.plan import CollectPlan, IndexPart, Kind, Metric, PartKind, TableSpec
from tests.fleet_support import running_fleet
from tests.results_support import NOON, TRACE, bench

OPER = Metric("oper", (1, 3, 1), Kind.INTEGER, enum=((1, "up"), (2, "down")))
PEER = IndexPart(Metric("peer", (), Kind.IP), PartKind.BYTES, 4)
PLAN = CollectPlan(
    "p",
    (Metric("temp", (1, 3, 2, 0), Kind.INTEGER, display="d-1", unit="C"), Metric("name", (1, 3, 3, 0), Kind.TEXT)),
    (TableSpec("t", (OPER, Metric("mac", (1, 3, 4), Kind.MAC)), "peer", index=(PEER,)),),
)
OUTCOME = Outcome(
    Status.OK,
    values={"temp": 215, "name": "lab"},
    tables={"t": Table(("peer", "oper", "mac"), [("192.0.2.1", b"\xc0\x00\x02\x01", 2, b"eth012")], (), True, "peer")},
    profile="p",
)
POLL = StoredPoll("j", "d", 1_700_000_000, Status.OK, 5, 6, OUTCOME, Trace(0.0, 0.0, 0.0, 0.0, 0.0, 1, "c"))


@pytest.fixture
def look() -> Look:
    return look_by_profile({"p": PLAN})("p")


def test_json_has_raw_numbers_and_what_is_shown_beside_them(look: Look) -> None:
    said = json.loads(json.dumps(as_json(POLL, look)))
    assert (said["profile"], said["values"], said["shown"]) == ("p", {"temp": 215, "name": "lab"}, {"temp": "21.5 C"})
    assert said["tables"]["t"] == {
        "192.0.2.1": {
            "index": "192.0.2.1", "peer": "192.0.2.1", "oper": 2, "mac": "65:74:68:30:31:32", "shown": {"oper": "down"},
        }
    }  # fmt: skip


def test_csv_has_them_in_a_column_of_their_own(look: Look) -> None:
    lines = [dict(zip(CSV_COLUMNS, row, strict=True)) for row in csv_rows(POLL, look)]
    found = {line["metric"]: (line["value"], line["shown"]) for line in lines}
    assert found["temp"] == (215, "21.5 C")
    assert found["oper"] == (2, "down")
    assert found["mac"] == ("65:74:68:30:31:32", "")


def test_a_terminal_has_what_is_shown_alone(look: Look) -> None:
    assert [line.split() for line in text_lines(POLL, look)][1:] == [["temp", "21.5", "C"], ["name", "lab"]]
    (grid,) = table_grids("t", OUTCOME.tables["t"], 100, look)
    assert ["".join(map(str, column.cells)) for column in grid.columns] == [
        "192.0.2.1", "192.0.2.1", "down", "65:74:68:30:31:32"
    ]  # fmt: skip


def test_a_profile_that_is_gone_leaves_the_values() -> None:
    assert look_by_profile({})("p") is as_it_is
    assert as_json(POLL)["tables"]["t"]["c0:00:02:01"]["oper"] == 2


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running_fleet(FleetSettings(devices=1, interfaces=(2, 2), latency_ms=(1, 1))) as fleet:
        yield fleet.port


def test_poll_shows_names_and_json_has_both(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAMPOLL_CONFIG", str(tmp_path))
    monkeypatch.setenv("SNMP", "public")
    asked = ["poll", f"{device_address(0)}:{port}", "--profile", "interfaces", "--community-env", "SNMP"]

    assert run([*asked, "--json"]) == 0
    first = next(iter(json.loads(capsys.readouterr().out)["tables"]["interfaces"].values()))
    assert run(asked) == 0
    out = capsys.readouterr().out
    assert (first["ifAdminStatus"], first["shown"]["ifAdminStatus"]) == (1, "up")
    assert " up " in out


def test_stored_values_are_shown_by_the_profile_that_their_payload_names(
    tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And as they are, with a word, once that profile has a mistake."""
    (tmp_path / "streampoll.toml").write_text("")
    (tmp_path / "profiles").mkdir()
    profile = tmp_path / "profiles" / "p.toml"
    profile.write_text('[scalars]\ntemp = { oid = "1.3.6.1.2.0", type = "integer", display = "d-1", unit = "C" }')
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)
    asyncio.run(store(fresh_database))
    asked = ["results", "core-1", "--config", str(tmp_path), "--since", str(NOON - 60), "--format", "json"]

    assert run(asked) == 0
    good = json.loads(capsys.readouterr().out)
    profile.write_text("[scalars]\ntemp = 1")
    assert run(asked) == 0
    said = capsys.readouterr()

    assert (good["values"]["temp"], good["shown"], good["profile"]) == (215, {"temp": "21.5 C"}, "p")
    assert (json.loads(said.out)["values"]["temp"], json.loads(said.out)["shown"]) == (215, {})
    assert "shown without names and formats: profiles/p.toml:2" in said.err


async def store(dsn: str) -> None:
    async with bench(dsn) as b:
        payload = encode_payload(OUTCOME, TRACE)
        await b.handle(encode_result(Result("interfaces", "core-1", NOON, Status.OK, 5, payload)))


def test_retries_are_told_apart_from_requests_with_their_times() -> None:
    trace = structs.replace(POLL.trace, asked=Asked(1_700_000_000.5, 1_700_000_003.5, 2, (1_700_000_002.5,)))
    said = as_json(replace(POLL, outcome=Outcome(Status.OK, requests=3), trace=trace))

    assert (said["requests"], said["retries"]) == (3, 2)
    assert said["trace"]["retried"] == ["2023-11-14T22:13:22.500Z"]
    assert said["trace"]["first_request"] == "2023-11-14T22:13:20.500Z"
