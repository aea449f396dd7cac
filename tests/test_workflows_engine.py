"""Runs: what happens after what, and what is on record of it."""

import asyncio

from streampoll.model import Outcome, QueueClass, Status
from streampoll.shards.entries import Kind, decode_ledger, decode_result
from streampoll.shards.orders import Look, Work, encode_order
from streampoll.shards.ring import device_hash
from streampoll.workflows.control import cancel, resolve
from streampoll.workflows.engine import At, RunState, State, what_next
from tests.waiting import eventually_async
from tests.workflow_support import Floor, floor, workflow

TWO = """
[steps.first]
poll = "system"
[steps.second]
needs = ["first"]
poll = "{{ steps.first.values.profile }}"
"""


async def test_steps_run_in_the_order_of_their_needs_with_outputs_as_inputs(fresh_database: str) -> None:
    async with floor(fresh_database, TWO) as bench:
        bench.devices.answer = lambda name: Outcome(Status.OK, values={"profile": "ping"})
        run = await bench.start("w", "d1")

        found = await bench.run(run)
        assert [step["step"] for step in found["steps"]] == ["first", "second"]
        assert await bench.states(run) == {"run": "ok", "first": "ok", "second": "ok"}
        assert found["steps"][1]["input"] == {"poll": "ping", "device": "d1"}


async def test_a_poll_is_a_row_with_a_ledger_entry_of_its_own(fresh_database: str) -> None:
    async with floor(fresh_database, '[steps.look]\npoll = "system"') as bench:
        await bench.start("w", "d1")
        ledger, row = bench.emitted[QueueClass.RESULTS]
        booked, result = decode_ledger(ledger), decode_result(row)
        assert (booked.plan, booked.count, booked.hash_sum) == (0, 1, device_hash("d1"))
        assert (result.job, result.device, result.slot) == ("w.look", "d1", booked.tick)
        assert row.kind == Kind.RESULT


async def test_polls_of_one_second_have_slots_of_their_own(fresh_database: str) -> None:
    async with floor(fresh_database, '[steps.look]\npoll = "system"') as bench:
        for key in "abc":
            await bench.start("w", "d1", key=key)
        rows = [decode_result(entry) for entry in bench.emitted[QueueClass.RESULTS] if entry.kind == Kind.RESULT]
        assert len({row.slot for row in rows}) == 3


async def test_a_start_that_comes_twice_starts_one_run(fresh_database: str) -> None:
    async with floor(fresh_database, '[steps.look]\npoll = "system"') as bench:
        await bench.start("w", "d1", key="same")
        await bench.start("w", "d1", key="same")
        assert bench.devices.polls == ["d1"]


async def test_entries_of_steps_that_are_done_change_nothing(fresh_database: str) -> None:
    async with floor(fresh_database, TWO) as bench:
        bench.devices.answer = lambda name: Outcome(Status.OK, values={"profile": "ping"})
        run = await bench.start("w", "d1")
        await bench.carry(*(encode_order(Work(run, "w", step), 1) for step in ("first", "second", "first")))
        assert bench.devices.polls == ["d1", "d1"]


async def test_a_failed_attempt_is_tried_again_after_longer_and_longer_pauses(fresh_database: str) -> None:
    text = '[steps.look]\npoll = "system"\nretries = 2\nbackoff = "4s"'
    async with floor(fresh_database, text) as bench:
        bench.devices.answer = lambda name: Outcome(Status.TIMEOUT, "no answer")
        run = await bench.start("w", "d1")
        pauses = [await bench.wait() for _ in range(2)]

        assert [round(pause) for pause in pauses] == [2, 4]  # half of 4 s and of 8 s: the least that jitter leaves
        assert await bench.states(run) == {"run": "failed", "look": "failed"}
        (step,) = (await bench.run(run))["steps"]
        assert (step["attempt"], step["error"]) == (3, "no answer")


