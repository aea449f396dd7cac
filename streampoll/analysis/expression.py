"""The language of rules: conditions on what a poll brought, small enough to read in a minute, and unable to do harm.

    ifOperStatus == 2 and ifAdminStatus == 1
    percent(ifHCInOctets) > 90 or percent(ifHCOutOctets) > 90
    rate(ifInErrors) > 10 and not (ifType == 24)
    abs(deviation(temperature)) > 4
    state == "down"

Numbers, texts, true, false, null; names of metrics or of the table's columns; + - * /; == != < <= > >=; and, or, not;
functions. No loops, no assignment, no attributes, no way to reach Python: a text is taken apart here, by Pratt's
method, into closures that work on whole columns.

A name may be missing in a row. What is made of a missing value is unknown (None), a comparison with it is neither true
nor false, and `and`/`or` follow Kleene: a rule whose condition is unknown stays as it is. `missing(x)` asks for that.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import add, eq, ge, gt, le, lt, mul, ne, sub
from typing import Any, Final

from streampoll.errors import StreampollError

MAX_LENGTH: Final = 500  # characters
MAX_DEPTH: Final = 30  # of parentheses and operators in one another

Cell = Any
"""int, float, str, bytes, bool or None (unknown)."""
Column = Sequence[Cell]
Fetch = Callable[[str, str], Column]
"""(function, name) -> one value a row: `("", "ifSpeed")` for the values, `("rate", "ifInOctets")` for rates."""
Condition = Callable[[Fetch, int], Column]
"""Evaluates an expression on so many rows."""

FETCHED: Final[Mapping[str, str]] = {
    "rate": "a counter's rate a second",
    "percent": "an octet counter's rate as a share of its interface's speed",
    "changed": "true if the value is another than at the poll before",
    "deviation": "how many standard deviations the value is off what is usual at this hour of the week",
    "missing": "true if the value is not there",
}
"""Functions of a name: what they say is looked up, with the device's past."""

COMPUTED: Final[Mapping[str, Callable[..., Cell]]] = {"abs": abs, "min": min, "max": max}
"""Functions of any expressions."""


class ExpressionError(StreampollError):
    """A text is no expression; it says where and what is wrong."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed condition."""

    text: str
    names: tuple[tuple[str, str], ...]  # what it looks up, as `Fetch` is asked, in the order of the text
    evaluate: Condition


def parse(text: str) -> Expression:
    """Parse a condition.

    Raises:
        ExpressionError: it can't be read.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    parser = _Parser(text)
    node = parser.expression(0, 0)
    parser.end()
    return Expression(text, tuple(parser.names), node)


_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)|(?P<text>"[^"\n]*"|'[^'\n]*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|(?P<sign><=|>=|==|!=|[<>+\-*/(),]))""",
    re.VERBOSE,
)
_WORDS: Final[Mapping[str, Cell]] = {"true": True, "false": False, "null": None}
_POWER: Final = {"or": 1, "and": 2, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6}
_NOT_POWER, _MINUS_POWER = 3, 7


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, name, sign or "" for the end
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            bad = text[at:].lstrip()[:1]
            raise ExpressionError(f"{bad!r} at character {text.index(bad, at) + 1} means nothing here")
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, _Token("", "", end)]


