"""Indexes decoded into their parts, against pysnmp's encoding of the same INDEX clauses."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.model import Value
from streampoll.snmp.index import index_of, split_index
from streampoll.snmp.plan import IndexPart, Kind, Metric, Oid, PartKind


def part(kind: PartKind, size: int = 0, implied: bool = False, name: str = "p") -> IndexPart:
    return IndexPart(Metric(name, ()), kind, size, implied)


INTEGER, TEXT, BYTES = part(PartKind.INTEGER), part(PartKind.TEXT), part(PartKind.BYTES)
MAC, IP = part(PartKind.BYTES, 6), part(PartKind.BYTES, 4)
OID, INET = part(PartKind.OID), part(PartKind.INET)


@pytest.mark.parametrize(
    ("parts", "arcs", "values"),
    [
        ([INTEGER], (7,), [7]),
        ([INTEGER, INTEGER], (7, 4294967295), [7, 4294967295]),
        ([TEXT], (2, 97, 98), ["ab"]),
        ([TEXT], (1, 255), [b"\xff"]),
        ([TEXT], (0,), [""]),
        ([part(PartKind.TEXT, implied=True)], (97, 98), ["ab"]),
        ([INTEGER, part(PartKind.TEXT, implied=True)], (1,), [1, ""]),
        ([MAC, INTEGER], (0, 27, 33, 60, 77, 94, 9), [bytes.fromhex("001b213c4d5e"), 9]),
        ([IP], (192, 0, 2, 1), [b"\xc0\x00\x02\x01"]),
        ([OID, INTEGER], (3, 1, 3, 6, 5), ["1.3.6", 5]),
        ([part(PartKind.OID, implied=True)], (1, 3, 6), ["1.3.6"]),
        ([INET], (1, 4, 192, 0, 2, 1), [b"\xc0\x00\x02\x01"]),
        ([INET, INTEGER], (2, 16, *range(16), 5), [bytes(range(16)), 5]),
        ([INET], (16, 2, 97, 98), ["ab"]),
        ([INET], (0, 0), [None]),
        ([part(PartKind.INET, implied=True), INTEGER], (1, 192, 0, 2, 1, 9), [b"\xc0\x00\x02\x01", 9]),
    ],
)
def test_an_index_is_taken_apart(parts: list[IndexPart], arcs: Oid, values: list[Value]) -> None:
    split = split_index(parts, arcs)
    assert split is not None
    assert [value for value, _ in split] == values


def test_the_arcs_of_each_part_make_up_the_index() -> None:
    arcs = (7, 2, 97, 98, 1, 4, 192, 0, 2, 1)
    split = split_index([INTEGER, TEXT, INET], arcs)
    assert split is not None
    assert sum((each for _, each in split), ()) == arcs


@pytest.mark.parametrize(
    ("parts", "arcs"),
    [
        ([INTEGER], ()),
        ([INTEGER], (1, 2)),
        ([TEXT], (3, 97, 98)),
        ([TEXT], (1, 256)),
        ([MAC], (1, 2, 3, 4, 5)),
        ([INET], (1,)),
        ([INET], (1, 4, 192, 0, 2)),
        ([OID], (2, 1)),
    ],
)
def test_an_index_of_another_form_does_not_fit(parts: list[IndexPart], arcs: Oid) -> None:
    assert split_index(parts, arcs) is None


@pytest.mark.parametrize(
    ("kind", "value", "arcs"),
    [
        (Kind.INTEGER, 7, (7,)),
        (Kind.TEXT, "ab", (2, 97, 98)),
        (Kind.BYTES, b"\x01\xff", (2, 1, 255)),
        (Kind.IP, b"\xc0\x00\x02\x01", (192, 0, 2, 1)),
        (Kind.OID, "1.3.6", (3, 1, 3, 6)),
        (Kind.TEXT, "", (0,)),
        (Kind.FLOAT, 1.5, ()),
        (Kind.INTEGER, None, ()),
    ],
)
def test_a_value_becomes_part_of_an_index(kind: Kind, value: Value, arcs: Oid) -> None:
    assert index_of(kind, value) == arcs


octets = st.binary(max_size=12)
arcs = st.integers(0, 2**31 - 1)
oids = st.lists(arcs, min_size=1, max_size=6).map(lambda rest: (1, 3, *rest))


@given(arcs, octets, oids, st.binary(min_size=6, max_size=6), octets, st.booleans())
def test_what_pysnmp_encodes_is_read_back(
    number: int, text: bytes, oid: Oid, mac: bytes, last: bytes, implied: bool
) -> None:
    encoded = pysnmp_index(number, text, oid, mac, last, implied)
    parts = [INTEGER, BYTES, OID, MAC, part(PartKind.BYTES, implied=implied)]
    split = split_index(parts, encoded)
    assert split is not None
    assert [value for value, _ in split] == [number, text, ".".join(map(str, oid)), mac, last]


@given(st.lists(st.sampled_from([INTEGER, TEXT, BYTES, MAC, IP, OID, INET]), max_size=4), st.lists(arcs, max_size=30))
def test_any_arcs_fit_wholly_or_not_at_all(parts: list[IndexPart], found: list[int]) -> None:
    split = split_index(parts, tuple(found))
    assert split is None or sum((each for _, each in split), ()) == tuple(found)


@cache
def _row() -> tuple[Any, Any]:
    """A conceptual row of pysnmp, and its types."""
    from pysnmp.proto import rfc1902
    from pysnmp.smi import builder

    (row,) = builder.MibBuilder().import_symbols("SNMPv2-SMI", "MibTableRow")
    return row((1, 3, 6, 1, 4, 1, 99, 1)), rfc1902


def pysnmp_index(number: int, text: bytes, oid: Oid, mac: bytes, last: bytes, implied: bool) -> Oid:
    """Encode INDEX { INTEGER, OCTET STRING, OBJECT IDENTIFIER, OCTET STRING (SIZE(6)), [IMPLIED] OCTET STRING }."""
    row, types = _row()
    fixed = types.OctetString(mac)
    fixed.fixed_length = 6
    parts = [
        (types.Integer32(number), 0), (types.OctetString(text), 0), (types.ObjectIdentifier(oid), 0),
        (fixed, 0), (types.OctetString(last), int(implied)),
    ]  # fmt: skip
    encoded: Oid = ()
    for value, is_implied in parts:
        encoded += tuple(row.getAsName(value, is_implied))
    return encoded
