"""What a GET asked for, read from its reply's bytes: the same as the complete way reads it, or left to that."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.model import Outcome
from streampoll.snmp import ber
from streampoll.snmp.collect import Collector
from streampoll.snmp.compiled import CompiledPlan
from streampoll.snmp.convert import convert
from streampoll.snmp.credential import Version
from streampoll.snmp.engine import Limits
from streampoll.snmp.memory import Memory
from streampoll.snmp.message import ErrorStatus, read_varbinds
from streampoll.snmp.plain_cells import SORTS
from streampoll.snmp.plain_values import PlainValues, ValuesForm
from streampoll.snmp.plan import CollectPlan, Kind, Metric
from tests.snmp_model_support import ModelAgent, agent, forms_at_once

KINDS = [Kind.TICKS, Kind.TEXT, Kind.COUNTER, Kind.INTEGER, Kind.OID, Kind.BYTES, Kind.COUNTER]
OIDS = [bytes((0x2B, 6, 1)) + bytes((number,)) * (number + 1) + b"\x00" for number in range(len(KINDS))]
FORM = ValuesForm(OIDS, [SORTS[kind] for kind in KINDS])
PLAIN = [
    (ber.TIME_TICKS, b"\x01\x02\x03"), (ber.OCTET_STRING, b"router-1"), (ber.COUNTER64, b"\x00" + b"\x7f" * 7),
    (ber.INTEGER, b"\x00"), (ber.OBJECT_IDENTIFIER, b"\x2b\x06\x01"), (ber.OCTET_STRING, b"\xff\x00"),
    (ber.COUNTER32, b"\x00\xff"),
]  # fmt: skip
TAGS = [*ber.TAG_NAMES, ber.NO_SUCH_OBJECT, ber.NO_SUCH_INSTANCE, 0x30, 0xA2, 0x99]


@pytest.fixture(autouse=True, scope="module")
def compiled_at_once() -> Iterator[None]:
    with forms_at_once(140):
        yield


def varbind(oid: bytes, tag: int, content: bytes) -> bytes:
    return ber.encode_tlv(ber.SEQUENCE, ber.encode_tlv(ber.OBJECT_IDENTIFIER, oid) + ber.encode_tlv(tag, content))


def reply(values: list[tuple[int, bytes]], oids: list[bytes] = OIDS) -> bytes:
    """Make a varbind list, which is where a reply's head ends."""
    pairs = zip(oids, values, strict=False)
    return ber.encode_tlv(ber.SEQUENCE, b"".join(varbind(oid, *value) for oid, value in pairs))


def with_one(place: int, tag: int, content: bytes) -> bytes:
    return reply([*PLAIN[:place], (tag, content), *PLAIN[place + 1 :]])


def agrees(found: PlainValues, data: bytes) -> bool:
    """Tell whether values are what the complete way makes of a reply."""
    varbinds = read_varbinds(data, 0)
    made = [convert(kind, tag, wire) for kind, (_, tag, wire) in zip(KINDS, varbinds, strict=True)]
    assert [oid for oid, _, _ in varbinds] == OIDS
    assert [(value, "") for value in found.values] == made
    assert [*map(type, found.values)] == [type(value) for value, _ in made]
    assert list(found.tags) == [tag for _, tag, _ in varbinds]
    return (found.count, found.varbinds()) == (len(varbinds), varbinds)


def test_values_of_all_sorts() -> None:
    found = FORM.read(reply(PLAIN), 0)
    assert found is not None
    assert found.values == [0x010203, "router-1", int.from_bytes(b"\x7f" * 7), 0, "1.3.6.1", b"\xff\x00", 255]
    assert agrees(found, reply(PLAIN))


