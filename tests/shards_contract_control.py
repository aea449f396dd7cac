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
    [depths], [figures] = await bench.streams.depths([SHARD]), await bench.streams.figures([SHARD])
    assert depths == figures.queues
    assert depths[POLLING].pending == 2
