"""Steps that are done for each of a list: how many at a time, and a join that counts each once."""

import asyncio

from streampoll.model import Outcome, Status
from streampoll.shards.orders import Work, encode_order
from streampoll.workflows.control import cancel
from tests.waiting import eventually_async
from tests.workflow_support import Devices, floor

ALL = """
[steps.look]
for_each = { select = { site = ["s"] } }
at_once = 7
poll = "system"
[steps.after]
needs = ["look"]
poll = "ping"
device = "d0"
"""


async def test_a_thousand_devices_are_polled_a_few_at_a_time_and_each_once(fresh_database: str) -> None:
    async with floor(fresh_database, ALL) as bench:
        devices = bench.devices
        devices.known = Devices(1000).known
        run = await bench.start()
        assert devices.most <= 7
        assert sorted(devices.polls) == sorted([*devices.known, "d0"])
        (step,) = [step for step in (await bench.run(run))["steps"] if step["step"] == "look"]
        assert (step["state"], step["total"], step["done"], step["failed"]) == ("ok", 1000, 1000, 0)


async def test_elements_that_fail_fail_the_step_once_all_have_ended(fresh_database: str) -> None:
    async with floor(fresh_database, ALL) as bench:
        bench.devices.answer = lambda name: Outcome(Status.OK if name != "d1" else Status.TIMEOUT, "no answer")
        run = await bench.start()
        assert await bench.states(run) == {"run": "failed", "look": "failed", "after": "skipped"}
        step = (await bench.run(run))["steps"][0]
        assert step["error"] == "1 of 3 failed"
        assert [each["state"] for each in step["elements"]] == ["ok", "failed", "ok"]


async def test_entries_that_come_twice_are_counted_once(fresh_database: str) -> None:
    async with floor(fresh_database, ALL) as bench:
        bench.devices.gate = asyncio.Event()
        starting = asyncio.create_task(bench.start())
        await eventually_async(lambda: bench.devices.busy == 3)
        (run,) = [row["id"] for row in await bench.connection.fetch("SELECT id FROM workflow_runs")]
        for element in (0, 1, 2, 0):
            bench.add(encode_order(Work(run, "w", "look", element), 1))
        bench.devices.gate.set()
        await starting
        step = (await bench.run(run))["steps"][0]
        assert (step["total"], step["done"]) == (3, 3)
        assert sorted(bench.devices.polls) == ["d0", "d0", "d1", "d2"]  # the second d0 is the step after


async def test_rows_of_an_earlier_output_are_elements_too(fresh_database: str) -> None:
    text = """
[steps.list]
task = "ports"
[steps.each]
needs = ["list"]
for_each = "steps.list.value[?up]"
task = { name = "check", args = ["{{ item.port }}", "{{ device.site }}"] }
device = "d1"
[steps.sum]
needs = ["each"]
task = { name = "sum", args = ["{{ steps.each.items[].value }}"] }
"""
    async with floor(fresh_database, text) as bench:
        send = bench.tasks.send

        async def sent(name, args, kwargs, key):  # type: ignore[no-untyped-def]
            gives = {"ports": [{"port": 1, "up": True}, {"port": 2, "up": False}, {"port": 3, "up": True}]}
            bench.tasks.ended[key] = (gives.get(name, args[0] if args else None), "")
            return await send(name, args, kwargs, key)

        bench.tasks.send = sent  # type: ignore[method-assign]
        run = await bench.start("w")
        while bench.waiting:
            await bench.wait()
        assert (await bench.states(run))["run"] == "ok"
        assert [call for call in bench.tasks.sent.values() if call[0] == "check"] == [
            ("check", [1, "s"], {}), ("check", [3, "s"], {}),
        ]  # fmt: skip
        assert (await bench.output(run, "sum"))["value"] == [1, 3]


async def test_a_list_without_elements_is_done(fresh_database: str) -> None:
    async with floor(fresh_database, ALL.replace('["s"]', '["nowhere"]')) as bench:
        run = await bench.start()
        assert await bench.states(run) == {"run": "ok", "look": "ok", "after": "ok"}


async def test_a_cancelled_run_begins_no_further_element(fresh_database: str) -> None:
    async with floor(fresh_database, ALL.replace("at_once = 7", "at_once = 1")) as bench:
        bench.devices.gate = asyncio.Event()
        starting = asyncio.create_task(bench.start())
        await eventually_async(lambda: bench.devices.busy)
        (run,) = [row["id"] for row in await bench.connection.fetch("SELECT id FROM workflow_runs")]
        async with bench.postgres.transaction() as connection:
            await cancel(connection, run, "ann")
        bench.devices.gate.set()
        await starting
        assert bench.devices.polls == ["d0"]
