"""Rates and events on a real PostgreSQL: once each, whatever order, repetition or trouble they come in."""

import asyncio
from dataclasses import replace
from random import Random

import pytest
from msgspec import structs

from streampoll.errors import EntryError
from streampoll.model import Change, Event, RatesRow, Severity, event_id
from streampoll.results.batch import signed
from streampoll.results.partitions import DAY_S
from streampoll.results.rates_codec import StoredRates, TableColumns, decode_rates_payload, encode_rates_payload
from streampoll.shards.entries import encode_event, encode_rates
from streampoll.worker.port import Bury, Finish, Release
from tests.results_support import NOON, Bench, bench, delivered, result_entry

RATES = StoredRates(
    NOON + 0.5, 60.0, {"ipInReceives": 12.5},
    {"ifTable": TableColumns(["Gi0/1", "Gi0/2"], {"in": [1.5, None]}, {"in": [0.25, None]}, [60.0, None])},
)  # fmt: skip


def rates(slot: int = NOON, payload: bytes = b"\x01x", device: str = "r1"):
    return encode_rates(RatesRow("interfaces", device, slot, payload))


def event(opened: int = NOON, at: int = 0, change: Change = Change.OPENED, **other) -> Event:
    known = {"severity": Severity.ERROR, "labels": {"site": "fra"}, "value": 95.0, "text": "it is 95 %"}
    return Event(
        event_id("cpu", "r1", "", opened), "cpu", "r1", "", opened=opened, at=at or opened, change=change,
        **(known | other),
    )  # fmt: skip


async def told(b: Bench, *events: Event) -> None:
    assert set(map(type, await b.handle(*map(encode_event, events)))) == {Finish}


async def stored(b: Bench) -> list[tuple[int, int | None]]:
    """When events opened and closed, after NOON."""
    rows = await b.connection.fetch(
        "SELECT extract(epoch FROM opened)::bigint o, extract(epoch FROM closed)::bigint c FROM events ORDER BY 1"
    )
    return [(row["o"] - NOON, row["c"] and row["c"] - NOON) for row in rows]


def test_rates_come_back_as_they_were() -> None:
    assert decode_rates_payload(encode_rates_payload(RATES)) == RATES


@pytest.mark.parametrize("payload", [b"", b"\x02x", b"\x01", b"\x01x", encode_rates_payload(RATES)[:-1],
                                     encode_rates_payload(RATES) + b"x"])  # fmt: skip
def test_rates_that_are_none_are_refused(payload: bytes) -> None:
    with pytest.raises(EntryError, match="rates"):
        decode_rates_payload(payload)


async def test_rates_are_stored_once_and_the_first_stay(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        assert await b.handle(rates(), rates(payload=b"\x01y"), result_entry()) == [Finish()] * 3
        assert await b.handle(rates(payload=b"\x01z"), rates(NOON + 60)) == [Finish()] * 2

        rows = await b.connection.fetch("SELECT payload FROM rates ORDER BY slot")
        assert [bytes(row["payload"]) for row in rows] == [b"\x01x", b"\x01x"]
        assert await b.count("polls") == 1


async def test_rates_have_a_retention_of_their_own(fresh_database: str) -> None:
    async with bench(fresh_database, rates_retention_days=3, retention_days=10) as b:
        for days in (2, 5, 12):
            await b.handle(rates(NOON - days * DAY_S), result_entry(slot=NOON - days * DAY_S))
        b.clock[0] += 3601
        await b.store.ready()

        assert (await b.count("rates"), await b.count("polls")) == (1, 2)


async def test_an_event_opens_changes_and_closes(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await told(b, event())
        await told(b, event(at=NOON + 60, change=Change.UPDATED, value=99.0, severity=Severity.CRITICAL))
        row = await b.connection.fetchrow("SELECT * FROM events")
        assert (row["id"], row["severity"], row["value"], row["closed"]) == (signed(event().id), 3, 99.0, None)

        await told(b, event(at=NOON + 120, change=Change.CLOSED, value=3.0))
        assert await stored(b) == [(0, 120)]
        assert await b.connection.fetchval("SELECT value FROM events") == 3.0


LIFE = [
    event(), event(at=NOON + 60, change=Change.UPDATED), event(at=NOON + 90, change=Change.ACKNOWLEDGED),
    event(at=NOON + 120, change=Change.CLOSED), event(NOON + 300),
    event(NOON + 300, NOON + 360, Change.UPDATED), event(NOON + 300, NOON + 420, Change.CLOSED), event(NOON + 600),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
async def test_changes_in_any_order_any_batches_and_twice_lead_to_the_same(seed: int, fresh_database: str) -> None:
    random = Random(seed)
    changes = [*LIFE, *random.sample(LIFE, 4)]
    random.shuffle(changes)
    async with bench(fresh_database) as b:
        while changes:
            count = random.randint(1, 5)
            await told(b, *changes[:count])
            changes = changes[count:]

        assert await stored(b) == [(0, 120), (300, 420), (600, None)]
        assert await b.connection.fetchval("SELECT count(*) FROM events WHERE acknowledged_at IS NOT NULL") == 1


async def test_an_event_whose_end_is_lost_is_closed_by_the_next_and_never_two_are_open(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await told(b, event(NOON + 300))
        await told(b, event())
        assert await stored(b) == [(0, 300), (300, None)]

        await told(b, event(NOON + 600))
        assert await stored(b) == [(0, 300), (300, 600), (600, None)]


async def test_what_was_acknowledged_here_stays_so(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await told(b, event())
        await b.connection.execute("UPDATE events SET acknowledged_at = now(), acknowledged_by = 'me'")
        await told(b, event(at=NOON + 60, change=Change.UPDATED))

        assert await b.connection.fetchval("SELECT acknowledged_by FROM events") == "me"
        assert await b.connection.fetchval("SELECT acknowledged_at FROM events") is not None


async def test_two_stores_at_once_open_one_event(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.store.ready()
        events = [event(NOON + n) for n in range(8)]
        answers = await asyncio.gather(*(b.store.handle([delivered(encode_event(each))]) for each in events))

        assert [answer for [answer] in answers] == [Finish()] * 8
        assert [closed for _, closed in await stored(b)].count(None) == 1


async def test_what_postgresql_refuses_is_set_aside_and_its_batch_goes_on(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        bad = encode_event(replace(event(NOON + 7), text="nul \0"))
        answers = await b.handle(encode_event(event()), bad, rates(), delivery=2)

        assert [type(answer) for answer in answers] == [Finish, Bury, Finish]
        assert (await b.count("events"), await b.count("rates")) == (1, 1)


async def test_what_can_not_be_read_is_handed_back_once_then_buried(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        broken = structs.replace(rates(), body=b"\x90")
        assert isinstance((await b.handle(broken))[0], Release)
        assert isinstance((await b.handle(broken, delivery=2))[0], Bury)
