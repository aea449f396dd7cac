"""Each role does all its work under the ACL that docs/security.md gives it, and under nothing less."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings, ShardsSettings
from streampoll.errors import RedisUnavailable
from streampoll.model import Device, Result, Status
from streampoll.shards import scripts
from streampoll.shards.cancels import Cancels
from streampoll.shards.clock import Clock
from streampoll.shards.device_record import DeviceRecord
from streampoll.shards.devices import DeviceRecords
from streampoll.shards.entries import Delivered, Entry, Kind, Log, encode_result
from streampoll.shards.facts import Facts, lay_out_facts
from streampoll.shards.lease import LeaderLease
from streampoll.shards.letters import Letters
from streampoll.shards.outputs import Reader, RedisOutputStreams
from streampoll.shards.port import Later, Pause, Paused, Postponed, Settled, Write
from streampoll.shards.presence import Presence
from streampoll.shards.registered import Registered
from streampoll.shards.runs import AdHoc, Runs
from streampoll.shards.scripts import Scripts
from streampoll.shards.server import settle
from streampoll.shards.totals import Totals
from streampoll.shards.unfinished import Lookout
from streampoll.shards.whereabouts import PollKey, State, Whereabouts
from tests.shards_support import (
    HIGH_WATER,
    POLLING,
    RESULTS,
    SHARD,
    START,
    TICK,
    RedisBench,
    dispatch,
    finish,
    part_of,
    read,
    release,
    settled,
    sweep_one,
    swept,
)

TEXT = (Path(__file__).parent.parent / "docs/security.md").read_text()
LINES = {match[1]: match[2].split() for match in re.finditer(r"^user (\w+) on >PASSWORD (.*)$", TEXT, re.MULTILINE)}
SHARDS = [SHARD, 8]
Role = Callable[[RedisBench], Awaitable[None]]
STORED = encode_result(Result("j", "sw1", TICK, Status.OK, 5, b"\x01"))


async def coordinator(bench: RedisBench) -> None:
    await settle(bench.settings, ShardsSettings())
    lease = LeaderLease(Scripts(bench.topology), bench.keys, "c", 6.0, Clock())
    assert await lease.take(bench.streams, SHARDS)
    assert await lease.take(bench.streams, SHARDS, newer=True)
    assert await bench.streams.fence(lease.epoch, SHARDS)
    assert [one.answer for one in await dispatch(bench, part_of(2), epoch=lease.epoch)] == ["ok"]
    assert (await bench.streams.progress(SHARDS))[0]
    assert await bench.streams.fill() >= 0
    presence = Presence(bench.topology, bench.keys, Clock())
    await presence.publish("c", {})
    await presence.show_pauses([Pause(Paused.JOB, "j", 1, "me")])
    assert len(await presence.pauses()) == 1
    await Totals(bench.topology, bench.keys).add("c", 1, 0, {"polls": 1})
    facts = Facts(bench.topology, bench.keys, 16)
    await facts.write(SHARD, lay_out_facts([Device("sw1", "10.0.0.1")], 1)[0])
    assert (await facts.digests())[SHARD]
    await lease.resign()


async def worker(bench: RedisBench) -> None:
    await settle(bench.settings, ShardsSettings())
    presence = Presence(bench.topology, bench.keys, Clock())
    await presence.beat("w", [POLLING])
    await presence.publish("w", {})
    await bench.streams.make_groups(RESULTS, [SHARD])
    await bench.streams.make_groups(POLLING, [SHARD])
    assert await swept(bench, "w") == []  # what adopts is refused aloud where nothing was claimed
    taken = await read(bench, consumer="w", count=4)
    assert len(taken) == 4
    one, two, three, four = taken
    assert not await bench.streams.renew(POLLING, "w", {SHARD: [each.id for each in taken]})
    assert await bench.streams.mark(POLLING, "w", SHARD, one.id)
    done = settled([one], emits=1)
    done[0].writes = [Write("device", "sw1", b"", b"version1")]
    done[0].later = [Later(RESULTS, Entry(Kind.TASK, "j", 1, 0, b""), 1000, "key")]
    assert not await finish(bench, done, "w")
    assert await bench.streams.recall("device", {SHARD: ["sw1"]}) == {SHARD: {"sw1": b"version1"}}
    assert not await finish(bench, settled([two], cause="poisoned"), "w")
    assert three.entry is not None
    assert not await bench.streams.retry(POLLING, "w", SHARD, [Postponed(three.id, three.entry, 0)])
    assert await bench.streams.promote(POLLING, SHARDS, 10) == 1
    assert not await release(bench, [four], "w")
    left = await swept(bench, "w")
    assert len(left) == 1
    await bench.streams.retire(POLLING, SHARD, [])
    devices = DeviceRecords(bench.topology, bench.keys, time.time)
    assert not await devices.write({SHARD: {"sw1": DeviceRecord(int(time.time()), {"snmp": "b"}), "sw2": None}})
    assert [len(page) async for page in devices.read(SHARD)] == [1]
    assert not await bench.streams.finish(POLLING, "w", {SHARD: [for_outputs(each) for each in left]})
    outputs = RedisOutputStreams(bench.topology, bench.keys)
    for _ in range(2):
        await outputs.deliver("o", await outputs.follow("o", [SHARD], 10, Reader("w", 1.0)), ["o"])
    await Registered(bench.topology, bench.keys, Clock()).publish({"j": "workflows"})
    assert await Cancels(bench.topology, bench.keys, Clock()).read() == frozenset()
    totals = Totals(bench.topology, bench.keys)
    assert await totals.add("w", 1, await totals.add("w", 1, 0, {"polls": 1}), {"polls": 1}) == 1
    await presence.withdraw("w")
    await presence.beat("w", [])


def for_outputs(delivered: Delivered) -> Settled:
    """Finish a poll that leaves a result for outputs."""
    return Settled(delivered.id, "j", TICK, [(Log.OUTPUTS, Entry(Kind.RESULT, "j", TICK, 10, b""))])


async def reader(bench: RedisBench) -> None:
    presence = Presence(bench.topology, bench.keys, Clock())
    await presence.workers()
    await presence.figures(["w"])
    await presence.leader()
    assert len(await bench.streams.figures(SHARDS)) == 2
    assert await Totals(bench.topology, bench.keys).read() == {}
    await RedisOutputStreams(bench.topology, bench.keys).follow("o", SHARDS, 1)
    assert await DeviceRecords(bench.topology, bench.keys, time.time).find(SHARD, "sw1") is None
    assert await Facts(bench.topology, bench.keys, SHARD + 1).find("sw1") is None
    letters = Letters(Scripts(bench.topology), bench.keys, SHARD + 1)
    whereabouts = Whereabouts(bench.topology, bench.keys, letters)
    found = [await whereabouts.find(SHARD, PollKey("j", device, TICK)) for device in ("sw1", "sw2")]
    assert [each and each.state for each in found] == [State.WAITING, None]


async def sender(bench: RedisBench) -> None:
    assert await Registered(bench.topology, bench.keys, Clock()).read() == {}
    for _ in range(2):
        await bench.streams.add(POLLING, SHARD, [Entry(Kind.TASK, "task:j", 1, 0, b"")], 60.0, ["key"])
    await bench.streams.add(POLLING, SHARD, [Entry(Kind.TASK, "task:j", 1, 0, b"")])
    await Cancels(bench.topology, bench.keys, Clock()).cancel(["07-0"])
    found = await Lookout(bench.topology, bench.keys, SHARD + 1).unfinished(Kind.TASK, [POLLING], 10)
    assert [each.state for each in found] == ["waiting", "delayed"]


async def operator(bench: RedisBench) -> None:
    letters = Letters(Scripts(bench.topology), bench.keys, SHARD + 1)
    first, second = [letter async for letter in letters.read([POLLING])]
    assert await letters.requeue(first, TICK + 5)
    assert await letters.purge([second]) == 1


async def api(bench: RedisBench) -> None:
    presence, scripts_ = Presence(bench.topology, bench.keys, Clock()), Scripts(bench.topology)
    await presence.workers()
    await presence.figures(["w"])
    assert await presence.briefs(["w"]) == [None]
    await presence.leader()
    assert len(await bench.streams.depths(SHARDS)) == 2
    assert len(await bench.streams.figures(SHARDS)) == 2
    assert await DeviceRecords(bench.topology, bench.keys, time.time).find(SHARD, "sw1") is None
    await presence.show_pauses([Pause(Paused.JOB, "j", 1, "me")])
    assert len(await presence.pauses()) == 1
    assert await Runs(scripts_, bench.keys).run([AdHoc(SHARD, "j", TICK, TICK + 60, [(1, b"x")])], TICK) == 1
    totals = Totals(bench.topology, bench.keys)
    await totals.add("a", 1, 0, {"api_requests|2xx": 1})
    assert await totals.read()
    await RedisOutputStreams(bench.topology, bench.keys).follow("o", SHARDS, 1)
    letters = Letters(scripts_, bench.keys, SHARD + 1)
    first, _ = [letter async for letter in letters.read([POLLING])]
    assert await letters.requeue(first, TICK + 5)


ROLES: dict[str, Role] = {
    "coordinator": coordinator, "worker": worker, "reader": reader, "operator": operator, "sender": sender,
    "api": api,
}  # fmt: skip


@pytest.fixture
def admin(fresh_redis: str) -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(fresh_redis)
    yield client
    for role in LINES:
        client.execute_command("ACL DELUSER", role)
    client.close()


@asynccontextmanager
async def acting(admin: "redis.Redis", url: str, role: str, rights: list[str]) -> AsyncIterator[RedisBench]:
    """Act as a role with these rights, on what the others have left to do."""
    admin.execute_command("ACL SETUSER", role, "reset", "on", ">p%ss", *rights)
    admin.flushall()
    async with RedisBench(url) as bench:
        await bench.streams.make_groups(POLLING, [SHARD])
        if role != "coordinator":
            await dispatch(bench, part_of(4))
        if role in ("reader", "api"):
            await bench.streams.add(RESULTS, SHARD, [Entry(Kind.TASK, "j", 1, 0, b""), STORED])
            await finish(bench, [for_outputs(each) for each in await read(bench, count=1)])
            outputs = RedisOutputStreams(bench.topology, bench.keys)
            await outputs.deliver("o", await outputs.follow("o", [SHARD], 10), ["o", "another"])
        if role in ("operator", "api"):
            await bury(bench)
    async with RedisBench(re.sub("//.*@", f"//{role}:p%25ss@", url)) as bench:
        yield bench


async def bury(bench: RedisBench) -> None:
    await finish(bench, settled(await read(bench, count=2), cause="poisoned"))


@pytest.fixture(autouse=True)
def _retiring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer is retired at once, so that the command for it is seen."""
    text = scripts.SCRIPTS["retire"]
    monkeypatch.setitem(scripts.SCRIPTS, "retire", text.replace("> 60000", ">= 0"))