async def test_nothing_new_is_started_once_a_step_has_failed(fresh_database: str) -> None:
    async with floor(fresh_database, TWO) as bench:
        bench.devices.answer = lambda name: Outcome(Status.TIMEOUT, "no answer")
        run = await bench.start("w", "d1")
        assert await bench.states(run) == {"run": "failed", "first": "failed", "second": "skipped"}
        assert (await bench.run(run))["error"] == "failed: first"


async def test_a_failure_that_is_allowed_stops_nothing(fresh_database: str) -> None:
    text = TWO.replace('"{{ steps.first.values.profile }}"', '"ping"').replace(
        "[steps.second]", "allow_failure = true\n[steps.second]"
    )
    async with floor(fresh_database, text) as bench:
        answers = iter([Outcome(Status.TIMEOUT, "no answer"), Outcome(Status.OK)])
        bench.devices.answer = lambda name: next(answers)
        run = await bench.start("w", "d1")
        assert await bench.states(run) == {"run": "ok", "first": "failed", "second": "ok"}


async def test_what_needs_a_condition_that_is_not_true_is_skipped(fresh_database: str) -> None:
    text = """
[inputs]
go = false
[steps.go]
condition = "inputs.go"
[steps.look]
needs = ["go"]
poll = "system"
[steps.later]
needs = ["look"]
poll = "system"
"""
    async with floor(fresh_database, text) as bench:
        run = await bench.start("w", "d1")
        assert await bench.states(run) == {"run": "ok", "go": "skipped", "look": "skipped", "later": "skipped"}
        again = await bench.start("w", "d1", key="2", go=True)
        assert await bench.states(again) == {"run": "ok", "go": "ok", "look": "ok", "later": "ok"}


async def test_a_wait_holds_no_slot(fresh_database: str) -> None:
    async with floor(
        fresh_database, '[steps.rest]\nwait = "2h"\n[steps.look]\nneeds=["rest"]\npoll = "system"'
    ) as bench:
        run = await bench.start("w", "d1")
        assert await bench.states(run) == {"run": "running", "rest": "queued", "look": "waiting"}
        assert round(await bench.wait()) == 7200
        assert await bench.states(run) == {"run": "ok", "rest": "ok", "look": "ok"}


UNDO = """
[steps.one]
poll = "system"
undo = "not_one"
[steps.two]
needs = ["one"]
poll = "system"
undo = "not_two"
[steps.three]
needs = ["two"]
poll = "system"
undo = "not_three"
[steps.not_one]
poll = "ping"
device = "d0"
[steps.not_two]
poll = "ping"
device = "d2"
[steps.not_three]
poll = "ping"
device = "d1"
"""


async def test_what_ran_is_made_up_for_in_reverse_when_a_step_fails(fresh_database: str) -> None:
    async with floor(fresh_database, UNDO) as bench:
        answers = iter([Outcome(Status.OK), Outcome(Status.REFUSED, "no")])
        bench.devices.answer = lambda name: next(answers, Outcome(Status.OK))
        run = await bench.start("w", "d1")
        assert bench.devices.polls == ["d1", "d1", "d2", "d0"]  # one, two; not_two, not_one
        states = await bench.states(run)
        assert (states["run"], states["three"], states["not_three"]) == ("failed", "skipped", "skipped")


async def test_nothing_is_made_up_for_in_a_run_that_ends_well(fresh_database: str) -> None:
    async with floor(fresh_database, UNDO) as bench:
        run = await bench.start("w", "d1")
        assert bench.devices.polls == ["d1"] * 3
        assert (await bench.states(run))["run"] == "ok"


async def test_a_step_past_its_time_has_failed(fresh_database: str) -> None:
    async with floor(fresh_database, '[steps.look]\npoll = "system"\ntimeout = "50ms"') as bench:
        bench.devices.gate = asyncio.Event()
        run = await bench.start("w", "d1")
        (step,) = (await bench.run(run))["steps"]
        assert (step["state"], step["error"]) == ("failed", "not done within 0.05 s")


