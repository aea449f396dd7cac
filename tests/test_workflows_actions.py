"""What steps do: on devices that answer, and where they do not."""

from dataclasses import replace

import pytest

from streampoll.errors import PostgresUnavailable
from streampoll.model import Change, Event, Outcome, QueueClass, Severity, Status, Table
from streampoll.shards.entries import decode_event, encode_event
from streampoll.shards.orders import Start, Work, decode_order, encode_order, start_of
from streampoll.workflows.gave import gave
from streampoll.workflows.mask import masked
from streampoll.workflows.reference import Unfilled, fill, holds, plain
from streampoll.workflows.requests import fill_http
from streampoll.workflows.schedule import slots_between
from streampoll.workflows.versions import difference, steady
from tests.http_support import Device as Server
from tests.http_support import json_page, polling, serving
from tests.workflow_support import floor, workflow

EVENT = Event(7, "hot", "d1", "", Severity.ERROR, {"site": "s"}, 60, 60, Change.OPENED, 71.0, "71 C", "w")


async def test_a_step_tells_people_once(fresh_database: str) -> None:
    text = '[steps.tell]\nnotify = { text = "{{ device.name }} at {{ device.site }}", severity = "error" }'
    async with floor(fresh_database, text) as bench:
        run = await bench.start("w", "d1")
        first, second = map(decode_event, bench.emitted[QueueClass.NOTIFICATIONS])
        assert (first.text, first.severity, first.change) == ("d1 at s", Severity.ERROR, Change.OPENED)
        assert (second.id, second.change) == (first.id, Change.ACKNOWLEDGED)  # so nobody is reminded
        assert first.labels["run"] == run


async def test_a_request_goes_to_its_url_and_takes_something_of_the_answer(fresh_database: str) -> None:
    text = """
[inputs]
port = 0
[steps.open.http]
url = "http://127.0.0.1:{{ inputs.port }}/tickets/{{ device.name }}"
method = "POST"
json = { text = "{{ device.site }} by {{ run.cause }}" }
scalars = { id = "ticket.id" }
"""
    async with floor(fresh_database, text) as bench, serving(Server()) as server, polling() as poller:
        server.on("/tickets/d1", json_page({"ticket": {"id": 42}}))
        bench.actions._ports = replace(
            bench.actions._ports, collect=lambda target, plan, ends, _: poller.poll(target, plan, None, ends)
        )
        run = await bench.start("w", "d1", port=server.port)
        assert (await bench.output(run, "open"))["values"] == {"id": 42}
        assert server.asked[0].body == b'{"text": "s by cli"}'


async def test_an_event_starts_one_run_with_what_it_says(fresh_database: str) -> None:
    text = '[steps.tell]\nnotify = { text = "{{ event.rule }}: {{ event.value }}" }'
    async with floor(fresh_database, text) as bench:
        await bench.carry(encode_event(EVENT), encode_order(start_of(EVENT), 60))
        told = [decode_event(entry) for entry in bench.emitted[QueueClass.NOTIFICATIONS]]
        assert [(each.text, each.device) for each in told[:1]] == [("hot: 71.0", "d1")]
        assert len(told) == 2  # of one run


async def test_a_workflow_that_is_disabled_is_not_started_by_events(fresh_database: str) -> None:
    async with floor(fresh_database, 'enabled = false\n[steps.look]\npoll = "system"') as bench:
        await bench.carry(encode_order(start_of(EVENT), 60))
        assert bench.devices.polls == []


async def test_what_was_read_over_ssh_is_masked_and_kept_where_it_changed(fresh_database: str) -> None:
    text = '[steps.read]\nssh = { platform = "cisco_ios", commands = ["show run"] }\nkeep = "running-config"'
    async with floor(fresh_database, text) as bench:
        said = iter(["hostname a\nenable secret 5 abcdef", "hostname a\nenable secret 5 xyz123", "hostname b"])
        bench.devices.answer = lambda name: Outcome(Status.OK, values={"show run": next(said)})
        gave = [await bench.output(await bench.start("w", "d1", key=key), "read") for key in "abc"]
        assert [(each["version"], each["changed"]) for each in gave] == [(1, False), (1, False), (2, True)]
        kept = await bench.connection.fetch("SELECT text FROM configs ORDER BY version")
        assert [row["text"] for row in kept] == ["hostname a\nenable secret 5 <masked>", "hostname b"]


