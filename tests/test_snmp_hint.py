"""DISPLAY-HINT, by the RFC's examples and against pysnmp's textual conventions."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.snmp.hint import show_integer, show_octets, valid_hint


@pytest.mark.parametrize(
    ("hint", "number", "text"),
    [
        ("d", 1234, "1234"),
        ("d-2", 1234, "12.34"),
        ("d-2", -5, "-0.05"),
        ("d-0", 7, "7"),
        ("d-3", 0, "0.000"),
        ("x", 255, "ff"),
        ("o", 8, "10"),
        ("b", 5, "101"),
        ("1x:", 5, None),
        ("d-", 5, None),
    ],
)
def test_integers(hint: str, number: int, text: str | None) -> None:
    assert show_integer(hint, number) == text


@pytest.mark.parametrize(
    ("hint", "octets", "text"),
    [
        ("1x:", bytes.fromhex("001b213c4d5e"), "00:1b:21:3c:4d:5e"),  # PhysAddress
        ("255a", b"eth0", "eth0"),  # DisplayString
        ("255t", "caf\u00e9".encode(), "caf\u00e9"),  # SnmpAdminString
        ("1d.1d.1d.1d", bytes((192, 0, 2, 1)), "192.0.2.1"),  # InetAddressIPv4
        ("1d.1d.1d.1d%4d", bytes((192, 0, 2, 1, 0, 0, 1, 2)), "192.0.2.1%258"),  # InetAddressIPv4z
        ("2x:2x:2x", bytes.fromhex("fe80000000ff"), "fe80:00:ff"),
        ("2d-1d-1d,1d:1d:1d.1d,1a1d:1d", bytes.fromhex("07c8051a0d1e0f002d0400"), "1992-5-26,13:30:15.0,-4:0"),
        ("2d-1d-1d,1d:1d:1d.1d,1a1d:1d", bytes.fromhex("07c8051a0d1e0f00"), "1992-5-26,13:30:15.0"),  # RFC 2579
        ("*1x:/1x:", bytes.fromhex("02aabb0102"), "aa:bb/01:02"),  # a count, its separator and its terminator
        ("*1d.,1a", bytes((3, 1, 2, 3)) + b"x", "1.2.3,x"),
        ("*1d.,1a", bytes((9, 1, 2)), "1.2"),  # more is announced than there is
        ("4d", b"\x01", "1"),  # fewer octets than its length
        ("1x", b"", ""),
        ("0aX1x", b"\x01", "X01"),
        ("a", b"as MIBs write it", "as MIBs write it"),
        ("255a", b"\xff\xfe", "\ufffd\ufffd"),
        ("d-2", b"12", None),
        ("1q", b"1", None),
        ("", b"1", None),
    ],
)
def test_octets(hint: str, octets: bytes, text: str | None) -> None:
    assert show_octets(hint, octets) == text


def test_a_last_specification_without_octets_ends() -> None:
    assert show_octets("1x:0a", b"\x01\x02\x03") == "01:"


specs = st.tuples(st.integers(1, 5), st.sampled_from("xdo"), st.sampled_from(["", ":", ".", "-", " ", "_"]))


@given(st.lists(specs, min_size=1, max_size=4), st.binary(max_size=24))
def test_octets_are_shown_as_by_pysnmp(parts: list[tuple[int, str, str]], octets: bytes) -> None:
    """As long as the specifications last: then pysnmp begins again with the first, the RFC with the last."""
    hint = "".join(f"{length}{form}{separator}" for length, form, separator in parts)
    octets = octets if len(parts) == 1 else octets[: sum(length for length, _, _ in parts)]
    assert show_octets(hint, octets) == pysnmp_octets(hint, octets)


def test_the_last_specification_is_used_again() -> None:
    assert show_octets("1d-1x:", bytes((1, 2, 3, 4))) == "1-02:03:04"


@given(st.integers(-(2**31), 2**31 - 1), st.integers(1, 9))
def test_decimals_are_those_of_exact_division(number: int, places: int) -> None:
    text = show_integer(f"d-{places}", number)
    assert text is not None
    assert text == pysnmp_integer(f"d-{places}", number)


@given(st.text("*0123456789xdoat:.,-/ ", max_size=12), st.binary(max_size=40))
def test_whatever_a_hint_is_it_ends(hint: str, octets: bytes) -> None:
    shown = show_octets(hint, octets)
    assert (shown is None) <= (not valid_hint(hint) or show_integer(hint, 0) is not None)


def pysnmp_octets(hint: str, octets: bytes) -> str:
    """Show octets as pysnmp does. (Not by its constructor, which would take them for text in the hint's form.)"""
    from pysnmp.proto.rfc1902 import OctetString

    return str(_convention(hint, OctetString).prettyOut(octets))


def pysnmp_integer(hint: str, number: int) -> str:
    from pysnmp.proto.rfc1902 import Integer32

    return str(_convention(hint, Integer32).prettyOut(number))


def _convention(hint: str, base: type) -> Any:
    """A textual convention of pysnmp with this hint."""
    return type("Convention", (_textual_convention(), base), {"displayHint": hint})()


@cache
def _textual_convention() -> type:
    from pysnmp.smi import builder

    (found,) = builder.MibBuilder().import_symbols("SNMPv2-TC", "TextualConvention")
    assert isinstance(found, type)
    return found
