"""How long tables are is remembered: no more rows are asked for than there were, and every row there is comes."""

import random
from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.model import Status
from streampoll.snmp.collect import Collector
from streampoll.snmp.credential import Community
from streampoll.snmp.engine import Agent, Limits
from streampoll.snmp.memory import Memory, TableLengths
from tests.snmp_model_support import ModelAgent
from tests.test_snmp_tables import HC_IN_OCTETS, IF_NAME, PORTS, Held, plan, ports, rows

CREDENTIAL = Community(Secret("public"))
COLUMN = b"+\x06\x01"
NAMES = '[tables.t.columns]\nname = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text" }\n'


def who() -> Agent:
    """Return an agent to ask the model as; it has the one credential that its process has."""
    return Agent(("192.0.2.1", 161), CREDENTIAL, Limits())


async def asked(model: ModelAgent, made: object, memory: Memory) -> list[int]:
    """Collect, and return how many rows each request was for."""
    model.asked.clear()
    await Collector(model, memory).collect(who(), made, 1e9)  # type: ignore[arg-type]
    return [request.max_repetitions for request in model.asked]


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("count", [1, 24, 25, 26, 70])
async def test_a_table_is_asked_for_as_many_rows_as_it_had_and_its_end(tmp_path: Path, count: int, plain: bool) -> None:
    model, made, memory = ModelAgent(ports(count), plain=plain), plan(tmp_path, NAMES), Memory()

    first, second, third = [await asked(model, made, memory) for _ in range(3)]

    assert sum(first) > count
    assert sum(second) == sum(third) == count + 1
    assert len(second) == len(first) == count // 25 + 1


async def test_a_table_that_has_grown_is_walked_on_as_if_nothing_had_been_known(tmp_path: Path) -> None:
    made, memory = plan(tmp_path, NAMES), Memory()
    await asked(ModelAgent(ports(10)), made, memory)

    assert await asked(ModelAgent(ports(60)), made, memory) == [11, 25, 25]
    assert await asked(ModelAgent(ports(60)), made, memory) == [25, 25, 11]


async def test_a_table_that_comes_and_goes_a_little_takes_no_request_more(tmp_path: Path) -> None:
    """Neighbours, addresses and sessions do; a request costs more than rows that are thrown away."""
    made, known, dice = plan(tmp_path, NAMES), Memory(), random.Random(1)
    requests = {"known": 0, "fresh": 0}
    rows_asked = dict(requests)
    for _ in range(100):
        model = ModelAgent(ports(dice.randint(57, 63)))
        for name, memory in (("known", known), ("fresh", Memory())):
            reps = await asked(model, made, memory)
            requests[name] += len(reps)
            rows_asked[name] += sum(reps)

    assert requests["known"] <= requests["fresh"] * 1.03
    assert rows_asked["known"] < rows_asked["fresh"] * 0.9


async def test_a_table_that_is_much_shorter_is_asked_for_less(tmp_path: Path) -> None:
    made, memory = plan(tmp_path, NAMES), Memory()
    found = [sum(await asked(ModelAgent(ports(count)), made, memory)) for count in (60, 56, 60, 30, 30)]

    assert found == [75, 61, 61, 50, 31]  # the fourth is two requests of 25, as before


async def test_a_table_without_rows_is_asked_for_one(tmp_path: Path) -> None:
    model, made, memory = ModelAgent(ports(0)), plan(tmp_path, NAMES), Memory()

    assert [await asked(model, made, memory) for _ in range(2)] == [[25], [1]]


async def test_whatever_a_table_had_every_row_that_it_has_comes(tmp_path: Path) -> None:
    """It grows, shrinks, has holes in its columns and none, and is another agent's by chance."""
    made, memory, dice = plan(tmp_path, PORTS), Memory(), random.Random(4)
    for turn in range(150):
        count = dice.choice((0, 1, 2, 24, 25, 26, dice.randrange(90)))
        held: Held = ports(count)
        for index in range(1, count + 1):
            if turn % 3 == 0 and dice.random() < 0.3:
                del held[(*dice.choice((IF_NAME, HC_IN_OCTETS)), index)]
        model = ModelAgent(held, plain=turn % 2 == 0)
        known = await Collector(model, memory).collect(who(), made, 1e9)
        fresh = await Collector(model, Memory()).collect(who(), made, 1e9)
        assert (known.status, known.error, known.missing) == (fresh.status, fresh.error, fresh.missing)
        assert [table.rows for table in known.tables.values()] == [table.rows for table in fresh.tables.values()]


async def test_a_table_that_was_not_walked_to_its_end_has_no_length(tmp_path: Path) -> None:
    made, memory = plan(tmp_path, NAMES), Memory()
    cut_off = await Collector(ModelAgent(ports(60), answers=2), memory).collect(who(), made, 1e9)
    assert cut_off.status is Status.PARTIAL
    assert not any(memory.lengths._slots)

    await Collector(ModelAgent(ports(60)), memory).collect(who(), made, 1e9)
    assert any(memory.lengths._slots)


async def test_a_table_that_was_cut_at_its_most_rows_has_no_length(tmp_path: Path) -> None:
    made, memory = plan(tmp_path, NAMES.replace("[tables.t.", "[tables.t]\nmax_rows = 30\n[tables.t.")), Memory()
    model = ModelAgent(ports(60))

    assert [await asked(model, made, memory) for _ in range(2)] == [[25, 6], [25, 6]]


@pytest.mark.parametrize("what", ["address", "community"])
async def test_a_length_is_that_of_an_agent_and_of_what_it_is_asked_as(tmp_path: Path, what: str) -> None:
    """Some have another table for each community or context, as switches for each VLAN."""
    made, memory, model, first = plan(tmp_path, NAMES), Memory(), ModelAgent(ports(3)), who()
    await Collector(model, memory).collect(first, made, 1e9)
    other = who()
    other.address = ("192.0.2.77", 161) if what == "address" else first.address
    other.credential = first.credential if what == "address" else Community(Secret("public@7"))
    model.asked.clear()

    outcome = await Collector(model, memory).collect(other, made, 1e9)

    assert [request.max_repetitions for request in model.asked] == [25]
    assert len(rows(outcome, "t")) == 3


def test_lengths_have_bounds_and_nothing_is_remembered_beyond() -> None:
    lengths = TableLengths()
    for number in range(30):
        address, found = (f"192.0.2.{number}", 161), []
        for count in (0, 7, 4_094, 4_095, 1_000_000):
            lengths.note((address, COLUMN), count)
            found.append(lengths.recall((address, COLUMN)))

        assert found == [0, 7, 4_094, None, None]


def test_a_length_is_nobody_elses() -> None:
    """A million tables in a quarter as many slots: what is remembered is right, but once in a million."""
    lengths, tables = TableLengths(), 1 << 20
    for number in range(tables):
        lengths.note(((f"10.0.{number >> 8}.{number & 255}", 161), COLUMN), number % 4_000)
    found = [lengths.recall(((f"10.0.{number >> 8}.{number & 255}", 161), COLUMN)) for number in range(tables)]

    kept = [(number % 4_000, count) for number, count in enumerate(found) if count is not None]
    assert len(kept) > (1 << 18) * 0.9
    assert sum(right != count for right, count in kept) < 40
