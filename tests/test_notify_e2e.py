"""Notifications of real worker processes: killed while they send, without PostgreSQL, with a Redis that restarts."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streampoll.app.redis_side import open_redis
from streampoll.config.load import load_settings
from streampoll.embedded.redis import EmbeddedRedis
from streampoll.model import Change, Event, QueueClass
from streampoll.shards.entries import encode_event
from tests.e2e_support import START_S, Deployment, Running, deployment_of, fix_port
from tests.notify_servers_support import KEY, Mailbox, Receiver
from tests.notify_support import event
from tests.servers_support import run_now
from tests.waiting import eventually

PASSWORD = "correct horse 9"
NOWHERE = "postgresql://nobody@127.0.0.1:9/none"
QUEUE = QueueClass.NOTIFICATIONS
SETTINGS = """\
[log]
level = "debug"
[shards]
count = 2
[worker]
drain_s = 5
[queues.notifications]
claim_idle_s = 2
[pools.pager]
queues = ["notifications"]
processes = 1
"""
NOTIFICATIONS = """\
[channels.hook]
type = "webhook"
url = {{ env = "HOOK_URL" }}
key = {{ file = "hook.key" }}
timeout = "60s"
[channels.mail]
type = "apprise"
url = "mailto://poll:{{password}}@127.0.0.1:{mail_port}?from=poll@example.com&to=noc@example.com&mode=insecure"
parts = {{ password = {{ env = "MAIL_PASSWORD" }} }}
[routes.all]
channels = {channels}
group_wait = "{wait}"
{more}
"""


@pytest.fixture
def own_redis(open_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedRedis]:
    """A Redis of this test whose URL stays the same."""
    server = EmbeddedRedis(open_directory / "redis")
    fix_port(server, monkeypatch)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def system(open_directory: Path, own_redis: EmbeddedRedis, receiver: Receiver) -> Iterator[Deployment]:
    """A configuration whose PostgreSQL is not there."""
    (open_directory / "streampoll.toml").write_text(SETTINGS)
    (open_directory / "inventory.csv").write_text("name,address\n")
    (open_directory / "hook.key").touch(0o600)
    (open_directory / "hook.key").write_text(KEY)
    write(open_directory)
    secrets = {"HOOK_URL": receiver.url, "MAIL_PASSWORD": PASSWORD}
    with deployment_of(open_directory, own_redis.url.reveal(), NOWHERE, **secrets) as deployment:
        yield deployment


def write(where: Path, wait: str = "0s", more: str = "", mail_port: int = 0) -> None:
    channels = ["hook", "mail"] if mail_port else ["hook"]
    text = NOTIFICATIONS.format(wait=wait, more=more, mail_port=mail_port, channels=json.dumps(channels))
    (where / ".new").write_text(text)
    (where / ".new").rename(where / "notifications.toml")


def happens(system: Deployment, *events: Event) -> None:
    """Add events as analysis does."""
    settings = load_settings(system.where, system.environ)

    async def add() -> None:
        async with open_redis(settings) as side:
            await side.streams.add(QUEUE, 1, [encode_event(each) for each in events])

    run_now(add())


def unfinished(system: Deployment) -> int:
    with system.redis() as client:
        return sum(client.xlen(f"sp:{{{shard:02d}}}:notifications") for shard in range(2))


def kill(worker: Running) -> None:
    """Kill the processes that do the work, as the kernel's memory killer would; the parent starts others."""
    for child in worker.children:
        os.kill(child, signal.SIGKILL)


def test_a_worker_killed_between_sending_and_acknowledging_repeats_the_message_and_loses_none(
    system: Deployment, receiver: Receiver
) -> None:
    write(system.where, wait="1s")
    answer_now = threading.Event()
    receiver.answer = lambda _: ((answer_now.wait(START_S) and 200) or 503, {})
    worker = system.start("worker", "--pool", "pager")
    happens(system, *(event(number) for number in range(100)))
    eventually(lambda: receiver.received, START_S)
    kill(worker)
    answer_now.set()
    eventually(lambda: len(receiver.received) == 2, START_S)
    eventually(lambda: not unfinished(system), START_S)

    first, second = receiver.received
    assert (first.key, first.told["events"]) == (second.key, second.told["events"])
    assert first.told["standing"] == 100
    assert all(received.is_signed() for received in receiver.received)


