"""What is made of a value, and how it is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.model import Value
from streampoll.snmp.convert import NONEXISTENT
from streampoll.snmp.display import raw_text, shown_as
from streampoll.snmp.plan import Change, Form, Kind, Metric
from streampoll.snmp.transform import multiplied, transform_of

UP = ((1, "up"), (2, "down"))
DATE = bytes.fromhex("07e8010f0d1e0f052b0200")  # 2024-1-15,13:30:15.5,+2:0


def metric(kind: Kind = Kind.AUTO, change: Change | None = None, **words: object) -> Metric:
    return Metric("m", (), kind, change=change, **words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "change", "value", "made"),
    [
        (Kind.TEXT, Change(extract=((r"(\d+) C", ""),), form=Form.NUMBER), "34 C, ok", 34),
        (Kind.TEXT, Change(extract=(("[a-z]+", ""),)), "12 ok", "ok"),
        (Kind.TEXT, Change(extract=(("^on$", "1"), ("^off$", "0")), form=Form.NUMBER), "off", 0),
        (Kind.TEXT, Change(extract=((r"(\d)/(\d)", "$2-$1 $0"),)), "1/2", "2-1 1/2"),
        (Kind.BYTES, Change(extract=((r"\d+", ""),)), b"v12", "12"),
        (Kind.OID, Change(extract=((r"\.(\d+)$", ""),), form=Form.NUMBER), "1.3.6.1.2.1.2.2.1.1.3", 3),
        (Kind.MAC, Change(form=Form.MAC), bytes.fromhex("001b213c4d5e"), "00:1b:21:3c:4d:5e"),
        (Kind.IP, Change(form=Form.IP), b"\xc0\x00\x02\x01", "192.0.2.1"),
        (Kind.IP, Change(form=Form.IP), bytes(15) + b"\x01", "::1"),
        (Kind.IP, Change(form=Form.IP), b"\xc0\x00\x02\x01\x00\x00\x00\x03", "192.0.2.1%3"),
        (Kind.BYTES, Change(form=Form.HEX), b"\x00\x1b", "001b"),
        (Kind.BYTES, Change(form=Form.UNSIGNED), b"\x01\x00", 256),
        (Kind.TICKS, Change(form=Form.SECONDS), 12345, 123.45),
        (Kind.DATETIME, Change(form=Form.EPOCH), DATE, 1705318215.5),
        (Kind.DATETIME, Change(form=Form.EPOCH), DATE[:8], 1705325415.5),  # no zone: UTC
        (Kind.BYTES, Change(form=Form.EPOCH), bytes.fromhex("e94f2ca780000000"), 1705291303.5),  # NTP
        (Kind.TEXT, Change(form=Form.NUMBER), " 1.5 ", 1.5),
        (Kind.INTEGER, Change(form=Form.TEXT), 2, "down"),
        (Kind.INTEGER, Change(divide=10), 215, 21.5),
        (Kind.INTEGER, Change(divide=10), 3, 0.3),  # not 0.30000000000000004
        (Kind.INTEGER, Change(scale=1024), 2**53 + 1, (2**53 + 1) * 1024),  # exact
        (Kind.INTEGER, Change(divide=2, scale=3, offset=-1), 10, 14.0),
        (Kind.INTEGER, Change(null=(-1,)), 5, 5),
    ],
)
def test_a_value_is_made(kind: Kind, change: Change, value: Value, made: Value) -> None:
    transform = transform_of(metric(kind, change, enum=UP))
    assert transform is not None
    assert transform(value) == (made, "")
    assert type(transform(value)[0]) is type(made)


@pytest.mark.parametrize(
    ("kind", "change", "value", "reason", "trouble"),
    [
        (Kind.INTEGER, Change(null=(-1, 2147483647)), 2147483647, "null value", False),
        (Kind.TEXT, Change(null=("N/A",)), "N/A", "null value", False),
        (Kind.BYTES, Change(null=("n/a",)), b"n/a", "null value", False),
        (Kind.TEXT, Change(extract=((r"\d", ""),)), "none", "no match", False),
        (Kind.MAC, Change(form=Form.MAC), b"", "empty", False),
        (Kind.BYTES, Change(form=Form.IP), b"\x01\x02\x03", "3 octets are no address", True),
        (Kind.DATETIME, Change(form=Form.EPOCH), bytes(8), "no date", False),
        (Kind.BYTES, Change(form=Form.EPOCH), bytes(8), "no date", False),
        (Kind.TEXT, Change(form=Form.NUMBER), "warm", "not a number: 'warm'", True),
        (Kind.TEXT, Change(form=Form.NUMBER), "inf", "not a number: 'inf'", True),
        (Kind.TEXT, Change(scale=2), "warm", "not a number: 'warm'", True),
        (Kind.AUTO, Change(form=Form.HEX), 5, "not octets: '5'", True),
        (Kind.BYTES, Change(form=Form.UNSIGNED), b"\x01" + bytes(8), "beyond 64 bits", True),
        (Kind.INTEGER, Change(scale=2**62), 4, "beyond 64 bits", True),
        (Kind.FLOAT, Change(scale=1e300), 1e300, "beyond 64 bits", True),
    ],
)
def test_what_can_not_be_made_is_missing_with_its_reason(
    kind: Kind, change: Change, value: Value, reason: str, trouble: bool
) -> None:
    transform = transform_of(metric(kind, change))
    assert transform is not None
    assert transform(value) == (None, reason)
    assert (reason not in NONEXISTENT) is trouble


def test_a_metric_without_a_change_costs_nothing() -> None:
    assert transform_of(metric(Kind.INTEGER)) is None


@pytest.mark.parametrize(
    ("change", "value", "factors", "made"),
    [
        (Change(times="units"), 2**40, [4096], 2**52),
        (Change(sensor_scale="s", sensor_precision="p"), 215, [9, 1], 21.5),  # units, one decimal
        (Change(sensor_scale="s", sensor_precision="p"), 33, [8, 1], 0.0033),  # milli
        (Change(sensor_scale="s"), 5, [10], 5000),  # kilo: exact
        (Change(sensor_precision="p"), 3, [1], 0.3),  # not 0.30000000000000004
        (Change(times="n", sensor_precision="p"), 7, [3, 2], 0.21),
    ],
)
def test_a_value_is_multiplied_by_others(change: Change, value: Value, factors: list[Value], made: Value) -> None:
    assert multiplied(change, value, factors) == (made, "")


@pytest.mark.parametrize(
    ("factors", "reason"),
    [
        ([None], "nothing to multiply by"),
        (["x"], "not a sensor's scale or precision: 'x'"),
        ([500], "a factor out of range"),
    ],
)
def test_a_factor_that_is_none_is_a_reason(factors: list[Value], reason: str) -> None:
    assert multiplied(Change(sensor_scale="s"), 5, factors) == (None, reason)


@given(
    st.sampled_from(list(Kind)),
    st.sampled_from([None, *Form]),
    st.sampled_from([None, 0.1, -7, 10**30]),
    st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary() | st.from_regex(r"\d{300,5000}"),
)
def test_whatever_a_device_says_is_a_value_or_a_reason(
    kind: Kind, form: Form | None, factor: float | None, value: Value
) -> None:
    made_of = metric(
        kind, Change(extract=(("", "$0"),) if kind is Kind.TEXT else (), form=form, divide=factor, scale=factor)
    )
    transform = transform_of(made_of) or (lambda each: (each, ""))
    made, reason = transform(value)
    assert (made is None) is bool(reason)
    shown = shown_as(made_of)(made)
    assert shown is None or isinstance(shown, str)


@pytest.mark.parametrize(
    ("made_of", "value", "text"),
    [
        (metric(Kind.INTEGER, enum=UP), 1, "up"),
        (metric(Kind.INTEGER, enum=UP), 9, None),
        (metric(Kind.INTEGER, display="d-1"), 215, "21.5"),
        (metric(Kind.INTEGER, display="d-1", unit="C"), 215, "21.5 C"),
        (metric(Kind.INTEGER, unit="%"), 7, "7 %"),
        (metric(Kind.INTEGER, unit="%"), None, None),
        (metric(Kind.BYTES, display="1x:"), b"\x01\xab", "01:ab"),
        (metric(Kind.MAC), b"eth012", "65:74:68:30:31:32"),  # octets that happen to be letters
        (metric(Kind.IP), b"abcd", "97.98.99.100"),
        (metric(Kind.BITS, enum=((0, "red"), (2, "blue"))), b"\xa0\x01", "red blue 15"),
        (metric(Kind.BITS), b"\x00", ""),
        (metric(Kind.DATETIME), DATE, "2024-01-15 13:30:15+02:00"),
        (metric(Kind.DATETIME), b"\xff" * 8, None),
        (metric(Kind.TICKS), 111_278_767, "12 d 21:06:27.67"),
        (metric(Kind.TICKS, Change(scale=1)), 5, None),
        (metric(Kind.TEXT), "eth0", None),
        (metric(Kind.TEXT, display="255a"), "caf\u00e9", None),  # text is shown as it is
    ],
)
def test_a_value_is_shown(made_of: Metric, value: Value, text: str | None) -> None:
    assert shown_as(made_of)(value) == text


def test_a_regex_is_searched_in_what_is_shown_without_its_unit() -> None:
    assert raw_text(metric(Kind.INTEGER, unit="%"))(7) == "7"
    assert raw_text(metric(Kind.AUTO))(b"\xff\x00") == "ff:00"
