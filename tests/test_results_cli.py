"""The commands `migrate`, `results` and `audit`, as a user runs them."""

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
import redis

from streampoll.cli import run
from streampoll.embedded.places import free_port
from streampoll.model import Outcome, QueueClass, Result, Status, Table, TableTime, Target
from streampoll.results.codec import encode_payload
from streampoll.results.migrations import load_migrations
from streampoll.results.partitions import DAY_S
from streampoll.results.reader import StoredPoll
from streampoll.results.render import cell_text, named_rows, shown, text_lines
from streampoll.shards.entries import Entry, Kind, encode_fields, encode_result, encode_target
from streampoll.shards.ring import shard_of
from streampoll.shards.whereabouts import Found, PollKey, State, Whereabouts
from tests.results_support import NOON, TRACE, bench, dispatched, ledger_entry, result_entry

TABLE = Table(
    ("ifName", "ifPhysAddress", "ifHCInOctets"),
    [(1, b"Gi0/1", b"\x00\x1b\x21\x0a\x0b\x0c", (1 << 64) - 1), (2, b"Gi0/2", b"", None)],
    (TableTime(2, NOON + 0.5, 4711),),
    key="ifName",
)
OUTCOME = Outcome(
    Status.PARTIAL, "ifTable: cut by the deadline", {"sysName": b"core-1", "sysUpTime": 4711, "x": None},
    {"ifTable": TABLE}, {"x": "noSuchObject"}, NOON + 0.5, NOON + 0.5, 2, 9,
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration directory whose PostgreSQL is a fresh database."""
    (tmp_path / "streampoll.toml").write_text("")
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def _store(dsn: str) -> None:
    async def store() -> None:
        async with bench(dsn) as b:
            payload = encode_payload(OUTCOME, TRACE)
            older = [result_entry("core-1", NOON - 3600 * hours, value=hours) for hours in (1, 5, 30)]
            newest = encode_result(Result("interfaces", "core-1", NOON, Status.PARTIAL, 750, payload))
            await b.handle(newest, *older, result_entry("core-1", NOON, job="system"), result_entry("core-2"))

    asyncio.run(store())


def test_migrate_says_what_it_did(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["migrate", "--config", str(place)]) == 0
    names = [migration.name for migration in load_migrations()]
    assert capsys.readouterr().out.splitlines() == [f"applied {name}" for name in names]
    assert run(["migrate", "--config", str(place)]) == 0
    assert capsys.readouterr().out == "the schema is up to date\n"


def _results(place: Path, *options: str) -> int:
    return run(["results", *options, "--config", str(place), "--since", str(NOON - 7 * DAY_S)])


def test_results_shows_the_newest_poll(place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    _store(fresh_database)
    assert _results(place, "core-1", "--job", "interfaces") == 0
    out = capsys.readouterr().out
    for word in ("2026-01-09T12:00:00Z", "partial", "cut by the deadline", "core-1", "(noSuchObject)", "Gi0/1"):
        assert word in out
    assert "00:1b:21:0a:0b:0c" in out
    assert str((1 << 64) - 1) in out


def test_results_goes_back_over_days(place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    _store(fresh_database)
    assert _results(place, "core-1", "--limit", "99", "--format", "json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(poll["job"], poll["slot"]) for poll in found] == [
        ("interfaces", "2026-01-09T12:00:00Z"),
        ("system", "2026-01-09T12:00:00Z"),
        ("interfaces", "2026-01-09T11:00:00Z"),
        ("interfaces", "2026-01-09T07:00:00Z"),
        ("interfaces", "2026-01-08T06:00:00Z"),
    ]
    assert found[0]["tables"]["ifTable"]["Gi0/1"]["ifHCInOctets"] == (1 << 64) - 1
    assert found[0]["missing"] == {"x": "noSuchObject"}


def test_results_as_csv_has_a_value_a_line(
    place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _store(fresh_database)
    _results(place, "core-1", "--limit", "2", "--format", "csv", "--job", "interfaces")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    octets = [row for row in rows if row["metric"] == "ifHCInOctets"]
    assert [(row["row"], row["value"]) for row in octets] == [("Gi0/1", str((1 << 64) - 1)), ("Gi0/2", "")]


def test_a_stdout_that_takes_no_more_is_not_the_fault_of_postgres(
    place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(fresh_database)
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert run(["results", "core-1", "--since", "2026-01-01", "--json", "--config", str(place)]) == 1
    assert capsys.readouterr().err == "streampoll: stdout can't be written: No space left on device\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["core-3"], "no results of a device 'core-3'; the nearest: core-"),
        (["core-1", "--job", "interface"], "no results of a job 'interface'; the nearest: interfaces"),
        (["zzz"], "no results of a device 'zzz'\n"),
    ],
)
def test_an_unknown_name_is_one_clear_line(
    place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    _store(fresh_database)
    assert _results(place, *options) == 1
    found = capsys.readouterr()
    assert said in found.err
    assert (found.out, found.err.count("\n")) == ("", 1)


def test_a_database_without_schema_says_what_to_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _results(place, "core-1") == 1
    assert "run `streampoll migrate`" in capsys.readouterr().err


@pytest.fixture
def whole_place(place: Path, fresh_redis: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose Redis is there, too."""
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", fresh_redis)
    return place


def _audited(dsn: str, *devices: str) -> None:
    async def store() -> None:
        async with bench(dsn) as b:
            await b.handle(ledger_entry(dispatched("r1", "r2")), *map(result_entry, devices))

    asyncio.run(store())


def _audit(place: Path, *options: str) -> int:
    return run(["audit", "--config", str(place), "--since", str(NOON - 60), *options])


def test_audit_passes_where_every_poll_has_its_row(
    whole_place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _audited(fresh_database, "r1", "r2")
    assert _audit(whole_place) == 0
    assert "nothing missing, nothing doubled" in capsys.readouterr().out


def test_audit_fails_and_lists_what_is_missing(
    whole_place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _audited(fresh_database, "r1")
    assert _audit(whole_place, "--list") == 1
    out = capsys.readouterr().out
    assert "1 MISSING" in out
    assert "2026-01-09T12:00:00Z  job interfaces, shard 7: 1 no row" in out


def test_audit_as_json_is_one_object(
    whole_place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _audited(fresh_database, "r1")
    assert _audit(whole_place, "--json", "--list") == 1
    found = capsys.readouterr()
    assert json.loads(found.out)["missing"] == 1
    assert "no row" in found.err


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"eth0", "eth0"),
        (b"\x00\x1b", "00:1b"),
        (b"\xc3\xa4", "ä"),
        (b"a\nb", "61:0a:62"),
        (b"", ""),
        (1 << 63, 1 << 63),
        (None, None),
        (1.5, 1.5),
    ],
)
def test_bytes_are_text_where_that_can_be_printed(value: bytes, text: object) -> None:
    assert shown(value) == text


def test_a_device_can_not_drive_the_terminal() -> None:
    poll = StoredPoll("j", "d", NOON, Status.OK, 1, 1, Outcome(Status.OK, "\x1b[2J", {"x": "\x1b]0;hi\x07"}), TRACE)
    assert "\x1b" not in "".join(text_lines(poll))
    assert cell_text("\x1b[31m") == "?[31m"


def test_two_rows_of_one_name_are_both_kept() -> None:
    table = Table(("ifName",), [(1, "a"), (2, "a"), (3, None), (4, "b")], key="ifName")
    assert [name for name, _ in named_rows(table)] == ["a", "2", "3", "b"]


def test_explain_tells_the_story_of_the_newest_poll_while_redis_is_away(
    place: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _store(fresh_database)
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")

    assert run(["explain", "core-1", "--job", "interfaces", "--config", str(place), "--json"]) == 0
    found = capsys.readouterr()
    assert "what became of polls without a row is not known: Redis" in found.err
    said = json.loads(found.out)
    assert (said["slot"], said["status"], said["error"]) == (
        "2026-01-09T12:00:00Z",
        "partial",
        "ifTable: cut by the deadline",
    )
    assert said["story"][0]["what"] == "dispatched"


@pytest.fixture
def own_redis(fresh_redis: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a Redis with nothing in it, which is the configuration's."""
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", fresh_redis)
    return fresh_redis


@pytest.fixture
def polled_place(place: Path, own_redis: str, fresh_database: str) -> Path:
    """A configuration with a job that polls two devices each minute, of which PostgreSQL and an empty Redis know."""
    (place / "streampoll.toml").write_text('[jobs.interfaces]\nevery = "60s"\nspread = false\n')
    (place / "inventory.csv").write_text("name,address\ncore-1,10.0.0.1\ncore-9,10.0.0.9\n")
    _store(fresh_database)
    return place


def _explained(place: Path, device: str, slot: int, job: str = "interfaces") -> int:
    return run(["explain", device, "--job", job, "--slot", str(slot), "--config", str(place)])


def test_explain_calls_nothing_missing_that_is_still_in_redis(
    polled_place: Path, own_redis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Target("core-9", "10.0.0.9", 0, "system", "", {})
    fields = encode_fields(Entry(Kind.POLL, "interfaces", NOON, NOON + 60, encode_target(target)))
    stream = f"sp:{{{shard_of('10.0.0.9', 16):02d}}}:polling"
    with redis.Redis.from_url(own_redis) as client:
        client.xadd(stream, dict(zip(fields[0::2], fields[1::2], strict=True)), f"{NOON}005-0")  # type: ignore[arg-type]

    assert _explained(polled_place, "core-9", NOON) == 1
    said = capsys.readouterr().out
    assert said.startswith("interfaces of core-9, due 2026-01-09T12:00:00Z: waiting\n  It has waited in the stream of")
    assert said.endswith(" since 2026-01-09T12:00:00.005Z. No worker serves class polling now.\n")


@pytest.mark.parametrize("found", [None, Found(QueueClass.RESULTS, State.UNREAD, 0.0)])
def test_explain_tells_the_story_of_a_poll_that_is_stored_while_it_looks(
    found: Found | None, polled_place: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    async def find(_: Whereabouts, __: int, key: PollKey) -> Found | None:
        async with bench(fresh_database) as b:
            await b.handle(result_entry(key.device, key.slot))
        return found

    monkeypatch.setattr(Whereabouts, "find", find)

    assert _explained(polled_place, "core-9", NOON) == 0
    assert capsys.readouterr().out.startswith("interfaces of core-9, due 2026-01-09T12:00:00Z: ok\n")


def test_explain_says_when_a_device_is_due_that_was_not(polled_place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _explained(polled_place, "core-1", NOON + 7) == 1
    said = capsys.readouterr().out
    assert "interfaces of core-1 at 2026-01-09T12:00:07Z: not due" in said
    assert "It is due each 1m, the last time before that at 2026-01-09T12:00:00Z." in said


def test_explain_tells_of_a_name_that_nobody_knows(polled_place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _explained(polled_place, "core-0", NOON) == 1
    assert "no results of a device 'core-0'; the nearest: core-" in capsys.readouterr().err
    assert _explained(polled_place, "core-1", NOON, "interface") == 1
    assert "no results of a job 'interface'; the nearest: interfaces" in capsys.readouterr().err
    assert _explained(polled_place, "core-2", NOON + 60) == 1
    assert "no poll of core-2 is stored of 2026-01-09T12:01:00Z, and no inventory has it" in capsys.readouterr().err
