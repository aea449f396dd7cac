"""The handler on streams in memory, by a made-up clock: from events to messages, whatever goes wrong on the way."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from streampoll.config.credentials import Credentials
from streampoll.config.notifications import Notifications
from streampoll.model import Change, Event, QueueClass
from streampoll.notifications import delivery
from streampoll.notifications.announce import announce_acknowledged, notice
from streampoll.notifications.channel import Terms
from streampoll.notifications.delivery import Delivery
from streampoll.notifications.handler import NotificationHandler
from streampoll.notifications.message import Message, decode_message, encode_message, home_shard, message_key
from streampoll.notifications.pace import Rate
from streampoll.notifications.port import NotSent
from streampoll.notifications.ports import NotifyPorts
from streampoll.notifications.routes import Route
from streampoll.shards.entries import Delivered, Entry, Kind, encode_event
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.worker.attempt import Surroundings
from streampoll.worker.consume import Consumer
from streampoll.worker.port import Disposition, Finish, Limits, Retry
from streampoll.worker.slots import Slots
from tests.notify_support import MONDAY_NOON, event
from tests.waiting import eventually_async

SHARDS = 4
QUEUE = QueueClass.NOTIFICATIONS
LIMITS = Limits(concurrency=200, prefetch=200, batch=1, soft_limit_s=0.0, hard_limit_s=0.0, claim_idle_s=2.0)
KNOWN = Notifications(
    (Route("ops", ("mail",), repeat_s=3600.0),), {"mail": Terms()}, Credentials.of("apprise", {"mail": "a channel"})
)


@dataclass
class World:
    """A Redis in memory with a clock that goes on when it is told, and what was sent."""

    known: Notifications = KNOWN
    now: float = MONDAY_NOON
    sent: list[tuple[float, Message]] = field(default_factory=list)
    fails: Callable[[Message], None] = lambda _: None
    server: MemoryServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = MemoryServer(now_ms=lambda: int(self.now * 1000))

    @property
    def streams(self) -> MemoryStreams:
        return MemoryStreams(self.server)

    def handler(self) -> NotificationHandler:
        handler = NotificationHandler(NotifyPorts(self.streams, lambda: self.known, lambda: self.now, SHARDS))
        handler._senders.send = self._send  # type: ignore[method-assign]
        return handler

    async def _send(self, _: object, message: Message, __: object) -> str:
        await asyncio.sleep(0)
        self.fails(message)
        self.sent.append((self.now - MONDAY_NOON, message))
        return "sent"

    async def happens(self, *events: Event, shard: int = 0) -> None:
        await self.streams.add(QUEUE, shard, [encode_event(each) for each in events])
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing is left to do at this moment."""
        await eventually_async(self._is_quiet)

    async def _is_quiet(self) -> bool:
        await self.streams.promote(QUEUE, range(SHARDS), 1000)
        return all(not figures[QUEUE].length for figures in await self.streams.depths(range(SHARDS)))

    async def until(self, after_s: float) -> None:
        """Let time go on to so many seconds after the beginning, from one moment that something is due to the next."""
        await self.quiet()
        while (due := self._next()) is not None and due <= MONDAY_NOON + after_s:
            self.now = max(self.now, due)
            await self.quiet()
        self.now = MONDAY_NOON + after_s
        await self.quiet()

    def _next(self) -> float | None:
        return min((each.due_ms / 1000 for shard in self.server.shards.values() for each in shard.delayed[QUEUE]),
                   default=None)  # fmt: skip

    @property
    def times(self) -> list[tuple[int, str]]:
        return [(round(after_s), message.reason.value) for after_s, message in self.sent]

    @property
    def dead(self) -> list[str]:
        return [letter.cause for shard in self.server.shards.values() for letter in shard.dead[QUEUE]]

    @asynccontextmanager
    async def working(self, name: str = "w1", handler: NotificationHandler | None = None):
        """Run a worker until the block ends, then cut it off as a killed process is."""
        around = Surroundings(
            name, self.streams, Slots(4, {}), lambda _: range(SHARDS), lambda: (name,), lambda: None,
            monotonic=self.server.monotonic,
        )  # fmt: skip
        consumer = Consumer(QUEUE, handler or self.handler(), LIMITS, around)
        tasks = [asyncio.create_task(part(), name=label) for label, part in consumer.tasks()]
        try:
            yield consumer
        finally:
            for task in (*tasks, *consumer.attempts):
                task.cancel()
            await asyncio.gather(*tasks, *consumer.attempts, return_exceptions=True)


async def test_a_hundred_interfaces_are_one_message() -> None:
    world = World()
    async with world.working() as consumer:
        await world.happens(*(event(number) for number in range(100)))
        await world.until(60)

    assert world.times == [(30, "opened")]
    assert world.sent[0][1].standing == 100
    assert consumer.counted()["entries_done|notifications"] < 210  # none came twice: they formed a chain