async def test_a_command_that_a_reference_completes_is_held_against_the_list_too(fresh_database: str) -> None:
    text = """
[inputs]
what = "version"
[steps.read]
ssh = { platform = "cisco_ios", commands = ["show {{ inputs.what }}"] }
"""
    async with floor(fresh_database, text) as bench:
        for key, what in enumerate(("run | redirect flash:x", "version\nreload", "version; reload")):
            run = await bench.start("w", "d1", key=str(key), what=what)
            assert (await bench.states(run))["read"] == "failed"
        assert bench.devices.polls == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('device = "nobody"\npoll = "system"', "device 'nobody' is not in the inventory"),
        ('poll = "sistem"', "profile 'sistem' is not known to this worker"),
        ('poll = "{{ event.profile }}"', "{{ event.profile }} leads to nothing"),
        ('wait = "{{ devices[0] }}"', "'d1' is not a time to wait"),
    ],
)
async def test_a_step_that_can_not_be_done_says_why(text: str, said: str, fresh_database: str) -> None:
    async with floor(fresh_database, f"[steps.a]\n{text}") as bench:
        run = await bench.start("w", "d1")
        assert (await bench.run(run))["steps"][0]["error"] == said


async def test_a_run_of_a_workflow_that_nobody_knows_is_on_record(fresh_database: str) -> None:
    async with floor(fresh_database, '[steps.look]\npoll = "system"') as bench:
        start = encode_order(Start("r", "gone", "event", ("d1",)), 1)
        bench.add(start, delivery=1)
        bench.add(start, delivery=2)
        await bench.carry()
        assert await bench.connection.fetchval("SELECT error FROM workflow_runs") == "no workflow of that name"


async def test_while_postgresql_is_away_entries_are_put_off_and_go_on_later(fresh_database: str) -> None:
    async with floor(fresh_database, '[steps.look]\npoll = "system"\nonce = true') as bench:
        there, bench.journal._postgres = bench.journal._postgres, _Away()  # type: ignore[assignment]
        run = await bench.start("w", "d1")
        assert len(bench.waiting) == 1
        bench.journal._postgres = there
        await bench.wait()
        assert await bench.states(run) == {"run": "ok", "look": "ok"}


async def test_a_claim_that_may_have_been_committed_is_no_doubt(fresh_database: str) -> None:
    async with floor(fresh_database, '[steps.look]\npoll = "system"\nonce = true') as bench:
        claim = bench.journal.claim

        async def lost(order: Work, token: str, begun: bool):  # type: ignore[no-untyped-def]
            await claim(order, token, begun)
            bench.journal.claim = claim  # type: ignore[method-assign]
            raise PostgresUnavailable("the answer to COMMIT did not come")

        bench.journal.claim = lost  # type: ignore[method-assign]
        run = await bench.start("w", "d1")
        await bench.wait()
        assert await bench.states(run) == {"run": "ok", "look": "ok"}
        assert bench.devices.polls == ["d1"]


async def test_a_commit_without_an_answer_does_nothing_twice(fresh_database: str) -> None:
    async with floor(
        fresh_database, '[steps.look]\npoll = "system"\n[steps.after]\nneeds=["look"]\npoll="ping"'
    ) as bench:
        settle = bench.journal.settle

        async def lost(turn, result):  # type: ignore[no-untyped-def]
            await settle(turn, result)
            bench.journal.settle = settle  # type: ignore[method-assign]
            raise PostgresUnavailable("the answer to COMMIT did not come")

        bench.journal.settle = lost  # type: ignore[method-assign]
        run = await bench.start("w", "d1")
        assert await bench.states(run) == {"run": "ok", "look": "ok", "after": "ok"}
        assert bench.devices.polls == ["d1", "d1"]


class _Away:
    """A PostgreSQL that can't be reached."""

    def transaction(self) -> object:
        raise PostgresUnavailable("PostgreSQL: connection refused")

    async def close(self) -> None:
        pass


# -- pure