class _Parser:
    """Pratt's method: an operator takes what binds at least as strongly as itself."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self.names: dict[tuple[str, str], None] = {}

    def expression(self, power: int, depth: int) -> Condition:
        """Parse what binds more strongly than `power`."""
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep")
        left = self._first(depth)
        while (strength := _POWER.get(self._now.text, 0)) > power and self._now.kind in ("sign", "name"):
            operator = self._take().text
            right = self.expression(strength, depth + 1)
            if strength == _POWER["=="] and _POWER.get(self._now.text) == strength:
                raise self._wrong("two comparisons in a row; write `a < b and b < c`")
            left = _binary(operator, left, right)
        return left

    def end(self) -> None:
        """Require that nothing is left."""
        if self._now.kind:
            raise self._wrong("was not expected")

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._now
        self._at += token.kind != ""
        return token

    def _wrong(self, what: str) -> ExpressionError:
        token = self._now
        where = f"{token.text!r} at character {token.at + 1}" if token.kind else "the end"
        return ExpressionError(f"{where} {what}")

    def _expect(self, sign: str) -> None:
        if self._now.text != sign or self._now.kind != "sign":
            raise self._wrong(f"where {sign!r} belongs")
        self._take()

    def _first(self, depth: int) -> Condition:
        token = self._now
        if token.kind == "number":
            return _constant(float(token.text) if re.search("[.eE]", token.text) else int(token.text), self._take())
        if token.kind == "text":
            return _constant(token.text[1:-1], self._take())
        if token.text == "not":
            self._take()
            return _each(lambda value: None if value is None else not value, self.expression(_NOT_POWER, depth + 1))
        if token.text == "-":
            self._take()
            return _each(_negative, self.expression(_MINUS_POWER, depth + 1))
        if token.text == "(":
            self._take()
            inner = self.expression(0, depth + 1)
            self._expect(")")
            return inner
        if token.kind == "name" and token.text not in ("and", "or"):
            return self._name(self._take().text, depth)
        raise self._wrong("where a value belongs" if token.kind else "comes too early: a value is missing")

    def _name(self, name: str, depth: int) -> Condition:
        if name in _WORDS:
            return _constant(_WORDS[name], self._now)
        if self._now.text != "(":
            return self._fetched("", name)
        if name in FETCHED:
            self._take()
            if self._now.kind != "name":
                raise self._wrong(f"where the name of a metric belongs: {name}() {FETCHED[name]}")
            inner = self._take().text
            self._expect(")")
            return self._fetched(name, inner)
        if name not in COMPUTED:
            known = ", ".join([*FETCHED, *COMPUTED])
            raise ExpressionError(f"no function {name!r}; there are {known}")
        return self._computed(name, depth)

    def _fetched(self, function: str, name: str) -> Condition:
        self.names[function, name] = None
        return lambda fetch, _: fetch(function, name)

    def _computed(self, name: str, depth: int) -> Condition:
        self._take()
        arguments = [self.expression(0, depth + 1)]
        while self._now.text == ",":
            self._take()
            arguments.append(self.expression(0, depth + 1))
        self._expect(")")
        if (name == "abs") != (len(arguments) == 1):
            raise ExpressionError(f"{name}() takes {'one value' if name == 'abs' else 'two values or more'}")
        function = COMPUTED[name]

        def compute(fetch: Fetch, rows: int) -> Column:
            columns = [argument(fetch, rows) for argument in arguments]
            return [_called(function, values) for values in zip(*columns, strict=True)]

        return compute


class _Constant:
    """A value that is the same in all rows."""

    __slots__ = ("value",)

    def __init__(self, value: Cell) -> None:
        self.value = value

    def __call__(self, fetch: Fetch, rows: int) -> Column:
        return [self.value] * rows


def _constant(value: Cell, _: _Token) -> _Constant:
    return _Constant(value)


def _each(function: Callable[[Cell], Cell], inner: Condition) -> Condition:
    return lambda fetch, rows: [function(value) for value in inner(fetch, rows)]


def _negative(value: Cell) -> Cell:
    return -value if isinstance(value, int | float) else None


def _called(function: Callable[..., Cell], values: Iterable[Cell]) -> Cell:
    found = list(values)
    return function(*found) if all(isinstance(value, int | float) for value in found) else None


_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip
_COMPUTE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"+": add, "-": sub, "*": mul}


def _binary(operator: str, left: Condition, right: Condition) -> Condition:
    if operator == "and":
        return lambda fetch, rows: [*map(_and, left(fetch, rows), right(fetch, rows))]
    if operator == "or":
        return lambda fetch, rows: [*map(_or, left(fetch, rows), right(fetch, rows))]
    if operator in _COMPARE and isinstance(right, _Constant):
        return _against(_COMPARE[operator], left, right.value)
    function = _divide if operator == "/" else _numbers(_COMPUTE[operator]) if operator in _COMPUTE else None
    pair = function or _comparing(_COMPARE[operator])
    return lambda fetch, rows: [*map(pair, left(fetch, rows), right(fetch, rows))]


def _against(compare: Callable[[Any, Any], bool], left: Condition, value: Cell) -> Condition:
    """Compare with a constant: what nearly every rule does, so it costs one comparison a row."""
    pair = _comparing(compare)

    def against(fetch: Fetch, rows: int) -> Column:
        column = left(fetch, rows)
        try:
            return [None if cell is None else compare(cell, value) for cell in column]
        except TypeError:  # a text among numbers
            return [pair(cell, value) for cell in column]

    return against


def _comparing(compare: Callable[[Any, Any], bool]) -> Callable[[Cell, Cell], Cell]:
    def pair(left: Cell, right: Cell) -> Cell:
        if left is None or right is None:
            return None
        try:
            return compare(left, right)
        except TypeError:  # which of a text and a number is greater is unknown
            return None

    return pair


def _numbers(compute: Callable[[Any, Any], Any]) -> Callable[[Cell, Cell], Cell]:
    def pair(left: Cell, right: Cell) -> Cell:
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return None
        try:
            return compute(left, right)
        except OverflowError:
            return None

    return pair


def _divide(left: Cell, right: Cell) -> Cell:
    if not isinstance(left, int | float) or not isinstance(right, int | float) or not right:
        return None
    try:
        return left / right
    except OverflowError:
        return None


def _and(left: Cell, right: Cell) -> Cell:
    if (left is not None and not left) or (right is not None and not right):
        return False
    return None if left is None or right is None else True


def _or(left: Cell, right: Cell) -> Cell:
    if left or right:
        return True
    return None if left is None or right is None else False
