"""Users' tasks in real worker processes: results, retries, limits, chains, and what a killed process leaves."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll import SyncClient, call
from streampoll.errors import ConfigError, UnknownTask
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Kind
from streampoll.tasks.port import State
from tests.e2e_support import Deployment
from tests.servers_support import made_database, run_now
from tests.tasks_support import WITHIN, client_of, ended, notes, task_deployment, working
from tests.waiting import eventually_async

pytestmark = pytest.mark.xdist_group("tasks")


@pytest.fixture(scope="module")
def tasks(
    tmp_path_factory: pytest.TempPathFactory, redis_server: "object", postgres_server: "object"
) -> Iterator[Deployment]:
    """A worker that runs tasks, for all tests that leave it alive."""
    import redis

    url = redis_server.url.reveal()
    with redis.Redis.from_url(url) as client:
        client.flushall()
    where = tmp_path_factory.mktemp("tasks")
    with made_database(postgres_server.dsn.reveal()) as dsn, task_deployment(where, url, dsn) as deployment:
        working(deployment)
        yield deployment


# -- one task


async def test_a_task_is_sent_by_name_and_leaves_its_result(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        result = await ended(client, "add", 1, 2)

    assert (result.state, result.value, result.attempts, result.failure) == (State.DONE, 3, 1, None)
    assert result.sent - 0.2 <= result.started <= result.finished  # by two processes' readings of one clock


async def test_what_is_no_data_is_neither_sent_nor_stored(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        with pytest.raises(ConfigError, match=r"task 'add': its arguments: can't be sent.*set"):
            await client.send("add", {1, 2}, 3)
        with pytest.raises(ConfigError, match=r"has 300,0\d\d bytes; at most 262,144 \(tasks.max_bytes\)"):
            await client.send("add", "x" * 300_000, "")
        result = await ended(client, "nonsense")

    assert result.state is State.FAILED
    assert "what it returned: can't be sent" in result.failure.text


async def test_a_name_that_nobody_registered_is_refused(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        with pytest.raises(UnknownTask, match="task 'ad': nobody has registered it; did you mean 'add'"):
            await client.send("ad", 1, 2)
        with pytest.raises(UnknownTask, match=r"'os\.system'"):
            await client.chain(call("add", 1, 2), call("os.system"))

    done = tasks.run("send", "ad")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "task 'ad': nobody has registered it; did you mean 'add'?\n"


async def test_a_failed_task_is_tried_again_and_an_exception_is_kept_as_data(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        mended = await ended(client, "flaky", 2)
        gave_up = await ended(client, "flaky", 99, retries=0)

    assert (mended.value, mended.attempts) == ("at last", 3)
    assert (gave_up.state, gave_up.attempts, gave_up.failure.type) == (State.FAILED, 1, "ValueError")
    assert len(gave_up.failure.text) == 1000
    assert "raise ValueError" in gave_up.failure.traceback


async def test_a_task_may_ask_to_be_tried_later(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        result = await ended(client, "later")

    assert (result.value, result.attempts) == ("now", 2)


# -- limits


async def test_a_coroutine_past_its_soft_limit_is_cancelled(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        result = await ended(client, "endless")

    assert (result.failure.type, result.failure.text) == ("SoftLimit", "soft limit of 0.2 s")
    assert notes(tasks, "endless") == ["ran"]


async def test_a_coroutine_that_ignores_its_cancellation_is_given_up(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        result = await ended(client, "deaf", retries=3)

    assert result.failure.text == "hard limit of 0.3 s: it does not end"
    assert result.attempts == 1


async def test_a_process_past_its_limits_is_told_and_then_killed_alone(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        before = (await ended(client, "compute", 3)).value
        told = await ended(client, "hang")
        killed = await ended(client, "hang_hard")
        died = await ended(client, "die")
        after = (await ended(client, "compute", 4)).value

    assert told.failure.type == "streampoll.tasks.port.SoftLimitReached"
    assert killed.failure.text == "hard limit of 0.5 s: its process was killed"
    assert died.failure.text == "its process ended by SIGKILL"
    assert (before[0], after[0]) == (9, 16)
    assert before[1] != after[1]
    assert not Path(f"/proc/{notes(tasks, 'hang_hard')[0]}").exists()
    assert len(tasks.running[0].children) == 1  # the worker itself has seen nothing of it


# -- together


async def test_a_chain_hands_each_result_on(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        last = await client.result(await client.chain(call("add", 1, 2), call("add", 10), call("add", 100)), WITHIN)

    assert last.value == 113


async def test_a_chain_ends_where_one_fails_and_all_that_follow_say_so(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        last = await client.result(await client.chain(call("nonsense"), call("add", 10), call("add", 9)), WITHIN)

    assert last.state is State.FAILED
    assert last.failure.type == "NotRun"
    assert last.failure.text.startswith("nonsense (")


async def test_a_group_is_sent_at_once_and_a_chord_goes_on_with_all_results(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        members = await client.send_many(call("add", 1, number) for number in range(100))
        last = await client.chord([call("add", 1, number) for number in range(5)], call("total", kwargs={"extra": 100}))
        found = await client.results(members, WITHIN)
        total = await client.result(last, WITHIN)

    assert [found[each].value for each in members] == list(range(1, 101))
    assert total.value == 115


async def test_a_chord_with_a_member_that_fails_does_not_go_on(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        last = await client.result(await client.chord([call("add", 1, 1), call("nonsense")], call("total")), WITHIN)

    assert (last.state, last.failure.type) == (State.FAILED, "NotRun")


async def test_tasks_send_tasks(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        from_thread = (await ended(client, "relay", 1)).value
        from_loop = (await ended(client, "hand_on", 1)).value
        found = await client.results([from_thread, from_loop], WITHIN)

    assert [found[from_thread].value, found[from_loop].value] == [2, 3]


async def test_an_expired_task_is_not_run_and_says_so(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        result = await ended(client, "later", delay="2s", expires="500ms")

    assert (result.state, result.started, result.attempts) == (State.EXPIRED, 0.0, 0)


async def test_a_delayed_task_is_listed_waits_and_runs(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        far = await client.send("add", 4, 4, delay="10m")
        listed = in_state(tasks, "delayed", far)
        await client.cancel(far)
        result = await ended(client, "add", 4, 4, delay=1.0)

    assert listed["name"] == "add"
    assert result.value == 8
    assert result.started - result.sent > 0.9


async def test_of_those_with_one_key_the_first_is_run_and_the_others_have_its_id(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        ids = {await client.send("sleep", 0, key="of today") for _ in range(5)}
        other = await client.send("sleep", 0, key="of tomorrow")
        found = await client.results([*ids, other], WITHIN)

    assert (len(ids), len(found)) == (1, 2)
    assert len(notes(tasks, "sleep")) == 2


async def test_an_urgent_task_overtakes_ten_thousand_that_wait(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        (tasks.where / "notes/count").unlink(missing_ok=True)
        await client.send_many(call("count", number) for number in range(10_000))
        await eventually_async(lambda: notes(tasks, "count"), WITHIN)
        await client.send("mark", "urgent", priority="urgent")
        ran = await eventually_async(lambda: "urgent" in (found := notes(tasks, "count")) and found, WITHIN)

    assert ran.index("urgent") < 2_000
    with tasks.redis() as client:  # nobody waits for the rest
        client.delete(
            *(f"sp:{{{shard:02d}}}:{what}" for shard in range(4) for what in ("workflows", "open", "backlog"))
        )


# -- looked after


async def test_a_task_that_waits_or_runs_can_be_cancelled(tasks: Deployment) -> None:
    async with client_of(tasks) as client:
        running = await client.send("sleep", 60)
        listed = await eventually_async(lambda: in_state(tasks, "running", running), WITHIN)
        done = tasks.run("task", "cancel", running, "--json")
        result = await client.result(running, WITHIN)

    assert listed["name"] == "sleep"
    assert done.stdout == '{"cancelled": 1}\n'
    assert (result.state, result.failure.text) == (State.CANCELLED, "while it ran")


def in_state(tasks: Deployment, state: str, task_id: str) -> dict[str, object] | None:
    lines = tasks.run("task", "list", "--state", state, "--json").stdout.splitlines()
    return next((each for each in map(json.loads, lines) if each["id"] == task_id), None)


def test_the_command_line_sends_waits_and_shows(tasks: Deployment) -> None:
    sent = tasks.run("send", "add", "--json", '{"one": "a", "other": "b"}', "--wait")
    failed = tasks.run("send", "nonsense", "--wait", "20s")
    [row] = [json.loads(line) for line in tasks.run("task", "list", "--name", "nonsense", "--limit", "1",
                                                    "--json").stdout.splitlines()]  # fmt: skip
    shown = tasks.run("task", "result", row["id"])

    assert (sent.returncode, json.loads(sent.stdout)) == (0, "ab")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert (row["name"], row["state"]) == ("nonsense", "failed")
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (1, f"nonsense ({row['id']}) failed")


def test_bad_input_is_one_line(tasks: Deployment) -> None:
    for arguments, line in {
        ("send", "add", "--json", "[1,"): "--json: is not JSON",
        ("send", "add", "--delay", "soon"): "delay: 'soon' is not a duration; write seconds",
    }.items():
        done = tasks.run(*arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert done.stderr.startswith(line)


def test_a_program_without_a_loop_has_a_client_too(tasks: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STREAMPOLL_REDIS_URL", "STREAMPOLL_POSTGRES_DSN"):
        monkeypatch.setenv(name, tasks.environ[name])
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    with SyncClient(tasks.where) as client:
        result = client.result(client.send("add", 2, 2), WITHIN)

    assert result.value == 4


def test_stats_show_the_lane(tasks: Deployment) -> None:
    stats = tasks.stats()
    assert {row["queue"] for row in stats["queues"]} == {queue.value for queue in QueueClass}
    assert all(QueueClass.URGENT in worker["queues"] for worker in stats["workers"])


# -- what kills processes: each with a worker of its own


@pytest.fixture
def own(tmp_path: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    """A worker that a test may kill."""
    with task_deployment(tmp_path, fresh_redis, fresh_database, "own") as deployment:
        working(deployment)
        yield deployment


def test_a_task_whose_process_is_killed_runs_again(own: Deployment) -> None:
    async def story() -> None:
        async with client_of(own) as client:
            task_id = await client.send("sleep", 1.5)
            [first] = await eventually_async(lambda: notes(own, "sleep"), WITHIN)
            os.kill(int(first), signal.SIGKILL)
            result = await client.result(task_id, WITHIN)
            assert (result.state, result.value) == (State.DONE, "slept")

    run_now(story())
    first, second = notes(own, "sleep")
    assert first != second


def test_a_thread_past_its_hard_limit_costs_its_process_which_is_replaced(own: Deployment) -> None:
    async def story() -> None:
        async with client_of(own) as client:
            result = await ended(client, "blocked", retries=5)
            assert result.failure.text.startswith("hard limit of 0.5 s: its thread can't be ended")
            assert result.attempts == 1
            [pid] = notes(own, "blocked")
            await eventually_async(lambda: own.running[0].children not in ([], [int(pid)]), WITHIN)
            assert (await ended(client, "add", 1, 1)).value == 2

    run_now(story())
    assert "has run in its thread past its soft limit" in own.running[0].said


def test_a_name_that_workers_no_longer_know_is_buried_with_a_result(own: Deployment) -> None:
    async def story() -> None:
        async with client_of(own) as client:
            await client._ports.streams.add(QueueClass.WORKFLOWS, 1, [unknown_entry("01-00", "gone")])
            result = await client.result("01-00", WITHIN)
            assert (result.state, "no task of this name here" in result.failure.text) == (State.FAILED, True)

    run_now(story())


def unknown_entry(task_id: str, name: str) -> Entry:
    from streampoll.tasks.message import encode_call
    from streampoll.tasks.port import Call

    entry = encode_call(Call(task_id, name, sent=1.0), 0, 1000)
    assert entry.kind == Kind.TASK
    return entry


def test_a_worker_whose_tasks_can_not_be_imported_does_not_start(tmp_path: Path, fresh_redis: str) -> None:
    with task_deployment(tmp_path, fresh_redis, "postgresql://127.0.0.1:1/none") as deployment:
        (tmp_path / "own_tasks.py").write_text("import nothing_like_this\n")
        done = deployment.run("worker", "--pool", "general")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "tasks.modules: module 'own_tasks' can't be imported: ModuleNotFoundError: No module named 'nothing_like_this';"
        " correct it, or leave it out"
    )
