"""Rows read from a reply's bytes: the same as the complete decoder reads, or left to it."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streampoll.config.secret import Secret
from streampoll.errors import SnmpError
from streampoll.snmp import ber
from streampoll.snmp.ber import COUNTER32, COUNTER64, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, TIME_TICKS
from streampoll.snmp.block import is_block, read_block
from streampoll.snmp.collect import Collector
from streampoll.snmp.community import CommunitySpeech
from streampoll.snmp.convert import convert
from streampoll.snmp.credential import Community
from streampoll.snmp.engine import Reply
from streampoll.snmp.memory import Memory
from streampoll.snmp.message import PduType, Request, read_varbinds
from streampoll.snmp.plain_cells import INTEGERS, SORTS
from streampoll.snmp.plain_rows import PlainRows, RowsForm
from streampoll.snmp.plan import CollectPlan, Kind, Metric, Oid, TableSpec
from tests.snmp_model_support import UPTIME as UPTIME_0
from tests.snmp_model_support import ModelAgent, agent, forms_at_once

IN, OUT = b"\x2b\x06\x0a", b"\x2b\x06\x10\x01"
PREFIXES = (IN, OUT)
FORM = RowsForm(PREFIXES, (INTEGERS, INTEGERS), 1)
NAME = b"\x2b\x06\x1f\x01\x01"
MIXED = RowsForm((NAME, IN, OUT), (SORTS[Kind.TEXT], INTEGERS, SORTS[Kind.OID]), 1)
KINDS = {INTEGERS: Kind.COUNTER, SORTS[Kind.TEXT]: Kind.TEXT, SORTS[Kind.OID]: Kind.OID}
UPTIME = b"\x2b\x06\x01\x02\x01\x01\x03\x00"


@pytest.fixture(autouse=True, scope="module", params=[1_000, 1], ids=["whole rows", "pieces"])
def compiled_at_once(request: pytest.FixtureRequest) -> Iterator[None]:
    with forms_at_once(request.param):
        yield


def varbind(oid: bytes, value: int, tag: int = COUNTER64) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, signed=True)
    return of_content(oid, content, tag)


def of_content(oid: bytes, content: bytes, tag: int = COUNTER64) -> bytes:
    return ber.encode_tlv(SEQUENCE, ber.encode_tlv(OBJECT_IDENTIFIER, oid) + ber.encode_tlv(tag, content))


def row(index: bytes, first: int = 7, second: int = 8) -> bytes:
    return varbind(IN + index, first, COUNTER32) + varbind(OUT + index, second)


def reply(*varbinds: bytes, uptime: bool = True) -> bytes:
    """Make a varbind list, which is where a reply's head ends."""
    return ber.encode_tlv(SEQUENCE, uptime * varbind(UPTIME, 4711, TIME_TICKS) + b"".join(varbinds))


def test_rows_and_what_is_around_them() -> None:
    rows = FORM.read(reply(row(b"\x01"), row(b"\x02", 0, 1 << 62), row(b"\x01")[-9:]), 0)
    assert rows is None, "the last varbind is cut in two"

    rows = FORM.read(reply(row(b"\x01"), row(b"\x02", 0, 1 << 62), varbind(OUT + b"\x01", 3)), 0)
    assert rows is not None
    assert (rows.indexes, rows.columns, rows.tags) == (
        (b"\x01", b"\x02"),
        [[7, 0], [8, 1 << 62]],
        [COUNTER32, COUNTER64],
    )
    assert (rows.before, rows.rest) == ([(UPTIME, TIME_TICKS, 4711)], [(OUT + b"\x01", COUNTER64, 3)])
    assert rows.count == len(rows.varbinds()) == 6


@pytest.mark.parametrize("index", [b"\x01", b"\x81\x02", b"\x0a\x00\x00\x01", b"\x41\x04", b"\x30\x10\x06\x0a"])
def test_indexes_of_any_bytes(index: bytes) -> None:
    rows = RowsForm(PREFIXES, FORM.sorts, 0).read(reply(row(index), uptime=False), 0)

    assert rows is not None
    assert rows.indexes == (index,)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(reply(), id="nothing"),
        pytest.param(reply(row(b"\x01"))[:-1], id="cut off"),
        pytest.param(reply(row(b"\x01")) + b"\x00", id="followed by a byte"),
        pytest.param(reply(row(b"\x01"), varbind(IN + b"\x02", 1)), id="a row that is cut off"),
        pytest.param(reply(varbind(IN + b"\x01", 1), varbind(OUT + b"\x02", 2)), id="a hole"),
        pytest.param(reply(row(b"\x01"), row(b"\x81\x00")), id="indexes of two lengths"),
        pytest.param(reply(row(b"\x01" * 17)), id="a long index"),
        pytest.param(reply(row(b"")), id="no index"),
        pytest.param(reply(row(b"\x01", -1)), id="a negative integer"),
        pytest.param(reply(row(b"\x01", (1 << 64) - 1)), id="an integer of nine bytes"),
        pytest.param(reply(varbind(IN + b"\x01", 1), of_content(OUT + b"\x01", b"")), id="an integer of no bytes"),
        pytest.param(reply(varbind(IN + b"\x01", 1), of_content(OUT + b"\x01", b"up", OCTET_STRING)), id="a text"),
        pytest.param(reply(row(b"\x01"), of_content(OUT + b"\x01", b"", 0x99)), id="no value of SNMP behind the rows"),
        pytest.param(reply(row(b"\x01"), uptime=False), id="no sysUpTime"),
    ],
)
def test_what_is_not_plain_is_left_to_the_complete_decoder(data: bytes) -> None:
    assert FORM.read(data, 0) is None