on_each = pytest.mark.parametrize("redis_server", ["redis-6.2", "redis-7.0"], indirect=True)


def test_every_role_has_its_line() -> None:
    assert LINES.keys() == ROLES.keys()


@on_each
@pytest.mark.parametrize("role", ROLES)
async def test_a_role_works_under_its_line(role: str, admin: "redis.Redis", fresh_redis: str) -> None:
    async with acting(admin, fresh_redis, role, LINES[role]) as bench:
        await ROLES[role](bench)


@on_each
@pytest.mark.parametrize(("role", "word"), [(role, word) for role in LINES for word in LINES[role] if word[0] == "+"])
async def test_no_word_can_be_taken_away(role: str, word: str, admin: "redis.Redis", fresh_redis: str) -> None:
    rights = [right for right in LINES[role] if right != word]
    async with acting(admin, fresh_redis, role, rights) as bench:
        if word == "+eval":  # what a server needs that does not know the script
            admin.script_flush()
        with pytest.raises(RedisUnavailable, match="what its user may not"):
            await ROLES[role](bench)


@on_each
async def test_a_user_can_not_touch_another_deployment(admin: "redis.Redis", fresh_redis: str) -> None:
    async with acting(admin, fresh_redis, "worker", LINES["worker"]) as bench:
        url = bench.settings.url.reveal()
        async with RedisBench(url, prefix="other") as other:
            with pytest.raises(RedisUnavailable, match="what its user may not"):
                await other.streams.make_groups(POLLING, [SHARD])
            with pytest.raises(RedisUnavailable, match="what its user may not"):
                await settle(other.settings, ShardsSettings())


