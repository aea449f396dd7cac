"""Rows of integers read from a reply's bytes: the same as the complete decoder reads, or left to it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streampoll.config.secret import Secret
from streampoll.errors import SnmpError
from streampoll.snmp import ber
from streampoll.snmp.ber import COUNTER32, COUNTER64, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, TIME_TICKS
from streampoll.snmp.block import is_block, read_block
from streampoll.snmp.community import CommunitySpeech
from streampoll.snmp.credential import Community
from streampoll.snmp.engine import Reply
from streampoll.snmp.message import PduType, Request, read_varbinds
from streampoll.snmp.plain_rows import PlainRows, RowsForm

IN, OUT = b"\x2b\x06\x0a", b"\x2b\x06\x10\x01"
PREFIXES = (IN, OUT)
FORM = RowsForm(PREFIXES, 1)
UPTIME = b"\x2b\x06\x01\x02\x01\x01\x03\x00"


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
    rows = RowsForm(PREFIXES, 0).read(reply(row(index), uptime=False), 0)

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
        for by in (-1, 1):
            changed = bytearray(data)
            changed[place] = (changed[place] + by) % 256
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


def agrees(rows: PlainRows, data: bytes) -> bool:
    """Tell whether rows are what the complete decoder reads, and a block where its varbinds are one."""
    varbinds = read_varbinds(data, 0)
    cells = varbinds[len(rows.before) : rows.count - len(rows.rest)]
    columns = [cells[at :: len(PREFIXES)] for at in range(len(PREFIXES))]
    try:
        block = read_block(varbinds[len(rows.before) :], PREFIXES, b"")
    except SnmpError:  # an index that is no OID's
        with pytest.raises(SnmpError):
            is_block(rows, b"")
        block = None
    else:
        assert is_block(rows, b"") == (block is not None)
    assert block is None or (rows.indexes, bool(rows.rest)) == (tuple(block.indexes), block.ended)
    assert rows.before + cells + rows.rest == varbinds
    assert [[oid for oid, _, _ in each] for each in columns] == [
        [p + index for index in rows.indexes] for p in PREFIXES
    ]
    assert [[wire for _, _, wire in each] for each in columns] == rows.columns
    return rows.tags == [each[0][1] for each in columns]
