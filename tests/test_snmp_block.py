"""Replies to a walk that are taken as whole rows, and those that must not be."""

import pytest

from streampoll.snmp.ber import COUNTER64, END_OF_MIB_VIEW, INTEGER, Absent
from streampoll.snmp.block import read_block
from streampoll.snmp.message import Varbind

IN, OUT, BEYOND = b"\x2b\x06\x0a", b"\x2b\x06\x10", b"\x2b\x06\x11"
END = (OUT + b"\x02", END_OF_MIB_VIEW, Absent.END_OF_MIB_VIEW)


def cell(prefix: bytes, index: int, value: int = 7) -> Varbind:
    return prefix + bytes([index]), COUNTER64, value


ROWS = [cell(IN, 1, 10), cell(OUT, 1, 11), cell(IN, 2, 20), cell(OUT, 2, 21)]


def test_columns_with_the_same_rows_are_a_block() -> None:
    block = read_block(ROWS, (IN, OUT), b"")

    assert block is not None
    assert (block.indexes, block.wires, block.ended) == ([b"\x01", b"\x02"], (10, 11, 20, 21), False)


@pytest.mark.parametrize(
    "behind",
    [
        [cell(OUT, 1), cell(BEYOND, 1)],
        [cell(OUT, 1), END],
        [(IN + b"\x02", END_OF_MIB_VIEW, Absent.END_OF_MIB_VIEW), END],
        [cell(OUT, 1), cell(BEYOND, 1), cell(OUT, 2), cell(BEYOND, 2)],
    ],
)
def test_a_block_ends_where_all_of_its_columns_do(behind: list[Varbind]) -> None:
    block = read_block(ROWS + behind, (IN, OUT), b"")

    assert block is not None
    assert (block.indexes, block.wires, block.ended) == ([b"\x01", b"\x02"], (10, 11, 20, 21), True)


@pytest.mark.parametrize(
    "varbinds",
    [
        pytest.param([], id="nothing"),
        pytest.param([cell(OUT, 1), cell(BEYOND, 1)], id="an empty table"),
        pytest.param(ROWS[:3], id="a row that is cut off"),
        pytest.param([*ROWS[:3], cell(OUT, 3)], id="a column with a hole"),
        pytest.param([*ROWS[:3], cell(BEYOND, 2)], id="a column that ends before the first"),
        pytest.param([*ROWS, cell(OUT, 1), cell(OUT, 3)], id="a column that ends after the first"),
        pytest.param([*ROWS[2:], *ROWS[:2]], id="indexes that do not increase"),
        pytest.param([*ROWS[:3], END], id="the end of the MIB under an index of the column"),
    ],
)
def test_anything_else_is_no_block(varbinds: list[Varbind]) -> None:
    assert read_block(varbinds, (IN, OUT), b"") is None


def test_values_are_as_they_came() -> None:
    block = read_block([(IN + b"\x01", INTEGER, -5), (OUT + b"\x01", 4, b"up")], (IN, OUT), b"")

    assert block is not None
    assert (block.tags, block.wires) == ((INTEGER, 4), (-5, b"up"))


def test_rows_up_to_the_frontier_are_no_block() -> None:
    assert read_block(ROWS, (IN, OUT), b"\x01") is None
    assert read_block(ROWS[2:], (IN, OUT), b"\x01") is not None