async def test_reminders_come_until_somebody_acknowledges_and_the_end_is_told() -> None:
    world = World()
    async with world.working():
        await world.happens(event())
        await world.until(4000)
        await announce_acknowledged(world.streams, 0, event(), world.now)
        await world.until(20_000)
        await world.happens(event(change=Change.CLOSED, at=MONDAY_NOON + 20_000))
        await world.until(30_000)

    assert world.times == [(30, "opened"), (3630, "repeat"), (20_030, "closed")]
    assert world.server.shards[0].open == {}


async def test_a_suppressed_event_is_told_to_nobody() -> None:
    world = World()
    async with world.working():
        await world.happens(event(suppressed="maintenance"))
        await world.until(600)

    assert world.sent == []


def always(why: NotSent) -> Callable[[Message], None]:
    def fails(_: Message) -> None:
        raise why

    return fails


async def test_a_channel_that_is_away_for_an_hour_gets_the_message_then_with_the_same_key() -> None:
    world, keys = World(), set()

    def fails(message: Message) -> None:
        keys.add(message.key)
        if world.now < MONDAY_NOON + 3600:
            raise NotSent("connection refused")

    world.known = replace(KNOWN, routes=(Route("ops", ("mail",), repeat_s=0.0),))
    world.fails = fails
    async with world.working() as consumer:
        await world.happens(event())
        await world.until(7200)

    assert len(world.sent) == 1
    assert len(keys) == 1
    assert 5 < consumer.counted()["entries_retried|notifications"] < 60


async def test_what_is_not_taken_in_time_is_a_dead_letter_with_the_cause() -> None:
    world = World(replace(KNOWN, terms={"mail": Terms(give_up_s=7200.0)}), fails=always(NotSent("HTTP 503")))
    async with world.working() as consumer:
        await world.happens(event(), event(change=Change.ACKNOWLEDGED))
        await world.until(10_000)

    [cause] = world.dead
    assert cause.startswith("channel mail does not take it: HTTP 503 (")
    assert consumer._handler.counted()["notifications|mail|given_up"] == 1


async def test_what_will_never_be_taken_is_a_dead_letter_at_once() -> None:
    world = World(fails=always(NotSent("HTTP 422", final=True)))
    async with world.working():
        await world.happens(event(), event(change=Change.ACKNOWLEDGED))
        await world.until(60)

    assert len(world.dead) == 1


async def test_a_service_that_asks_to_wait_is_left_alone_for_so_long() -> None:
    world = World(fails=always(NotSent("HTTP 429", wait_s=600.0)))
    async with world.working():
        await world.happens(event(), event(change=Change.ACKNOWLEDGED))
        await world.until(620)
        attempts = _waiting(world)

    assert [message.attempt for message in attempts] == [1]


def _waiting(world: World) -> list[Message]:
    return [
        decode_message(each.entry)
        for shard in world.server.shards.values()
        for each in shard.delayed[QUEUE]
        if each.entry.kind in (Kind.MESSAGE, Kind.SEND)
    ]


async def test_a_channels_rate_holds_for_all_its_messages() -> None:
    world = World(replace(KNOWN, terms={"mail": Terms(Rate(2, 60.0))}))
    async with world.working("w1"), world.working("w2"):
        for number in range(6):
            await world.happens(
                event(number, device=f"sw{number}"), event(number, Change.ACKNOWLEDGED, device=f"sw{number}")
            )
        await world.until(600)

    assert [after_s for after_s, _ in world.times] == [30, 30, 60, 90, 120, 150]


async def test_a_group_whose_route_is_gone_is_forgotten_and_other_routes_go_on() -> None:
    world = World()
    async with world.working():
        await world.happens(event())
        world.known = replace(KNOWN, routes=())
        await world.until(600)
        world.known = KNOWN
        await world.happens(event(2))
        await world.until(1200)

    assert [[each.event.id for each in message.listed] for _, message in world.sent] == [[2]]


async def test_a_notice_goes_to_its_channel_from_any_shard() -> None:
    world = World()
    async with world.working():
        for shard in range(SHARDS):
            await world.streams.add(QUEUE, shard, [notice("mail", "backup", f"of {shard}", f"k{shard}", world.now)])
        await world.until(10)

    assert sorted(message.text for _, message in world.sent) == [f"of {shard}" for shard in range(SHARDS)]


# -- what a process that dies leaves behind


async def dies_while_sending(world: World, settled: bool = False) -> None:
    """Let a worker die with a message at its channel, and another one take over; `settled`: it says so before."""
    at_the_channel, for_ever = asyncio.Event(), asyncio.Event()
    handler = world.handler()

    async def send(*_: object) -> str:
        at_the_channel.set()
        await for_ever.wait()
        return "never"

    handler._senders.send = send  # type: ignore[method-assign]
    async with world.working("dies", handler) as consumer:
        await world.streams.add(QUEUE, 0, [notice("mail", "backup", "", "k", world.now)])
        await asyncio.wait_for(at_the_channel.wait(), 10)
        await eventually_async(lambda: not (settled and consumer.held))
    world.now += 10
    async with world.working("takes over"):
        await world.quiet()


