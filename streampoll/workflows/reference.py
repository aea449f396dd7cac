"""`{{ … }}` in a step's words: JMESPath over what is known of the run. Nothing is ever evaluated as code.

A text that is nothing but one reference becomes the value, whatever its type; inside a longer text a value is written
out. What is not there is an error, not an empty text.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from streampoll.http.expression import compile_expression

_PLACE: Final = re.compile(r"\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
_STEP: Final = re.compile(r"""(?<![\w.@"'])steps\.(?:"([^"]*)"|(\w+))""")
_LONGEST: Final = 1_000  # characters of one expression
_DEEPEST: Final = 20


class Unfilled(Exception):  # noqa: N818 - what became of a template
    """A reference leads to nothing."""


def check_expression(text: str) -> None:
    """Raise ValueError if a text is no expression."""
    if not text.strip() or len(text) > _LONGEST:
        raise ValueError(f"an expression has 1 to {_LONGEST} characters")
    try:
        compile_expression(text.strip())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def expressions_in(spec: Any) -> Iterator[str]:
    """Yield the expressions in a step's words. Raises ValueError: a lone `{{`."""
    if isinstance(spec, Mapping):
        for each in spec.values():
            yield from expressions_in(each)
    elif isinstance(spec, list | tuple):
        for each in spec:
            yield from expressions_in(each)
    elif isinstance(spec, str):
        yield from (found[1].strip() for found in _PLACE.finditer(spec))
        if "{{" in _PLACE.sub("", spec):
            raise ValueError("a {{ without its }}")


def steps_in(expression: str) -> set[str]:
    """Return the steps that an expression refers to."""
    return {found[1] or found[2] for found in _STEP.finditer(expression)}


def holds(expression: str, context: Mapping[str, Any]) -> bool:
    """Return whether a condition is true: by JMESPath's rules, so neither null, false, "", [] nor {}."""
    found = compile_expression(expression.strip())(context)
    return found is not None and found is not False and found not in ("", [], {})


def fill(spec: Any, context: Mapping[str, Any], escape: Callable[[str], str] = str) -> Any:
    """Return a step's words with every reference filled in, texts escaped for where they go. Raises Unfilled."""
    if isinstance(spec, Mapping):
        return {key: fill(each, context, escape) for key, each in spec.items()}
    if isinstance(spec, list | tuple):
        return [fill(each, context, escape) for each in spec]
    if not isinstance(spec, str) or "{{" not in spec:
        return spec
    if whole := _PLACE.fullmatch(spec.strip()):
        value = _value(whole[1], context)
        return escape(value) if isinstance(value, str) else value
    return _PLACE.sub(lambda found: escape(_written(_value(found[1], context))), spec)


def listed(expression: str, context: Mapping[str, Any]) -> list[Any]:
    """Return the list that an expression gives. Raises Unfilled: it gives none."""
    found = compile_expression(expression.strip())(context)
    if isinstance(found, Mapping):
        found = [{"name": name, "value": each} for name, each in found.items()]
    if not isinstance(found, list):
        raise Unfilled(f"for_each: {expression.strip()!r} gives no list")
    return found


def _value(expression: str, context: Mapping[str, Any]) -> Any:
    found = compile_expression(expression.strip())(context)
    if found is None:
        raise Unfilled(f"{{{{ {expression.strip()} }}}} leads to nothing")
    return found


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON in PostgreSQL can hold it: bytes as text or hexadecimal digits, no zero character."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, depth + 1) for each in value]
    if isinstance(value, bytes):
        return _bytes(value)
    if isinstance(value, float) and value - value != 0:  # NaN, infinity
        return None
    return _text(value) if isinstance(value, str) else value


def _bytes(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex(":")
    return text if text.isprintable() else value.hex(":")


def _text(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()