def test_a_worker_killed_at_any_time_costs_no_message(system: Deployment, receiver: Receiver) -> None:
    worker = system.start("worker", "--pool", "pager")
    for round_of in range(2):
        happens(system, *(event(10 * round_of + n, device=f"sw{round_of}-{n}") for n in range(10)))
        eventually(lambda: len(receiver.received) > 10 * round_of, START_S)  # noqa: B023 - called at once
        kill(worker)
    eventually(lambda: {each["device"] for received in receiver.received for each in received.told["events"]}
               == {f"sw{round_of}-{n}" for round_of in range(2) for n in range(10)}, START_S)  # fmt: skip

    keys = {received.key for received in receiver.received}
    assert len(keys) == 20


def arguments() -> bytes:
    """The arguments of all processes."""
    read = bytearray()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            read += path.read_bytes()
    return bytes(read)


def test_a_message_that_waits_outlives_a_restart_of_redis_and_no_secret_is_anywhere(
    system: Deployment, receiver: Receiver, own_redis: EmbeddedRedis, mailbox: Mailbox
) -> None:
    write(system.where, wait="3s", mail_port=mailbox.port)
    worker = system.start("worker", "--pool", "pager")
    happens(system, event())
    eventually(lambda: json.loads(system.run("notify", "list", "--json").stdout or "{}").get("open") == 1, START_S)
    with system.redis() as client:
        stored = [client.dump(key) or b"" for key in client.scan_iter("*")]
    own_redis.stop()
    own_redis.start()
    eventually(lambda: receiver.received and mailbox.mails, START_S)

    seen = b"".join(stored) + worker.said.encode() + arguments()
    assert b"apprise_child" in seen
    assert not [word for word in (b"t0ken", KEY.encode(), PASSWORD.encode()) if word in seen]


def test_a_changed_file_counts_from_the_next_event_on_and_a_faulty_one_is_refused(
    system: Deployment, receiver: Receiver
) -> None:
    worker = system.start("worker", "--pool", "pager")
    happens(system, event(1))
    eventually(lambda: receiver.received, START_S)
    write(system.where, more='severity = "critical"')
    worker.says("notifications: 1 routes, 2 channels from now on")
    write(system.where, more='severity = "crit"')
    worker.says("changed routes and channels are refused, the old ones stay:")
    happens(system, event(2, device="sw2"), event(1, Change.CLOSED, event(1).at + 60, device="sw1"))
    eventually(lambda: not unfinished(system), START_S)

    assert [each["id"] for received in receiver.received for each in received.told["events"] if each["news"]] == ["1"]
    assert worker.stop() == 0


def test_notify_test_sends_one_message_and_says_what_happened(system: Deployment, receiver: Receiver) -> None:
    fine = system.run("notify", "test", "hook")
    receiver.answer = lambda _: (503, {})
    refused = system.run("notify", "test", "hook", "--json")
    unknown = system.run("notify", "test", "hok")

    assert fine.stdout.startswith("hook: sent: HTTP 200 (")
    assert (refused.returncode, json.loads(refused.stdout)["said"]) == (1, "HTTP 503")
    assert unknown.returncode == 2
    assert unknown.stderr.endswith("CHANNEL: there is no channel 'hok'; did you mean 'hook'?\n")
    assert receiver.received[0].told["events"][0]["text"] == "This is a test of channel hook; nothing is wrong."


def test_check_reads_the_file_and_its_secrets(system: Deployment) -> None:
    fine = system.run("check")
    write(system.where, more='quiet = "nite"')
    (system.where / "hook.key").write_text("")
    faulty = system.run("check")

    assert fine.returncode == 0
    assert "notifications.toml:13: routes.all.quiet: no hours 'nite'" in faulty.stderr