@pytest.mark.parametrize(
    ("place", "tag", "content"),
    [
        (1, ber.OCTET_STRING, b""),
        (1, ber.OCTET_STRING, b"x" * 64),
        (4, ber.OBJECT_IDENTIFIER, b""),
        (2, ber.COUNTER32, b"\x00"),
        (3, ber.GAUGE32, b"\x7f" * 8),
        (6, ber.TIME_TICKS, b"\x00" * 8),
    ],
)
def test_values_at_the_edge_are_plain(place: int, tag: int, content: bytes) -> None:
    data = with_one(place, tag, content)
    found = FORM.read(data, 0)
    assert found is not None
    assert agrees(found, data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(reply(PLAIN[:-1]), id="a value too few"),
        pytest.param(reply([*PLAIN, PLAIN[0]], [*OIDS, OIDS[0]]), id="a value too many"),
        pytest.param(reply(PLAIN, [OIDS[1], OIDS[0], *OIDS[2:]]), id="another order"),
        pytest.param(reply(PLAIN, [OIDS[0], OIDS[1] + b"\x00", *OIDS[2:]]), id="another OID"),
        pytest.param(reply(PLAIN)[:-1], id="cut off"),
        pytest.param(reply(PLAIN) + b"\x00", id="followed by a byte"),
        pytest.param(with_one(0, ber.NO_SUCH_OBJECT, b""), id="noSuchObject"),
        pytest.param(with_one(0, ber.NULL, b""), id="null"),
        pytest.param(with_one(3, ber.INTEGER, b"\xff"), id="a negative integer"),
        pytest.param(with_one(2, ber.COUNTER64, b"\x00" + b"\xff" * 8), id="an integer of nine bytes"),
        pytest.param(with_one(2, ber.COUNTER64, b""), id="an integer of no bytes"),
        pytest.param(with_one(2, ber.OCTET_STRING, b"12"), id="a text for a number"),
        pytest.param(with_one(1, ber.INTEGER, b"\x01"), id="a number for a text"),
        pytest.param(with_one(1, ber.OCTET_STRING, b"\xff\xfe"), id="a text that is none"),
        pytest.param(with_one(1, ber.OCTET_STRING, b"x" * 65), id="a long text"),
        pytest.param(with_one(1, ber.IP_ADDRESS, b"abcd"), id="an address for a text"),
        pytest.param(with_one(4, ber.OBJECT_IDENTIFIER, b"\x2b\x80\x01"), id="a value that is no OID"),
    ],
)
def test_what_is_not_plain_is_left_to_the_complete_way(data: bytes) -> None:
    assert FORM.read(data, 0) is None


def test_a_request_has_a_form_only_if_all_its_values_have() -> None:
    def form(kind: Kind, *more: int) -> object:
        plan = CollectPlan("p", (Metric("a", (1, 3, 6), Kind.TEXT), Metric("b", (1, 3, 7, *more), kind)))
        (chunk,) = CompiledPlan(plan).chunks(Limits(), 40)
        return chunk.request.form

    assert form(Kind.COUNTER) is not None
    assert form(Kind.COUNTER, *[1] * 98) is not None
    assert form(Kind.COUNTER, *[1] * 99) is None, "no room for a value in a plain varbind"
    assert form(Kind.AUTO) is None


def test_each_length_is_looked_at() -> None:
    """A varbind says three times how long it is; where these differ, only one reading is right, or none."""
    data = reply(PLAIN)
    for place in range(2, len(data)):
        for byte in range(256):
            check(data[:place] + bytes([byte]) + data[place + 1 :])


def check(data: bytes) -> bool:
    """Read a reply both ways; False if it is left to the complete one."""
    found = FORM.read(data, 0)
    if found is None:
        return False
    assert agrees(found, data), data.hex()
    return True


