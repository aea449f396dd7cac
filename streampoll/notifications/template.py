"""Templates of a channel's subject and body: Jinja2 in its sandbox, with less of it than the sandbox allows.

What is bounded: the text that comes out, the texts made on the way, the turns of all loops together, and the time. So
no template keeps a worker from its work, whoever wrote it. What is not needed to write a message is not there: of
filters and methods those below, of globals `range` alone.

Jinja2 is imported when the first template is compiled.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_CHARACTERS: Final = 20_000
MOST_TURNS: Final = 20_000
MOST_S: Final = 1.0
_LONGEST: Final = 200_000  # of a text or list on the way

_FILTERS: Final = (
    "abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "groupby", "int", "last",
    "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "round", "select", "selectattr", "sort",
    "string", "sum", "title", "tojson", "trim", "truncate", "unique", "upper",
)  # fmt: skip
_METHODS: Final = frozenset(
    ("endswith", "get", "items", "keys", "lower", "split", "startswith", "strip", "upper", "values")
)


class TemplateFails(Exception):  # noqa: N818 - reads as the state it is
    """A template can't be read, or made no text; the words say why."""


class Template:
    """One compiled template."""

    def __init__(self, source: str) -> None:
        """Compile it. Raises TemplateFails: it can't be."""
        self._environment = _Environment()
        try:
            self._template = self._environment.from_string(source)
        except TemplateError as error:
            line = f" (line {error.lineno})" if isinstance(error, TemplateSyntaxError) else ""
            raise TemplateFails(f"{error.message}{line}") from None
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
            raise TemplateFails(f"it can't be compiled ({type(error).__name__})") from None

    def render(self, facts: Mapping[str, Any]) -> str:
        """Return its text. Raises TemplateFails: it makes none, or too much, or takes too long."""
        self._environment.begin()
        text = ""
        try:
            for piece in self._template.generate(facts):
                self._environment.go_on()
                text += piece
                if len(text) > MOST_CHARACTERS:
                    raise TemplateFails(f"it writes more than {MOST_CHARACTERS:,} characters")
        except TemplateFails:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the template's author made it do
            raise TemplateFails(f"{type(error).__name__}: {error}"[:200]) from None
        return text


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with its bounds."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True)
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.filters |= {"join": _join, "_turns": self.turns, "_short": _short}
        self.globals = {"range": self.globals["range"]}
        self._turns = 0
        self._ends = 0.0

    def begin(self) -> None:
        """Begin to count anew."""
        self._turns, self._ends = 0, time.monotonic() + MOST_S

    def go_on(self) -> None:
        """Raise TemplateFails if enough was done."""
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise TemplateFails(f"its loops take more than {MOST_TURNS:,} turns")
        if time.monotonic() > self._ends:
            raise TemplateFails(f"it takes longer than {MOST_S:g} s")

    def turns(self, values: Any) -> Any:
        """Yield what a loop goes over, counting."""
        for value in values:
            self.go_on()
            yield value

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse; every loop counts its turns, every text that is put together is measured."""
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            if loop.recursive:
                raise TemplateFails("recursive loops are not there")
            loop.iter = nodes.Filter(loop.iter, "_turns", [], [], None, None, lineno=loop.lineno)
        _wrap(tree, nodes.Concat, lambda node: nodes.Filter(node, "_short", [], [], None, None, lineno=node.lineno))
        return tree

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Do what may make something large, if it does not."""
        if operator == "**" or (operator in "*%" and not (_is_number(left) and _is_number(right))):
            raise TemplateFails(f"{operator} is there for numbers only" if operator != "**" else "** is not there")
        return _short(super().call_binop(context, operator, left, right))

    def call(self, *arguments: Any, **named: Any) -> Any:
        """Call a macro or a method."""
        self.go_on()
        return super().call(*arguments, **named)

    def wrap_str_format(self, value: Any) -> None:
        """Refuse `format`, which can write any width; all else is not wrapped."""
        if getattr(value, "__name__", "") in ("format", "format_map"):
            raise TemplateFails("format is not there")

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow what is data, and a few methods."""
        if callable(value) and not isinstance(obj, nodes.Node) and type(obj) in (str, dict, list, tuple, int, float):
            return attr in _METHODS
        return bool(super().is_safe_attribute(obj, attr, value))


def _wrap(node: nodes.Node, kind: type[nodes.Node], made: Callable[[nodes.Node], nodes.Node]) -> None:
    """Put a node of ours around each node of a kind, below `node`."""
    for name, value in list(node.iter_fields()):
        if isinstance(value, nodes.Node):
            _wrap(value, kind, made)
            if isinstance(value, kind):
                setattr(node, name, made(value))
        elif isinstance(value, list):
            for child in value:
                if isinstance(child, nodes.Node):
                    _wrap(child, kind, made)
            setattr(node, name, [made(child) if isinstance(child, kind) else child for child in value])


def _short(value: Any) -> Any:
    if hasattr(value, "__len__") and len(value) > _LONGEST:
        raise TemplateFails(f"it makes a text of more than {_LONGEST:,} characters")
    if isinstance(value, int) and value.bit_length() > 256:
        raise TemplateFails("it makes a number too large")
    return value


def _join(values: Any, separator: str = "", attribute: str = "") -> str:
    texts = [str(each[attribute] if attribute else each) for each in values]
    if sum(map(len, texts)) + len(texts) * len(separator) > _LONGEST:
        raise TemplateFails(f"it makes a text of more than {_LONGEST:,} characters")
    return separator.join(texts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
