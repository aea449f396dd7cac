"""`plot` and `top` on stored rows, as a user calls them."""

import asyncio
import json
import re
import time
from pathlib import Path

import pytest

from streampoll.cli import run
from streampoll.model import Outcome, Result, Status, Table, TableTime
from streampoll.results.codec import encode_payload
from streampoll.shards.entries import Entry, encode_result
from tests.results_support import TRACE, bench, result_entry

NOW = int(time.time())
ROW = "interfaces.ifHCInOctets[Ethernet1]"


@pytest.fixture
def place(tmp_path: Path, fresh_database: str, fresh_redis: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of one device, r1, of which an hour is stored: it takes in 1,000 octets a second."""
    (tmp_path / "streampoll.toml").write_text('[jobs.interfaces]\nevery = "60s"\n')
    (tmp_path / "inventory.csv").write_text("name,address,profile,site\nr1,10.0.0.1,interfaces,zrh\n")
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", fresh_redis)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setitem(globals(), "NOW", int(time.time()) - 5)  # of the test: the suite may have begun long ago
    asyncio.run(_store(fresh_database))
    return tmp_path


async def _store(dsn: str) -> None:
    async with bench(dsn, float(NOW)) as b:
        polls = [_poll(NOW - 60 * n) for n in range(60)]
        await b.handle(*polls, result_entry("r1", NOW - 30, Status.TIMEOUT, job="system"))


def _poll(slot: int) -> Entry:
    rows = [(1, b"Ethernet1", (1 << 63) + 1000 * (slot - NOW))]
    table = Table(("ifName", "ifHCInOctets"), rows, (TableTime(1, slot, 100),), key="ifName")
    outcome = Outcome(Status.OK, values={"load": 7}, tables={"interfaces": table}, at=slot, profile="interfaces")
    return encode_result(Result("interfaces", "r1", slot, Status.OK, 250, encode_payload(outcome, TRACE)))


def call(place: Path, *arguments: str) -> int:
    return run([*arguments, "--config", str(place)])


def test_without_a_metric_what_there_is_is_listed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(place, "plot", "r1") == 0
    assert {"load", ROW} <= set(capsys.readouterr().out.splitlines())


def test_a_counter_is_drawn_as_its_rate_and_a_scalar_as_it_is(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(place, "plot", "r1", ROW, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["unit"], {value for _, value in said["points"]}) == ("per second", {1000.0})
    assert said["source"] == "polls"
    assert call(place, "plot", "r1", "load") == 0
    drawn = capsys.readouterr().out
    assert drawn.startswith("r1  load\n8.00 ┤")
    assert "\x1b" not in drawn  # no terminal, no colours


def test_a_picture_is_written(place: Path) -> None:
    picture = place / "octets.png"
    assert call(place, "plot", "r1", ROW, "-o", str(picture)) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_can_not_be_drawn_is_said_with_what_to_write_instead(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(place, "plot", "r1", "interfaces.ifHCInOctet[Ethernet1]") == 2
    assert "did you mean" in capsys.readouterr().err
    assert call(place, "plot", "r1", "x[1]") == 2
    assert "table.column[row]" in capsys.readouterr().err
    assert call(place, "plot", "r1", ROW, "-o", str(place / "octets.docx")) == 2
    assert "name a .png or .svg file" in capsys.readouterr().err
    assert call(place, "plot", "r1", "load", "--since", "1s") == 1


def test_top_ranks_devices(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(place, "top", "--json") == 0
    [device] = json.loads(capsys.readouterr().out)["devices"]
    assert (device["device"], device["site"], device["duration_p50_ms"]) == ("r1", "zrh", 250)
    assert call(place, "top", "--by", "failing") == 0
    assert re.search(r"r1 .* (10|9\.1) %", capsys.readouterr().out)  # one of ten or eleven


def test_top_says_which_server_is_away(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", "postgresql://nobody@127.0.0.1:9/none")
    assert call(place, "top") == 1
    assert "! PostgreSQL" in capsys.readouterr().out
