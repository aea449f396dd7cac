"""The language of rules: what it says, what it refuses, and that nothing else gets through it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streampoll.analysis.expression import MAX_DEPTH, MAX_LENGTH, ExpressionError, parse

ROW: Mapping[tuple[str, str], Any] = {
    ("", "a"): 5, ("", "b"): 2.5, ("", "name"): "eth0", ("", "gone"): None, ("", "raw"): b"\x00",
    ("rate", "octets"): 1e6, ("changed", "name"): True, ("", "state"): "down",
}  # fmt: skip


def value_of(text: str, row: Mapping[tuple[str, str], Any] = ROW) -> Any:
    """Evaluate on one row."""
    (value,) = parse(text).evaluate(lambda function, name: [row[function, name]], 1)
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a > 4", True),
        ("a >= 5 and b < 3", True),
        ("a == 5.0", True),
        ("1 + 2 * 3 == 7", True),
        ("(1 + 2) * 3 == 9", True),
        ("10 - 4 - 3 == 3", True),
        ("-a == 0 - 5", True),
        ("-2 * -3 == 6", True),
        ("a / b == 2", True),
        ("not a > 4 or false", False),
        ("not (a > 4 and b > 4)", True),
        ("true or false and false", True),
        ('name == "eth0"', True),
        ("name != 'eth1'", True),
        ("rate(octets) * 8 > 7.5e6", True),
        ("changed(name)", True),
        ("max(a, b, 9) == 9 and min(a, b) == 2.5 and abs(0 - a) == 5", True),
        ('state == "down"', True),
    ],
)
def test_what_expressions_say(text: str, value: object) -> None:
    assert value_of(text) is value


@pytest.mark.parametrize(
    "text",
    ["gone > 1", "gone == 1", "1 < gone", "not gone", "-gone > 1", "gone + 1 > 1", "a / 0 > 1", "name > 3", "3 < name",
     "name + 1 == 2", "abs(name) > 1", "max(a, gone) > 1", "1e300 * 1e300 / gone > 1", "gone and true", "gone or false",
     "raw > 1"],
)  # fmt: skip
def test_what_is_made_of_a_missing_or_unfit_value_is_unknown(text: str) -> None:
    assert value_of(text) is None


@pytest.mark.parametrize(("text", "value"), [("gone > 1 and false", False), ("gone > 1 or true", True)])
def test_the_unknown_does_not_hide_what_is_sure(text: str, value: bool) -> None:
    assert value_of(text) is value


def test_a_condition_works_on_all_rows_at_once() -> None:
    columns: Mapping[str, Sequence[Any]] = {"a": [1, None, 9], "b": [0, 0, 3]}

    assert parse("a > 5 and b > 2").evaluate(lambda _, name: columns[name], 3) == [False, False, True]


def test_it_says_what_it_looks_up() -> None:
    assert parse("rate(x) > 1 and y == 2 and missing(z) and y").names == (("rate", "x"), ("", "y"), ("missing", "z"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a value is missing"),
        ("a >", "a value is missing"),
        ("a > > b", "'>' at character 5 where a value belongs"),
        ("(a > 1", "the end where ')' belongs"),
        ("a b", "'b' at character 3 was not expected"),
        ("a < b < 3", "two comparisons in a row"),
        ("rate(3)", "where the name of a metric belongs"),
        ("exec(a)", "no function 'exec'; there are rate, percent"),
        ("a = 3", "'=' at character 3 means nothing here"),
        ("a; b", "';' at character 2 means nothing here"),
        ("abs(a, b)", "abs() takes one value"),
        ("max(a)", "max() takes two values or more"),
        ("a" * (MAX_LENGTH + 1), f"longer than {MAX_LENGTH}"),
        ("(" * 40 + "a" + ")" * 40, f"more than {MAX_DEPTH} deep"),
        ("not " * 50 + "a", f"more than {MAX_DEPTH} deep"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text)

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["a", "gone", "1", '"x"', "(", ")", "and", "or", "not", "<", "==", "+", "-", "/", ",",
                                 "rate", "max", "null", "true", "é", "__class__", "1e999"]), max_size=14))  # fmt: skip
def test_any_text_is_an_expression_or_an_error(words: list[str]) -> None:
    """Nothing but ExpressionError comes out of parsing, and nothing at all out of evaluating."""
    try:
        expression = parse(" ".join(words))
    except ExpressionError:
        return
    expression.evaluate(lambda function, name: [3, None, "x"], 3)
