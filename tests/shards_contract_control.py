"""What operators ask of shards: polls now, pauses, depths. On Redis only."""

from streampoll.shards.clock import Clock
from streampoll.shards.port import Pause, Paused
from streampoll.shards.presence import Presence
from streampoll.shards.runs import AdHoc, Runs
from streampoll.shards.scripts import Scripts
from tests.shards_support import POLLING, SHARD, TICK, Bench, RedisBench, dispatch, part_of, read


async def a_job_is_run_once_in_two_seconds(bench: Bench) -> None:
    assert isinstance(bench, RedisBench)
    runs = Runs(Scripts(bench.topology), bench.keys)
    polls = [AdHoc(SHARD, "j", TICK, TICK + 60, [(1, b"x"), (2, b"y")])]
    assert [await runs.run(polls, TICK + after) for after in (0, 1, 2)] == [2, 0, 2]


async def what_is_paused_stands_in_the_place_of_what_was(bench: Bench) -> None:
    assert isinstance(bench, RedisBench)
    presence = Presence(bench.topology, bench.keys, Clock())
    for name in ("before", "now"):
        await presence.show_pauses([Pause(Paused.JOB, name, 1, "me")])
    assert [pause.name for pause in await presence.pauses()] == ["now"]


async def depths_are_those_of_the_figures(bench: Bench) -> None:
    assert isinstance(bench, RedisBench)
    await bench.streams.make_groups(POLLING, [SHARD])
    await dispatch(bench, part_of(3))
    await read(bench, count=2)
    shards = range(2 * SHARD + 5)  # more than one script looks at
    depths, figures = await bench.streams.depths(shards), await bench.streams.figures(shards)
    assert depths == [each.queues for each in figures]
    assert depths[SHARD][POLLING].pending == 2


async def briefs_are_of_the_worker_that_was_asked_for(bench: Bench) -> None:
    assert isinstance(bench, RedisBench)
    presence = Presence(bench.topology, bench.keys, Clock())
    brief = {"state": "running", "active": 1 << 40, "unread_s": 0.25}
    names = [f"w{n}" for n in range(130)]  # more than one script looks at
    await presence.publish("w7", brief | {"store": "x" * 10_000})
    await presence.publish("w129", brief | {"active": 3})
    await presence.publish("w8", {"of": "another release", **brief})
    found = dict(zip(names, await presence.briefs(names), strict=True))
    assert {name: said for name, said in found.items() if said} == {"w7": brief, "w129": brief | {"active": 3}}