SECRETS = """\
enable secret 5 $1$mERr$hx5rVt7rPNoS4wqbXKX7m0
username admin privilege 15 password 7 0822455D0A16
snmp-server community hunter22 RO
snmp-server user u g v3 auth sha hunter22 priv aes 128 hunter22
tacacs-server key 7 hunter22
 key-string hunter22
crypto isakmp key hunter22 address 192.0.2.1
 ip ospf message-digest-key 1 md5 7 hunter22
    encrypted-password "$6$abc$def"; ## SECRET-DATA
set snmp community "hunter22" authorization read-only
 set psksecret ENC hunter22
radius-server key hunter22
api_key: hunter22
PASSWORD=hunter22
 path ftp://user:hunter22@192.0.2.9/x
-----BEGIN RSA PRIVATE KEY-----
hunter22
-----END RSA PRIVATE KEY-----
"""


@pytest.mark.parametrize("line", SECRETS.splitlines()[:-3])
def test_a_secret_is_masked(line: str) -> None:
    assert not any(secret in masked(line) for secret in ("hunter22", "0822455D0A16", "hx5rVt7r", "$6$abc"))
    assert masked(line).split()[0] == line.split()[0].replace("PASSWORD=hunter22", "PASSWORD=<masked>")


def test_a_private_key_is_masked() -> None:
    assert "hunter22" not in masked("\n".join(SECRETS.splitlines()[-3:]))


@pytest.mark.parametrize(
    "line", ["crypto key generate rsa", "aaa authentication login default local", "hostname key-1"]
)
def test_what_is_no_secret_is_left(line: str) -> None:
    assert masked(line) == line


def test_lines_that_change_by_themselves_are_no_change() -> None:
    before, after = (
        "! Last configuration change at 10:00\nhostname a\n",
        "! Last configuration change at 11:00\nhostname a  \n",
    )
    assert steady(before) == steady(after)
    assert difference("a\nb\n", "a\nc\n", ("1", "2")) == "--- 1\n+++ 2\n@@ -1,2 +1,2 @@\n a\n-b\n+c"


def test_a_reference_keeps_its_type_alone_and_is_written_inside_a_text() -> None:
    context = {"inputs": {"n": 3, "on": True, "names": ["a"]}}
    assert fill(["{{ inputs.n }}", "port {{ inputs.n }}", "{{ inputs.on }}!", "{{inputs.names}}"], context) == [
        3, "port 3", "true!", ["a"],
    ]  # fmt: skip
    with pytest.raises(Unfilled):
        fill("{{ inputs.none }}", context)


def test_a_value_in_a_path_is_encoded_and_a_brace_is_no_place() -> None:
    context = {"inputs": {"x": "a/../{b}"}}
    filled = fill_http({"path": "/v1/{{ inputs.x }}", "query": {"q": "{{ inputs.x }}"}}, context)
    assert filled == {"path": "/v1/a%2F..%2F%7Bb%7D", "query": {"q": "a/../{{b}}"}}


@pytest.mark.parametrize(
    ("text", "true"), [("a", True), ("b", False), ("c", False), ("d == `0`", True), ("none", False)]
)
def test_a_condition_is_true_as_jmespath_says(text: str, true: bool) -> None:
    assert holds(text, {"a": 1, "b": [], "c": "", "d": 0}) is true


def test_values_of_devices_are_such_as_json_holds() -> None:
    value = {"mac": b"\x00\x1b\x21", "text": b"ok", "zero": "a\0b", "nan": float("nan"), "half": "\ud800"}
    assert plain(value) == {"mac": "00:1b:21", "text": "ok", "zero": "a\ufffdb", "nan": None, "half": "\\ud800"}


def test_orders_come_back_as_they_were() -> None:
    for order in (Start("r", "w", "cli", ("d",), {"a": 1}, {"b": 2}), Work("r", "w", "s", 3, 2, "t", False, "x")):
        assert decode_order(encode_order(order, 5)) == order


def test_a_slot_that_was_missed_is_skipped_and_of_many_only_the_last_is_started() -> None:
    made = workflow('[schedule]\nevery = "10s"\n[steps.a]\nwait = "1s"')
    assert slots_between(made, 100, 109) == []
    assert slots_between(made, 109, 110) == [110]
    assert slots_between(made, 100, 155) == [150]
    assert slots_between(replace(made, enabled=False), 100, 155) == []


def test_rows_of_a_table_are_given_by_their_columns() -> None:
    outcome = Outcome(Status.OK, tables={"ports": Table(("name",), [["1", "eth0"]])})
    assert gave(outcome)["rows"] == {"ports": [{"index": "1", "name": "eth0"}]}