async def test_a_run_past_its_time_has_failed(fresh_database: str) -> None:
    async with floor(
        fresh_database, 'timeout = "5s"\n[steps.rest]\nwait = "1h"\nundo="sorry"\n[steps.sorry]\npoll = "ping"'
    ) as bench:
        run = await bench.start("w", "d1")
        await bench.connection.execute("UPDATE workflow_runs SET deadline = now()")
        await bench.carry(encode_order(Look(run, "w"), 1))
        assert await bench.states(run) == {"run": "failed", "rest": "failed", "sorry": "ok"}
        assert (await bench.run(run))["error"] == "its time was over"


async def test_a_cancelled_run_begins_nothing_more_and_takes_no_more_answers(fresh_database: str) -> None:
    async with floor(fresh_database, TWO) as bench:
        bench.devices.gate = asyncio.Event()
        starting = asyncio.create_task(bench.start("w", "d1"))
        await eventually_async(lambda: bench.devices.busy)
        (run,) = [row["id"] for row in await bench.connection.fetch("SELECT id FROM workflow_runs")]
        async with bench.postgres.transaction() as connection:
            assert await cancel(connection, run, "ann")
            assert not await cancel(connection, run, "ann")
        bench.devices.gate.set()
        await starting

        assert await bench.states(run) == {"run": "cancelled", "first": "cancelled", "second": "cancelled"}
        assert bench.devices.polls == ["d1"]
        assert len(bench.emitted[QueueClass.RESULTS]) == 2  # the poll that was under way is accounted for all the same


async def dies_while(bench: Floor, name: str = "w", *devices: str) -> str:
    """Start a run, and have its process die while it polls; return the run."""
    bench.devices.gate = asyncio.Event()
    starting = asyncio.create_task(bench.start(name, *devices))
    await eventually_async(lambda: bench.devices.busy)
    for task in list(bench._tasks):
        task.cancel()
    await starting
    bench.devices.gate = None
    (run,) = [row["id"] for row in await bench.connection.fetch("SELECT id FROM workflow_runs")]
    return str(run)


async def test_a_worker_that_dies_leaves_its_step_to_be_done_again(fresh_database: str) -> None:
    async with floor(fresh_database, TWO.replace('"{{ steps.first.values.profile }}"', '"ping"')) as bench:
        run = await dies_while(bench, "w", "d1")
        assert (await bench.states(run))["first"] == "running"
        bench.add(encode_order(Work(run, "w", "first"), 1), bench.serial, delivery=2)
        await bench.carry()
        assert await bench.states(run) == {"run": "ok", "first": "ok", "second": "ok"}
        assert bench.devices.polls == ["d1", "d1", "d1"]


async def test_another_entry_of_a_step_that_runs_does_nothing(fresh_database: str) -> None:
    async with floor(fresh_database, TWO) as bench:
        run = await dies_while(bench, "w", "d1")
        await bench.carry(encode_order(Work(run, "w", "first"), 1))
        assert bench.devices.polls == ["d1"]


ONCE = '[steps.pay]\npoll = "system"\nonce = true\n[steps.after]\nneeds=["pay"]\npoll = "ping"'


async def test_a_step_that_runs_once_is_unknown_after_a_crash_and_not_run_again(fresh_database: str) -> None:
    async with floor(fresh_database, ONCE) as bench:
        run = await dies_while(bench, "w", "d1")
        for delivery in (2, 3):
            bench.add(encode_order(Work(run, "w", "pay"), 1), bench.serial, delivery)
            await bench.carry()
        await bench.carry(encode_order(Look(run, "w"), 1), encode_order(Work(run, "w", "pay"), 1))
        assert await bench.states(run) == {"run": "running", "pay": "unknown", "after": "waiting"}
        assert bench.devices.polls == ["d1"]
        assert (await bench.run(run))["steps"][0]["input"] == "system"  # recorded before it ran


