"""An output that hangs, refuses or comes back: its results wait or are counted, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import OutputSettings
from streampoll.errors import ConfigError, Fault
from streampoll.http.credential import ApiKey, Basic, Bearer, HttpCredential
from streampoll.outputs.files import LineFile
from streampoll.outputs.port import Decoded, OutputAway, OutputRefused
from streampoll.outputs.pump import Pump, PumpPorts, portions
from streampoll.outputs.sinks import FileSink, make_sink
from streampoll.shards.entries import Entry, encode_result
from streampoll.shards.memory_outputs import MemoryOutputStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.outputs import Followed, Kept
from tests.outputs_support import PLANS, decoded, receiving, result
from tests.shards_support import wall_ms
from tests.waiting import eventually_async

BOTH = ("good", "bad")


class FakeSink:
    """Takes results, or does as it is told."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.asked = 0
        self.fails: Callable[[], Exception] | None = None
        self.hangs = False

    async def send(self, results: Sequence[Decoded]) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise self.fails()
        self.taken += [each.result.device for each in results]

    async def close(self) -> None:
        """Nothing is open."""


class World:
    """Two outputs on a Redis in memory."""

    def __init__(self, **settings: float) -> None:
        self.server = MemoryServer(now_ms=wall_ms)
        self.sinks = {name: FakeSink() for name in BOTH}
        ports = PumpPorts(MemoryOutputStreams(self.server), lambda: (0, 1), lambda: 1.0, BOTH, "w")
        told = OutputSettings("jsonl", path="-", **{"max_back_off_s": 0.01, **settings})
        self.pumps = {name: Pump(name, told, sink, ports) for name, sink in self.sinks.items()}

    def finish(self, *devices: str, kept: int = 1000) -> None:
        for number, device in enumerate(devices):
            self.server.shard(number % 2).keep(encode_result(result(device), kept))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(pump.run()) for pump in self.pumps.values()]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_output_that_hangs_holds_nobody_and_gets_everything_when_it_is_back() -> None:
    world = World(timeout_s=0.05)
    world.sinks["bad"].hangs = True
    world.finish("a", "b", "c")
    async with world.running():
        await eventually_async(lambda: world.sinks["good"].taken == ["a", "c", "b"])
        await eventually_async(lambda: world.sinks["bad"].asked >= 3)
        assert world.pumps["bad"].counts.away
        assert world.pumps["bad"].counts.error == "no answer within 0.05 s"
        world.sinks["bad"].hangs = False
        await eventually_async(lambda: world.sinks["bad"].taken == ["a", "c", "b"])
        await eventually_async(lambda: not world.pumps["bad"].counts.away)
    counts = world.pumps["bad"].counts
    assert (counts.sent, counts.dropped) == (3, {})
    assert counts.retried >= 9


async def test_results_that_are_refused_are_counted_and_do_not_come_again() -> None:
    world = World()
    world.sinks["bad"].fails = lambda: OutputRefused("refused", "HTTP 400: out of order")
    world.finish("a", "b")
    async with world.running():
        await eventually_async(lambda: world.pumps["bad"].counts.dropped == {"refused": 2})
        world.sinks["bad"].fails = None
        world.finish("c")
        await eventually_async(lambda: world.sinks["bad"].taken == ["c"])
    assert not world.server.shard(0).outputs.entries  # what all have is deleted


async def test_one_result_that_is_refused_does_not_cost_the_others_theirs() -> None:
    """Prometheus takes all samples of a request or none."""
    world = World()
    bad = world.sinks["bad"]
    send = bad.send

    async def picky(results: Sequence[Decoded]) -> None:
        if any(each.result.device == "d6" for each in results):
            raise OutputRefused("refused", "out of order sample")
        await send(results)

    bad.send = picky  # type: ignore[method-assign]
    world.finish(*(f"d{number}" for number in range(20)))
    async with world.running():
        await eventually_async(lambda: world.pumps["bad"].counts.sent == 19)
    assert world.pumps["bad"].counts.dropped == {"refused": 1}
    assert sorted(bad.taken) == sorted(f"d{number}" for number in range(20) if number != 6)


async def test_an_output_that_refuses_everything_is_not_asked_for_each() -> None:
    world = World()
    bad = world.sinks["bad"]
    bad.fails = lambda: OutputRefused("refused", "no")
    world.finish(*(f"d{number}" for number in range(200)))
    async with world.running():
        await eventually_async(lambda: world.pumps["bad"].counts.dropped == {"refused": 200})
    assert bad.asked < 80


def test_what_was_followed_is_cut_into_portions_in_order_each_with_its_position() -> None:
    followed = [Followed(shard, b"", [Kept(b"%d-0" % n, n, None) for n in range(1, many + 1)]) for shard, many in
                enumerate((150, 30, 0, 120))]  # fmt: skip
    cut = list(portions(followed))
    assert [sum(len(part.kept) for part in portion) for portion in cut] == [100, 100, 100]
    flat = [(part.shard, kept.number) for portion in cut for part in portion for kept in part.kept]
    assert flat == [(each.shard, kept.number) for each in followed for kept in each.kept]
    assert cut[1][0].position == b"100-0 100"  # what the first portion will have left


