"""Mistakes planted on purpose: each makes one of the promises about runs fail, so the tests would see it."""

import asyncio
from collections.abc import Callable

import pytest

from streampoll.shards.orders import Work, encode_order
from streampoll.workflows import journal
from streampoll.workflows.port import Doubt
from tests.waiting import eventually_async
from tests.workflow_support import Floor, floor

SPREAD = """
[steps.look]
for_each = { select = { site = ["s"] } }
at_once = 1
poll = "system"
[steps.after]
needs = ["look"]
poll = "ping"
device = "d0"
"""


async def spread_with_a_doubled_entry(bench: Floor) -> bool:
    """Run a fan-out, an element's entry twice; tell whether all was done once and one at a time."""
    bench.devices.gate = asyncio.Event()
    starting = asyncio.create_task(bench.start())
    await eventually_async(lambda: bench.devices.busy)
    (run,) = [row["id"] for row in await bench.connection.fetch("SELECT id FROM workflow_runs")]
    bench.add(encode_order(Work(run, "w", "look", 0), 1))
    await eventually_async(lambda: len(bench._tasks) == 1 or bench.devices.busy > 1)  # one polls, nothing else is left
    bench.devices.gate.set()
    await starting
    step = (await bench.run(run))["steps"][0]
    return sorted(bench.devices.polls) == ["d0", "d0", "d1", "d2"] and step["done"] == 3 and bench.devices.most == 1


async def once_that_dies(bench: Floor) -> bool:
    """Have a process die in a step that runs once, and its entry delivered again; tell whether it ran once."""
    bench.devices.gate = asyncio.Event()
    starting = asyncio.create_task(bench.start("w1", "d1"))
    await eventually_async(lambda: bench.devices.busy)
    for task in list(bench._tasks):
        task.cancel()
    await starting
    bench.devices.gate.set()
    (run,) = [row["id"] for row in await bench.connection.fetch("SELECT id FROM workflow_runs")]
    bench.add(encode_order(Work(run, "w1", "pay"), 1), bench.serial, delivery=2)
    await bench.carry()
    return bench.devices.polls == ["d1"]


def claimed_whatever_its_state(patch: pytest.MonkeyPatch) -> None:
    query = journal._QUERIES["claim"].replace("AND state = 'queued'", "")
    patch.setitem(journal._QUERIES, "claim", query)


def all_elements_started_at_once(patch: pytest.MonkeyPatch) -> None:
    query = journal._QUERIES["next_elements"].replace("next + $3", "total + $3")
    patch.setitem(journal._QUERIES, "next_elements", query)


def an_element_is_counted_by_whoever_did_it(patch: pytest.MonkeyPatch) -> None:
    query = journal._QUERIES["count_element"].replace("done = done + 1", "done = done + 2")
    patch.setitem(journal._QUERIES, "count_element", query)


def what_runs_once_runs_again(patch: pytest.MonkeyPatch) -> None:
    claim = journal.Journal.claim

    async def certain(self, order, token, begun):  # type: ignore[no-untyped-def]
        found = await claim(self, order, token, begun)
        return found.turn if isinstance(found, Doubt) else found

    patch.setattr(journal.Journal, "claim", certain)


ONCE = '[steps.pay]\npoll = "system"\nonce = true'
Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    "plant", [claimed_whatever_its_state, all_elements_started_at_once, an_element_is_counted_by_whoever_did_it]
)
async def test_a_mistake_in_a_fan_out_shows(plant: Plant, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    async with floor(fresh_database, SPREAD, ONCE) as bench:
        assert not await spread_with_a_doubled_entry(bench)


async def test_without_a_mistake_a_fan_out_is_right(fresh_database: str) -> None:
    async with floor(fresh_database, SPREAD, ONCE) as bench:
        assert await spread_with_a_doubled_entry(bench)


async def test_a_mistake_about_once_shows(fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    what_runs_once_runs_again(monkeypatch)
    async with floor(fresh_database, SPREAD, ONCE) as bench:
        assert not await once_that_dies(bench)


async def test_without_a_mistake_once_is_once(fresh_database: str) -> None:
    async with floor(fresh_database, SPREAD, ONCE) as bench:
        assert await once_that_dies(bench)