async def test_a_person_says_that_it_is_done_or_has_it_done_again(fresh_database: str) -> None:
    async with floor(fresh_database, ONCE) as bench:
        run = await dies_while(bench, "w", "d1")
        bench.add(encode_order(Work(run, "w", "pay"), 1), bench.serial, delivery=2)
        await bench.carry()
        async with bench.postgres.transaction() as connection:
            settled = await resolve(connection, run, "pay", -1, True, "ann")
        assert settled
        await bench.carry(*(encode_order(order, 1) for order, _ in settled.orders))
        assert await bench.states(run) == {"run": "ok", "pay": "ok", "after": "ok"}
        assert bench.devices.polls == ["d1", "d1"]  # pay before the crash, and after


async def test_a_retry_that_a_person_asks_for_runs_it_once_more(fresh_database: str) -> None:
    async with floor(fresh_database, ONCE) as bench:
        run = await dies_while(bench, "w", "d1")
        bench.add(encode_order(Work(run, "w", "pay"), 1), bench.serial, delivery=2)
        await bench.carry()
        async with bench.postgres.transaction() as connection:
            settled = await resolve(connection, run, "pay", -1, False, "ann")
        assert settled
        await bench.carry(*(encode_order(order, 1) for order, _ in settled.orders))
        assert bench.devices.polls == ["d1"] * 3
        assert (await bench.states(run))["run"] == "ok"


async def test_entries_that_were_lost_are_added_again_by_a_look(fresh_database: str) -> None:
    async with floor(fresh_database, TWO.replace('"{{ steps.first.values.profile }}"', '"ping"')) as bench:
        run = await dies_while(bench, "w", "d1")  # and its entry is lost with Redis
        await bench.connection.execute("UPDATE workflow_steps SET started = now() - interval '10 minutes'")
        await bench.carry(encode_order(Look(run, "w"), 1))
        assert (await bench.states(run))["run"] == "ok"


async def test_an_entry_delivered_again_after_its_commit_brings_back_what_follows(fresh_database: str) -> None:
    async with floor(fresh_database, TWO.replace('"{{ steps.first.values.profile }}"', '"ping"')) as bench:
        take, bench.take = bench.take, lambda said: None  # type: ignore[method-assign]  # it dies before it finishes
        run = await bench.start("w", "d1")
        bench.take = take  # type: ignore[method-assign]
        assert (await bench.states(run))["first"] == "queued"
        await bench.start("w", "d1")
        assert (await bench.states(run))["run"] == "ok"


async def test_a_step_that_kills_its_processes_has_failed(fresh_database: str) -> None:
    async with floor(fresh_database, TWO) as bench:
        run = await dies_while(bench, "w", "d1")
        held = f"0:1767960000000-{bench.serial}"
        await bench.carry(encode_order(Work(run, "w", "first", held=held, crashed="it killed 3 processes"), 1))
        assert (await bench.run(run))["steps"][0]["error"] == "it killed 3 processes"
        assert (await bench.states(run))["run"] == "failed"


async def test_a_task_is_sent_once_and_its_result_is_an_output(fresh_database: str) -> None:
    text = '[steps.sum]\ntask = { name = "add", args = [1, "{{ inputs.more }}"] }\n[inputs]\nmore = 2'
    async with floor(fresh_database, text) as bench:
        run = await bench.start()
        await bench.wait()
        ((key, sent),) = bench.tasks.sent.items()
        assert sent == ("add", [1, 2], {})
        bench.tasks.ended[key] = (3, "")
        await bench.wait()
        assert await bench.output(run, "sum") == {"value": 3}


def test_nothing_is_started_while_what_it_needs_is_unknown() -> None:
    made = workflow(ONCE)
    at = {"pay": At(State.UNKNOWN), "after": At(State.WAITING)}
    assert what_next(made, at).run is RunState.RUNNING
    assert what_next(made, at).start == ()
