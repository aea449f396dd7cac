"""`streampoll events`, `maintenance` and `rules`, as a user runs them."""

import asyncio
import json
import time
from pathlib import Path

import pytest
import redis

from streampoll.cli import run
from streampoll.model import Change, Device, Event, QueueClass, Severity, event_id
from streampoll.shards.entries import encode_event
from streampoll.shards.facts import encode_facts
from streampoll.shards.keys import Keys
from streampoll.shards.ring import shard_of
from tests.results_support import bench

NOW = int(time.time())
DEVICE = Device("core-1", "10.0.0.1", site="zurich")


@pytest.fixture
def place(tmp_path: Path, fresh_database: str, fresh_redis: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration directory whose servers are fresh."""
    (tmp_path / "streampoll.toml").write_text("")
    (tmp_path / "inventory.csv").write_text("name,address\ncore-1,10.0.0.1\n")
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", fresh_redis)
    monkeypatch.setenv("STREAMPOLL_CONFIG", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def event(rule: str = "down", opened: int = NOW - 600, **more: object) -> Event:
    said = {"severity": Severity.CRITICAL, "labels": {"site": "zurich"}, "text": f"core-1 is {rule}"}
    at = more.pop("at", opened)
    change = more.pop("change", Change.OPENED)
    return Event(event_id(rule, "core-1", "", opened), rule, "core-1", "", opened=opened, at=at, change=change,
                 **{**said, **more})  # fmt: skip


def store(dsn: str, *events: Event) -> None:
    async def put() -> None:
        async with bench(dsn) as b:
            await b.handle(*map(encode_event, events))

    asyncio.run(put())


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    run(list(arguments))
    return capsys.readouterr().out


def test_open_events_are_listed_and_their_severity_is_the_exit_code(
    place: Path, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    over = event("hot", NOW - 500)
    store(fresh_database, event(), over, event("hot", NOW - 500, change=Change.CLOSED, at=NOW - 100))

    assert run(["events", "--open"]) == 1
    text = capsys.readouterr().out
    assert "core-1 is down" in text
    assert "core-1 is hot" not in text
    assert run(["events"]) == 0
    assert "core-1 is hot" in capsys.readouterr().out
    assert [json.loads(line)["rule"] for line in said(capsys, "events", "--json").splitlines()] == ["hot", "down"]
    assert said(capsys, "events", "--severity", "critical", "--rule", "none") == "no events\n"


def test_an_event_is_acknowledged_in_postgres_and_where_people_are_reminded(
    place: Path, fresh_database: str, fresh_redis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store(fresh_database, event())
    shard = shard_of(DEVICE.address, 16)
    keys = Keys().shard(shard)
    with redis.Redis.from_url(fresh_redis) as client:
        client.hset(keys.facts, DEVICE.name, encode_facts(DEVICE))
        name = str(event().id)
        assert json.loads(said(capsys, "events", "ack", name, "--note", "on it", "--json"))["taken"] is True
        assert run(["events", "ack", name]) == 1  # somebody has it already
        [shown] = map(json.loads, said(capsys, "events", "show", name, "--json").splitlines())
        [(_, fields)] = client.xrange(keys.stream(QueueClass.NOTIFICATIONS))

    assert (shown["acknowledged_note"], shown["closed"]) == ("on it", None)
    assert fields[b"k"] == b"event"


@pytest.mark.parametrize(
    "arguments",
    [
        ["events", "ack", "xyz"],
        ["events", "ack", "255"],
        ["events", "show", "1" * 30],
        ["maintenance", "end", "7"],
        ["rules", "test", "--rule", "none"],
        ["maintenance", "add", "--device", "core-1", "--for", "soon"],
        ["maintenance", "add", "--device", "core-1", "--for", "0"],
        ["maintenance", "add", "--device", "core-1", "--for", "99999999999d"],
        ["maintenance", "add", "--device", "core-2"],
        ["maintenance", "end", "99999999999999999999"],
        ["token", "revoke", "99999999999999999999"],
        ["task", "cancel", "nosuch"],
    ],
)
def test_what_is_not_there_is_one_line_and_exit_code_2(
    place: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["migrate"]) == 0
    capsys.readouterr()
    assert run(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_maintenance_is_announced_listed_and_ended(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["maintenance", "add", "--device", "core-1", "--for", "2h", "--reason", "new card"]) == 0
    [window] = [json.loads(line) for line in said(capsys, "maintenance", "list", "--json").splitlines()]
    assert window["selector"] == {"devices": ["core-1"]}
    assert window["until"] - window["since"] == pytest.approx(7200, abs=1)
    assert run(["maintenance", "end", str(window["id"])]) == 0
    assert said(capsys, "maintenance", "list") == ""


@pytest.mark.parametrize("inventory", [None, "name,address\ncore-1,10.0.0.1\ncore-1,10.0.0.2\ncore-2,x y\n"])
def test_maintenance_needs_no_inventory_on_this_host(
    place: Path, inventory: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "inventory.csv").unlink()
    if inventory:
        (place / "inventory.csv").write_text(inventory)

    assert run(["maintenance", "add", "--device", "core-9"]) == 0
    [warning] = capsys.readouterr().err.splitlines()
    assert warning.startswith("streampoll: names of devices are not checked, for the inventory can't be read: ")
    assert "inventory." in warning.partition("read: ")[2]


def test_maintenance_that_has_not_begun_can_be_taken_back(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["maintenance", "add", "--all", "--in", "1h"]) == 0
    [window] = [json.loads(line) for line in said(capsys, "maintenance", "list", "--json").splitlines()]
    assert run(["maintenance", "end", str(window["id"])]) == 0
    assert said(capsys, "maintenance", "list") == ""


def test_maintenance_is_for_somebody(place: Path) -> None:
    assert run(["maintenance", "add", "--for", "1h"]) == 2


def test_rules_are_listed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there are no rules" in said(capsys, "rules", "list")
    (place / "rules.toml").write_text('[rules.hot]\nwhen = "temperature > 70"\nhold = "5m"\n')
    assert json.loads(said(capsys, "rules", "list", "--json"))["when"] == "temperature > 70"
    assert "temperature > 70" in said(capsys, "rules", "list")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[rules.a]\nwhen = 'x >'\n", "rules.toml:2: rules.a.when: 'x >': the end comes too early"),
        ("[rules.a]\nwhen = 'x > 1'\nsevrity = 'error'\n", "rules.toml:3: rules.a.sevrity: unknown key; did you mean"),
        ("[rules.a]\nwhen = 'x > 1'\nseverity = 'eror'\n", "rules.toml:3: rules.a.severity: 'eror' is not allowed"),
        ("[rules.a]\nwhen = 'x > 1'\ntext = '{devise}'\n", "rules.toml:3: rules.a.text: {devise} is no place"),
        ("[rules.a]\nwhen = 'percent(x) > 1'\n", "rules.a.when: percent(x) is of a table's columns"),
        ("[rules.a]\nseverity = 'info'\n", "rules.toml:1: rules.a: 'when' is missing"),
        ("[rule.a]\nwhen = 'x'\n", "rules.toml:1: rule: unknown table; did you mean 'rules'?"),
        ("[maintenance.a]\ncron = '0 2 * * *'\n", "has no length; add hold"),
        ("[maintenance.a]\nreason = 'x'\n", "never ends"),
        ("[state]\ndown_after = 0\n", "rules.toml:2: state.down_after: 0 is not allowed"),
    ],
)
def test_every_mistake_is_named_with_its_place(
    place: Path, text: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "rules.toml").write_text(text)

    assert run(["rules", "list"]) == 2
    assert fault in capsys.readouterr().err