async def test_a_message_outlives_the_process_that_was_sending_it() -> None:
    world = World()
    await dies_while_sending(world)

    assert [message.key for _, message in world.sent] == ["k"]


@pytest.mark.parametrize("seed", range(6))
async def test_whenever_workers_die_everybody_is_told_of_everything_and_a_key_means_one_message(seed: int) -> None:
    random, world = Random(seed), World(replace(KNOWN, terms={"mail": Terms(Rate(3, 10.0))}))
    said: dict[str, set[str]] = defaultdict(set)

    def fails(message: Message) -> None:
        said[message.key].add(encode_message(replace(message, attempt=0)).body.hex())
        if random.random() < 0.2:
            raise NotSent("HTTP 503")

    world.fails = fails
    for number in range(8):
        await world.streams.add(QUEUE, number % SHARDS, [encode_event(event(number, device=f"sw{number % 5}"))])
    for life in range(12):
        async with world.working(f"w{life}"):
            for _ in range(random.randrange(60)):
                await asyncio.sleep(0.0005)
        world.now += random.choice([1.0, 3.0, 30.0])
    async with world.working("last"):
        await world.until(world.now - MONDAY_NOON + 1000)

    told = {each.event.id for _, message in world.sent for each in message.listed}
    assert told == set(range(8))
    assert all(len(bodies) == 1 for bodies in said.values())


async def test_planted_acknowledged_before_it_is_sent_a_message_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    send, tasks = Delivery.send, []

    async def before(self: Delivery, message: Message) -> Disposition:
        tasks.append(asyncio.create_task(send(self, message)))
        return Finish()

    monkeypatch.setattr(Delivery, "send", before)
    world = World()
    await dies_while_sending(world, settled=True)
    for task in tasks:
        task.cancel()

    assert world.sent == []


async def test_planted_a_new_key_with_each_attempt_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(message: Message) -> Message:
        return replace(message, attempt=message.attempt + 1, key=message_key(message.key, str(message.attempt)))

    monkeypatch.setattr(delivery, "once_more", changed)
    with pytest.raises(AssertionError):
        await test_a_channel_that_is_away_for_an_hour_gets_the_message_then_with_the_same_key()


async def forwarded_twice(world: World) -> int:
    """Bring a message to its channel by two processes, as when one dies after it; count what is there."""
    home = home_shard("mail", SHARDS)
    message = decode_message(notice("mail", "backup", "", "k", world.now))
    for handler in (world.handler(), world.handler()):
        await handler._delivery.admit((home + 1) % SHARDS, message)
    return (await world.streams.depths([home]))[0][QUEUE].length


async def test_a_message_that_is_brought_to_its_shard_twice_is_there_once() -> None:
    assert await forwarded_twice(World()) == 1


async def test_planted_without_the_key_it_would_be_there_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    add = MemoryStreams.add

    async def without(self: MemoryStreams, *place: object, **more: object) -> list[bytes]:
        return await add(self, *place, **(more | {"unique": ()}))  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryStreams, "add", without)

    assert await forwarded_twice(World()) == 2


async def test_a_busy_channel_holds_no_slots() -> None:
    world = World()
    handler, for_ever = world.handler(), asyncio.Event()

    async def send(*_: object) -> str:
        await for_ever.wait()
        return "never"

    handler._senders.send = send  # type: ignore[method-assign]
    message = decode_message(notice("mail", "backup", "", "k", world.now))
    under_way = [asyncio.create_task(handler._delivery.send(message)) for _ in range(4)]
    await asyncio.sleep(0)
    answer = await handler._delivery.send(message)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)

    assert isinstance(answer, Retry)
    assert decode_message(answer.entry).attempt == 0


def answers(batch: Sequence[Disposition]) -> list[str]:
    return [type(each).__name__ for each in batch]


async def test_what_no_worker_knows_is_handed_back_once_and_buried_then() -> None:
    world = World()
    strange = [
        Entry("strange", "j", 0, 0, b""),
        Entry(Kind.ALERT, "j", 0, 0, b"\xc1"),
        Entry(Kind.SEND, "j", 0, 0, b""),
    ]
    for delivery_number, kind in ((1, "Release"), (2, "Bury")):
        batch = [Delivered(QUEUE, 0, b"1-0", entry, delivery_number, 0.0) for entry in strange]
        assert answers(await world.handler().handle(batch)) == [kind] * 3


async def test_a_route_that_comes_late_to_this_host_still_gets_its_events() -> None:
    world = World()
    async with world.working():
        await world.happens(event())
        world.known = replace(KNOWN, routes=())
        await world.happens(event(2))
        await world.until(100)
        world.known = KNOWN
        await world.until(600)

    assert [[each.event.id for each in message.listed] for _, message in world.sent] == [[1]]