async def test_a_wrong_password_is_said_and_not_shown(fresh_redis: str) -> None:
    wrong = re.sub("//.*@", "//worker:s3cr3t@", fresh_redis)
    with pytest.raises(RedisUnavailable, match="credentials") as caught:
        await settle(RedisSettings(url=Secret(wrong)), ShardsSettings())
    assert "s3cr3t" not in str(caught.value) + repr(caught.value)


async def test_two_deployments_share_a_redis_and_never_meet(fresh_redis: str) -> None:
    async with RedisBench(fresh_redis, "a") as one, RedisBench(fresh_redis, "ab") as two:
        for bench, count in ((one, 3), (two, 5)):
            await settle(bench.settings, ShardsSettings(count=8 + count))
            lease = LeaderLease(Scripts(bench.topology), bench.keys, f"leader {count}".replace(" ", ""), 6.0, Clock())
            assert await lease.take(bench.streams, SHARDS)
            await Presence(bench.topology, bench.keys, Clock()).beat(f"w{count}", [POLLING])
            assert [one.answer for one in await dispatch(bench, part_of(count), epoch=lease.epoch)] == ["ok"]
        before = await everything(two)

        taken = await read(one)
        assert len(taken) == 3
        assert not await finish(one, settled(taken, emits=1))
        await bench_round(one)

        assert await everything(two) == before
        assert len(await read(two)) == 5
        workers = await Presence(one.topology, one.keys, Clock()).workers()
        assert [worker.id for worker in workers] == ["w3"]


async def bench_round(bench: RedisBench) -> None:
    """Whatever else touches keys."""
    await sweep_one(bench.streams, POLLING, "w", SHARD, 0, START, 100)
    await bench.streams.promote(POLLING, SHARDS, 100)
    await bench.streams.retire(POLLING, SHARD, [])
    await bench.streams.dispatch(10**13, HIGH_WATER, [part_of(1, shard=8)])


async def everything(bench: RedisBench) -> dict[bytes, Any]:
    """All keys of a deployment, with their content but for idle times."""
    names = await bench.run("KEYS", f"{bench.keys.prefix}:*")
    return {name: await bench.run("DUMP", name.decode()) for name in names if b":leader" not in name}