def hostile(chance: random.Random) -> bytes:
    """Make a reply with other values, tags and lengths than expected, or with bytes changed, lost or put in."""
    values = [
        (
            chance.choice(TAGS) if chance.random() < 0.05 else tag,
            chance.randbytes(chance.choice((0, 1, 4, 8, 9, 64, 65, 130))) if chance.random() < 0.2 else content,
        )
        for tag, content in PLAIN
    ]
    data = bytearray(reply(values)[2:] if chance.random() < 0.8 else reply(PLAIN)[2:])
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        place, size = chance.randrange(len(data)), chance.choice((0, 1, 1, 1, 2))
        data[place : place + size] = chance.choice((chance.randbytes(size), bytes([data[place] ^ 1 << size]), b"\x30"))
    return ber.encode_tlv(ber.SEQUENCE, bytes(data))


def test_hostile_replies_are_read_as_the_complete_way_does() -> None:
    chance = random.Random(4711)
    read = sum(check(hostile(chance)) for _ in range(20_000))
    assert 1_000 < read < 19_000, "both ways are taken"


INTEGERS = st.one_of(
    st.tuples(st.sampled_from([ber.INTEGER, ber.GAUGE32]), st.integers(0, (1 << 31) - 1)),
    st.tuples(st.sampled_from([ber.COUNTER32, ber.TIME_TICKS]), st.integers(0, (1 << 32) - 1)),
    st.tuples(st.just(ber.COUNTER64), st.integers(0, (1 << 63) - 1)),
)
OCTETS = st.tuples(st.just(ber.OCTET_STRING), st.binary(max_size=64))
TEXTS = st.tuples(st.just(ber.OCTET_STRING), st.text(max_size=16).map(str.encode))
OBJECTS = st.tuples(st.just(ber.OBJECT_IDENTIFIER), st.sampled_from(["1.3.6.1", "0.0", "2.999.3"]))
ODD = st.one_of(
    st.none(),
    st.tuples(st.just(ber.INTEGER), st.integers(-(1 << 31), -1)),
    st.tuples(st.just(ber.COUNTER64), st.integers(1 << 63, (1 << 64) - 1)),
    st.tuples(st.sampled_from([ber.OCTET_STRING, ber.IP_ADDRESS]), st.binary(max_size=140)),
)
OF_KIND = {Kind.TEXT: TEXTS, Kind.OID: OBJECTS} | dict.fromkeys([Kind.INTEGER, Kind.COUNTER, Kind.TICKS], INTEGERS)
FITTING = st.sampled_from(sorted(SORTS, key=str)).flatmap(
    lambda kind: st.tuples(st.just(kind), OF_KIND.get(kind, OCTETS), st.booleans())
)
ANY = st.tuples(st.sampled_from(sorted(SORTS, key=str)), ODD | INTEGERS | OCTETS | TEXTS | OBJECTS, st.booleans())


@given(
    held=st.lists(FITTING, min_size=1) | st.lists(FITTING | ANY, min_size=1),
    most=st.sampled_from([2, 5, 10_000]),
    poisoned=st.booleans(),
    swapped=st.sampled_from([False, False, True]),
    version=st.sampled_from([Version.V1, Version.V2C]),
)
async def test_whole_collections_are_the_same_both_ways(
    held: list[tuple[Kind, tuple[int, ber.Wire] | None, bool]],
    most: int, poisoned: bool, swapped: bool, version: Version,
) -> None:  # fmt: skip
    oids = [(1, 3, 6, 1, 9, number, 0) for number in range(len(held))]
    metrics = [
        Metric(f"m{number}", oids[number], kind, fallback=oids[number - 1] if falls_back else None)
        for number, (kind, _, falls_back) in enumerate(held)
    ]
    values = {oid: value for oid, (_, value, _) in zip(oids, held, strict=True) if value is not None}

    async def collect(plain: bool) -> tuple[Outcome, list[str]]:
        broken = {oids[-1]: ErrorStatus.genErr} if poisoned else {}
        model = ModelAgent(values, most=most, poisoned=broken, swapped=swapped, plain=plain)
        outcome = await Collector(model, Memory()).collect(agent(version), CollectPlan("p", tuple(metrics)), 1e9)
        return outcome, [*outcome.values]

    assert await collect(plain=True) == await collect(plain=False)