async def test_what_is_missed_by_being_behind_and_what_cannot_be_read_are_counted_apart() -> None:
    world = World()
    world.finish("a")
    async with world.running():
        await eventually_async(lambda: world.sinks["good"].taken == ["a"])
    world.finish("b", "-", "c", "-", "d", "-", kept=1)  # every other is in shard 1
    world.server.shard(0).keep(Entry("result", "j", 1, 10, b"no msgpack"))
    async with world.running():
        await eventually_async(lambda: world.pumps["good"].counts.dropped == {"behind": 2, "unreadable": 1})
        assert "d" in world.sinks["good"].taken


async def test_redis_away_is_waited_out() -> None:
    world = World()
    world.server.away = True
    async with world.running():
        await asyncio.sleep(0)
        world.server.away = False
        world.finish("a")
        await eventually_async(lambda: world.sinks["good"].taken == ["a"])


# -- over HTTP


def http_sink(url: str, credential: object = None, **settings: object):
    async def fetch(name: str) -> object:
        if isinstance(credential, Exception):
            raise credential
        return credential

    told = OutputSettings("influx", url=url, credential="c" if credential else "", timeout_s=2.0, **settings)
    return make_sink(told, PLANS, fetch)


SECRET = Secret("s3cret-token")


@pytest.mark.parametrize(
    ("scheme", "header"),
    [
        (Bearer(SECRET), "authorization: Bearer s3cret-token"),
        (Basic("me", SECRET), "authorization: Basic bWU6czNjcmV0LXRva2Vu"),
        (ApiKey("X-Key", SECRET), "x-key: s3cret-token"),
    ],
)
async def test_an_output_proves_who_it_is_by_its_credential(scheme: Bearer | Basic | ApiKey, header: str) -> None:
    async with receiving() as receiver:
        sink = http_sink(receiver.url, HttpCredential(scheme))
        await sink.send([decoded()])
        await sink.close()
    assert header.lower() in receiver.heads[0].lower()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_what_a_person_or_time_sets_right_is_waited_for(status: int) -> None:
    async with receiving() as receiver:
        receiver.status, receiver.headers = status, "Retry-After: 7\r\n"
        sink = http_sink(receiver.url)
        with pytest.raises(OutputAway, match=f"127.0.0.1: HTTP {status}: no") as caught:
            await sink.send([decoded()])
        assert caught.value.wait_s == 7.0
        await sink.close()


async def test_what_is_wrong_with_the_results_is_refused() -> None:
    async with receiving() as receiver:
        receiver.status = 400
        sink = http_sink(receiver.url)
        with pytest.raises(OutputRefused, match="HTTP 400"):
            await sink.send([decoded()])
        await sink.close()


async def test_a_server_that_is_not_there_and_a_credential_that_cannot_be_read_are_waited_for() -> None:
    sink = http_sink("http://127.0.0.1:1/write")
    with pytest.raises(OutputAway, match=r"127\.0\.0\.1"):
        await sink.send([decoded()])
    await sink.close()
    sink = http_sink("http://127.0.0.1:1/write", ConfigError([Fault("credential 'c'", "is not there")]))
    with pytest.raises(OutputAway, match="credential 'c'"):
        await sink.send([decoded()])
    await sink.close()


# -- files


def test_a_file_is_renamed_once_it_is_long_and_old_ones_go(tmp_path: Path) -> None:
    file = LineFile(str(tmp_path / "out"), 10, 2)
    for number in range(5):
        file.write(b"12345 %d\n" % number)
    file.close()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"out": "12345 4\n", "out.1": "12345 3\n", "out.2": "12345 2\n"}


def test_two_processes_share_a_file_and_rename_it_once(tmp_path: Path) -> None:
    one, two = (LineFile(str(tmp_path / "out"), 20, 9) for _ in range(2))
    for number in range(6):
        (one, two)[number % 2].write(b"12345 %d\n" % number)
    one.close()
    two.close()
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert sorted(lines) == [f"12345 {number}" for number in range(6)]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_somebody_else_renamed_is_opened_anew(tmp_path: Path) -> None:
    file = LineFile(str(tmp_path / "out"), 0, 1)
    file.write(b"1\n")
    (tmp_path / "out").rename(tmp_path / "moved")
    file.write(b"2\n")
    file.close()
    assert (tmp_path / "out").read_text() == "2\n"


async def test_a_disk_that_is_full_or_hangs_is_waited_for(tmp_path: Path) -> None:
    full = FileSink(OutputSettings("jsonl", path="/dev/full", timeout_s=2.0, rotate_bytes=0))
    with pytest.raises(OutputAway, match="No space left"):
        await full.send([decoded()])
    await full.close()
