"""The handler of tasks: what becomes of an entry, decided by values alone."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import structs

from streampoll import RetryLater, task
from streampoll.model import QueueClass, Status
from streampoll.pollers.threads import Threads
from streampoll.shards.entries import Delivered, Entry, Kind
from streampoll.tasks.handler import TaskHandler, TaskPorts
from streampoll.tasks.message import decode_call, decode_end, encode_call
from streampoll.tasks.port import Call, State, Step, Task, TaskResult
from streampoll.tasks.processes import Processes
from streampoll.tasks.runner import Runner
from streampoll.worker.port import Bury, Disposition, Emit, Finish, Release, Retry
from streampoll.worker.route import ByKind
from tests.waiting import eventually_async
from tests.worker_support import FakeHandler

NOW = 1000.0


@task(name="double", retries=1)
async def double(number: int) -> int:
    return 2 * number


@task(name="fail", retries=2, back_off_s=4.0)
async def fail() -> None:
    raise ValueError("no")


@task(name="exit")
async def leave() -> None:
    raise SystemExit(1)


@task(name="later")
async def later() -> None:
    raise RetryLater(7.0, counted=False)


@task(name="quiet", results=False)
async def quiet() -> None:
    return None


@task(name="wait")
async def wait() -> None:
    await asyncio.sleep(60)


@task(name="block", run_in="thread", retries=5)
def block() -> None:
    return None


TASKS = {each.name: each for each in (double, fail, leave, later, quiet, wait, block)}


def handler(tasks: dict[str, Task] | None = None, now: Callable[[], float] = lambda: NOW) -> TaskHandler:
    runner = Runner(Threads(1, "task"), Processes(1, (), Path("/"), Path("/")))
    return TaskHandler(TaskPorts(TASKS if tasks is None else tasks, runner, now, "w1", 1000))


def delivered(call: Call, expiry: int = 0, delivery: int = 1) -> Delivered:
    entry = encode_call(call, expiry, 10_000)
    return Delivered(QueueClass.WORKFLOWS, 1, b"1-0", entry, delivery, 0.0)


async def served(call: Call, **more: int) -> Disposition:
    [disposition] = await handler().handle([delivered(call, **more)])
    return disposition


def ends(emits: Sequence[Emit]) -> list[TaskResult]:
    return [decode_end(emit.entry)[0] for emit in emits if emit.queue is QueueClass.RESULTS]


async def test_a_result_is_emitted_by_what_finishes_the_entry() -> None:
    done = await served(Call("01-a", "double", [2], sent=990.0))

    assert isinstance(done, Finish)
    [emit] = done.emits
    result, value = decode_end(emit.entry)
    assert (result.id, result.state, result.sent, result.attempts, value) == ("01-a", State.DONE, 990.0, 1, b"\x04")


async def test_nothing_is_emitted_where_nothing_is_kept() -> None:
    assert await served(Call("01-a", "quiet")) == Finish()
    assert len((await served(Call("01-a", "quiet", keep=True))).emits) == 1


async def test_the_next_step_is_emitted_with_the_result_first() -> None:
    steps = [
        Step(QueueClass.ANALYSIS, Call("01-b", "double", [5])),
        Step(QueueClass.POLLING, Call("01-c", "quiet", [])),
    ]
    done = await served(Call("01-a", "double", [2], then=steps))

    following, _ = done.emits
    after = decode_call(following.entry)
    assert (following.queue, after.id, after.args, after.then) == (QueueClass.ANALYSIS, "01-b", [4, 5], steps[1:])


async def test_a_failure_waits_up_to_a_bound_that_doubles_and_then_ends() -> None:
    delays = [(await served(Call("01-a", "fail", attempt=1))).delay_s for _ in range(200)]
    last = await served(Call("01-a", "fail", attempt=2))

    assert 4.0 < max(delays) <= 8.0
    assert min(delays) < 4.0
    assert [(end.state, end.attempts, end.failure.text) for end in ends(last.emits)] == [(State.FAILED, 3, "no")]


async def test_who_sends_may_say_how_often_it_is_tried() -> None:
    assert isinstance(await served(Call("01-a", "double", ["x", 1], retries=1)), Retry)
    assert isinstance(await served(Call("01-a", "fail", retries=0)), Finish)


async def test_what_follows_a_failure_ends_with_it() -> None:
    step = Step(QueueClass.WORKFLOWS, Call("01-b", "double"))
    done = await served(Call("01-a", "exit", then=[step]))

    assert [(end.id, end.failure.type) for end in ends(done.emits)] == [("01-a", "SystemExit"), ("01-b", "NotRun")]


async def test_asking_to_be_tried_later_may_cost_no_attempt() -> None:
    again = await served(Call("01-a", "later"))

    assert (again.delay_s, decode_call(again.entry).attempt) == (7.0, 0)


async def test_what_is_late_or_cancelled_does_not_run() -> None:
    late = await served(Call("01-a", "exit"), expiry=1000)
    cancelled = handler()
    cancelled.cancel(frozenset({"01-a"}))
    [ended] = await cancelled.handle([delivered(Call("01-a", "exit"))])

    assert [end.state for end in ends([*late.emits, *ended.emits])] == [State.EXPIRED, State.CANCELLED]
    assert [end.started for end in ends([*late.emits, *ended.emits])] == [0.0, 0.0]


async def test_one_that_runs_is_cancelled_by_its_id_and_no_other() -> None:
    one = handler()
    running = [asyncio.create_task(one.handle([delivered(Call(name, "wait"))])) for name in ("01-a", "01-b")]
    await eventually_async(lambda: len(one._running) == 2)
    one.cancel(frozenset({"01-a"}))
    [ended] = await running[0]

    assert [end.state for end in ends(ended.emits)] == [State.CANCELLED]
    assert not running[1].done()
    assert not running[0].cancelling()  # else the next time-out in it would be taken for a cancellation
    running[1].cancel()


async def test_a_cancellation_of_the_loop_itself_goes_through() -> None:
    running = asyncio.create_task(handler().handle([delivered(Call("01-a", "wait"))]))
    await asyncio.sleep(0)
    running.cancel()

    assert await asyncio.gather(running, return_exceptions=True) != [None]
    assert running.cancelled()


async def test_an_unknown_name_is_handed_back_once_and_then_buried_with_a_result() -> None:
    first = await served(Call("01-a", "gone"))
    second = await served(Call("01-a", "gone"), delivery=2)

    assert first == Release("no worker here can run 'task:gone': no task of this name here", counted=True)
    assert isinstance(second, Bury)
    assert [end.state for end in ends(second.emits)] == [State.FAILED]


async def test_an_entry_that_is_no_task_is_not_run_as_one_where_a_class_has_nothing_but_tasks() -> None:
    call = delivered(Call("01-a", "double", [4]), delivery=2)
    call.entry = structs.replace(call.entry, kind="dance")

    assert await handler().handle([call]) == [Bury("no worker knows entries of kind 'dance'")]


async def test_an_attempt_that_was_ended_is_tried_again_but_not_beside_its_thread() -> None:
    one = handler()
    in_loop = one.fail(delivered(Call("01-a", "double")), Status.ERROR, "soft limit of 300 s")
    in_thread = one.fail(delivered(Call("01-a", "block")), Status.ERROR, "soft limit of 300 s")
    crashed = one.fail(delivered(Call("01-a", "double")), Status.CRASHED, "died twice")

    assert isinstance(in_loop, Retry)
    assert [end.state for end in ends([*in_thread.emits, *crashed.emits])] == [State.FAILED, State.CRASHED]


async def test_entries_go_by_their_kind_and_answers_stay_in_order() -> None:
    own = FakeHandler()
    routed = ByKind(own, {Kind.TASK: handler()})
    poll = Delivered(QueueClass.WORKFLOWS, 1, b"2-0", Entry("run", "j", 0, 0, b""), 1, 0.0)
    answers = await routed.handle([delivered(Call("01-a", "quiet")), poll, delivered(Call("01-b", "quiet"))])

    assert own.seen == [poll]
    assert [len(answer.emits) for answer in answers] == [0, 1, 0]