def test_each_length_is_looked_at() -> None:
    """A varbind says three times how long it is; where these differ, only one reading is right, or none."""
    data = reply(row(b"\x01"), row(b"\x02"))
    lengths = [place for place in range(len(data)) if place > 1 and data[place - 1] in (SEQUENCE, 0x06, 0x41, 0x46)]

    for place in lengths[2:]:
        for byte in range(256):
            changed = bytearray(data)
            changed[place] = byte
            rows = FORM.read(bytes(changed), 0)
            assert rows is None or agrees(rows, bytes(changed)), f"byte {place}"


@pytest.mark.parametrize(("status", "read_as_rows"), [(0, True), (5, False)])
def test_an_engine_gives_rows_where_they_are_expected_and_varbinds_to_whoever_wants_them(
    status: int, read_as_rows: bool
) -> None:
    credential = Community(Secret("public"))
    request = Request(PduType.GETBULK, (UPTIME[:-1], *PREFIXES), non_repeaters=1, max_repetitions=1, form=FORM)
    speech = CommunitySpeech(credential, request.pdu, len(request.tail))
    data = reply(row(b"\x01"))

    got = speech.read(data, (1, 1, PduType.RESPONSE, status, 0, 0), request, 1, 0.0, 0.0)

    assert isinstance(got, Reply)
    assert (got.plain is not None) == read_as_rows
    assert got.varbinds == read_varbinds(data, 0)
    assert got.count == 3


VALUES = st.integers(-(1 << 8), 1 << 16) | st.integers(0, (1 << 64) - 1)
INDEXES = st.binary(min_size=1, max_size=2) | st.sampled_from(
    [b"\x01", b"\x02", b"\x30", b"\x81\x02", b"\x41", b"\x04"]
)
ROWS = st.lists(st.builds(row, INDEXES, VALUES, VALUES), min_size=1, max_size=4)
BEHIND = st.lists(st.builds(varbind, st.sampled_from([IN + b"\x09", OUT + b"\x09", b"\x2b\x07"]), VALUES), max_size=2)
CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3)


@given(ROWS, BEHIND, CHANGES)
@example([row(b"\x01"), row(b"\x02")], [varbind(b"\x2b\x07", 1)] * 2, [])
def test_it_agrees_with_the_complete_decoder(
    rows: list[bytes], behind: list[bytes], changes: list[tuple[int, int]]
) -> None:
    data = bytearray(reply(*rows, *behind))
    for place, byte in changes:
        data[place % len(data)] = byte

    found = FORM.read(bytes(data), 0)

    assert found is None or agrees(found, bytes(data))


def agrees(rows: PlainRows, data: bytes, form: RowsForm = FORM) -> bool:
    """Tell whether rows are what the complete decoder reads, and a block where its varbinds are one."""
    varbinds = read_varbinds(data, 0)
    width = len(form.prefixes)
    cells = varbinds[len(rows.before) : rows.count - len(rows.rest)]
    columns = [cells[at::width] for at in range(width)]
    try:
        block = read_block(varbinds[len(rows.before) :], form.prefixes, b"")
    except SnmpError:  # an index that is no OID's
        with pytest.raises(SnmpError):
            is_block(rows, b"")
        block = None
    else:
        assert is_block(rows, b"") == (block is not None)
    assert block is None or (rows.indexes, bool(rows.rest)) == (tuple(block.indexes), block.ended)
    assert rows.before + cells + rows.rest == varbinds
    assert [[oid for oid, _, _ in each] for each in columns] == [
        [p + index for index in rows.indexes] for p in form.prefixes
    ]
    kinds = [KINDS[sort] for sort in form.sorts]
    made = [[convert(kind, tag, wire) for _, tag, wire in each] for kind, each in zip(kinds, columns, strict=True)]
    assert made == [[(value, "") for value in values] for values in rows.columns]
    return rows.tags == [each[0][1] for each in columns]


def mixed_row(index: bytes, name: bytes = b"eth0", octets: bytes = b"\x05", kind: bytes = b"\x2b\x06") -> bytes:
    return (
        of_content(NAME + index, name, OCTET_STRING)
        + of_content(IN + index, octets, COUNTER32)
        + of_content(OUT + index, kind, OBJECT_IDENTIFIER)
    )


def test_rows_of_texts_and_numbers() -> None:
    data = reply(mixed_row(b"\x01", "Größe".encode()), mixed_row(b"\x02", b""), mixed_row(b"\x03", b"x" * 64))
    rows = MIXED.read(data, 0)
    assert rows is not None
    assert rows.columns == [["Größe", "", "x" * 64], [5, 5, 5], ["1.3.6"] * 3]
    assert agrees(rows, data, MIXED)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(mixed_row(b"\x02", b"\xff\xfe"), id="a text that is none"),
        pytest.param(mixed_row(b"\x02", b"x" * 65), id="a long text"),
        pytest.param(mixed_row(b"\x02", octets=b"\xff"), id="a sign bit"),
        pytest.param(mixed_row(b"\x02", kind=b"\x2b\x80\x01"), id="no OID"),
        pytest.param(mixed_row(b"\x02").replace(b"\x04\x04eth0", b"\x40\x04eth0"), id="an address for a text"),
    ],
)
def test_rows_with_an_odd_cell_are_left_to_the_complete_decoder(row: bytes) -> None:
    assert MIXED.read(reply(mixed_row(b"\x01"), row), 0) is None


def hostile(chance: random.Random) -> bytes:
    """Make a reply of rows with odd cells, cut off or followed by others, and with bytes changed, lost or put in."""

    def content(usual: bytes) -> bytes:
        return chance.randbytes(chance.choice((0, 1, 4, 8, 9, 64, 65, 130))) if chance.random() < 0.05 else usual

    rows = [
        mixed_row(bytes([at]), content(b"eth%d" % at), content(b"\x00\x05"), content(b"\x2b\x06"))
        for at in range(1, 2 + chance.randrange(4))
    ]
    behind = chance.choice((b"", mixed_row(b"\x09")[:-15], of_content(OUT + b"\x09\x09", b"\x01") * 3))
    data = bytearray(reply(*rows, behind)[2:])
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        place, size = chance.randrange(len(data)), chance.choice((0, 1, 1, 1, 2))
        data[place : place + size] = chance.choice((chance.randbytes(size), bytes([data[place] ^ 1 << size]), b"\x30"))
    return ber.encode_tlv(SEQUENCE, bytes(data))


def both_ways_agree(data: bytes) -> bool:
    """Read a reply both ways; False if it is left to the complete one."""
    rows = MIXED.read(data, 0)
    assert rows is None or agrees(rows, data, MIXED), data.hex()
    return rows is not None


def test_hostile_rows_are_read_as_the_complete_decoder_does() -> None:
    chance = random.Random(4711)
    read = sum(both_ways_agree(hostile(chance)) for _ in range(20_000))
    assert 1_000 < read < 19_000, "both ways are taken"


CELLS = {
    Kind.TEXT: st.text(max_size=12).map(lambda text: (OCTET_STRING, text.encode()))
    | st.binary(max_size=70).map(lambda octets: (OCTET_STRING, octets)),
    Kind.BYTES: st.binary(max_size=70).map(lambda octets: (OCTET_STRING, octets)),
    Kind.OID: st.sampled_from(["1.3.6.1", "0.0"]).map(lambda oid: (OBJECT_IDENTIFIER, oid)),
    Kind.COUNTER: st.tuples(st.sampled_from([COUNTER32, COUNTER64]), st.integers(0, 1 << 32)),
    Kind.INTEGER: st.tuples(st.just(ber.INTEGER), st.integers(-2, 1 << 31)),
}
Cell = tuple[int, ber.Wire]


@given(
    kinds=st.lists(st.sampled_from([*CELLS]), min_size=1, max_size=4),
    data=st.data(),
    cut=st.sampled_from([3, 17, 10_000]),
    most=st.sampled_from([4, 10_000]),
    max_rows=st.sampled_from([5, 10_000]),
)
async def test_whole_walks_are_the_same_both_ways(
    kinds: list[Kind], data: st.DataObject, cut: int, most: int, max_rows: int
) -> None:
    table = (1, 3, 6, 1, 9)
    held: dict[Oid, Cell] = {UPTIME_0: (TIME_TICKS, 500)}
    holes = data.draw(st.sets(st.tuples(st.integers(1, 9), st.integers(0, 3)), max_size=2))
    for index in range(1, data.draw(st.integers(1, 9)) + 1):
        for place, kind in enumerate(kinds):
            if (index, place) not in holes:
                held[(*table, place + 1, index)] = data.draw(CELLS[kind])
    metrics = tuple(Metric(f"c{place}", (*table, place + 1), kind) for place, kind in enumerate(kinds))
    plan = CollectPlan("p", (), (TableSpec("t", metrics, max_rows=max_rows),))

    async def collect(plain: bool) -> object:
        model = ModelAgent(held, cut=cut, most=most, plain=plain)
        return await Collector(model, Memory()).collect(agent(max_repetitions=4), plan, 1e9)

    assert await collect(plain=True) == await collect(plain=False)
