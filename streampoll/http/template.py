"""Texts with places for values: `/sites/{site}/ports`. No code, no formats: a name, and `{{`, `}}` for braces.

A value is escaped for where it stands, so what a device says can't make another path or another field of its answer.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from streampoll.http.plan import Body, FormBody, JsonBody
from streampoll.model import Value

_PLACE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")


class Unfilled(Exception):  # noqa: N818 - reads as the state it is; becomes the reason why a request is not sent
    """A template can't be filled; its text says why."""


def names_in(text: str) -> set[str]:
    """Return the names that a template uses.

    Raises:
        ValueError: a brace that is neither doubled nor around a name.
    """
    names = set()
    for found in _PLACE.finditer(text):
        if found[0] in "{}":
            raise ValueError(f"a lone {found[0]} at {found.start() + 1}")
        if found[1]:
            names.add(found[1])
    return names


def is_place(text: str) -> bool:
    """Tell whether a template is nothing but one place: as a path, the address that an earlier answer named."""
    found = _PLACE.fullmatch(text)
    return found is not None and found[1] is not None


def names_in_body(body: Body | None) -> set[str]:
    """Return the names that a body's templates use. Raises ValueError as `names_in`."""
    if isinstance(body, FormBody):
        return set().union(*(names_in(value) for _, value in body.fields))
    return set().union(*(names_in(each) for each in _texts(json.loads(body.text)))) if body else set()


def fill_path(text: str, values: Mapping[str, Value]) -> str:
    """Return a path with each value percent-encoded whole, slashes too.

    Raises:
        Unfilled: a value is missing, or is a path's `.` or `..`.
    """

    def escaped(name: str) -> str:
        word = _word(name, values)
        if word in ("", ".", ".."):
            raise Unfilled(f"{name!r} is {word!r}, which can't stand in a path")
        return quote(word, safe="")

    return _fill(text, escaped)


def fill_text(text: str, values: Mapping[str, Value]) -> str:
    """Return a text with values as they are; who sends it escapes it. Raises Unfilled: a value is missing."""
    return _fill(text, lambda name: _word(name, values))


def fill_body(body: Body, values: Mapping[str, Value]) -> tuple[bytes, str]:
    """Return (bytes, content type) of a body. Raises Unfilled: a value is missing."""
    if isinstance(body, JsonBody):
        return json.dumps(_fill_tree(json.loads(body.text), values)).encode(), "application/json"
    pairs = [(name, fill_text(value, values)) for name, value in body.fields]
    return "&".join(f"{quote(a, safe='')}={quote(b, safe='')}" for a, b in pairs).encode(), (
        "application/x-www-form-urlencoded"
    )


def _fill(text: str, word: Any) -> str:
    return _PLACE.sub(lambda found: found[0][0] if not found[1] else word(found[1]), text)


def _fill_tree(tree: Any, values: Mapping[str, Value]) -> Any:
    """Fill the texts of a JSON document; one that is nothing but a place becomes the value, as a number stays one."""
    if isinstance(tree, dict):
        return {key: _fill_tree(each, values) for key, each in tree.items()}
    if isinstance(tree, list):
        return [_fill_tree(each, values) for each in tree]
    if not isinstance(tree, str):
        return tree
    whole = _PLACE.fullmatch(tree)
    if whole and whole[1]:
        _word(whole[1], values)
        return values[whole[1]]
    return fill_text(tree, values)


def _texts(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [text for each in tree.values() for text in _texts(each)]
    if isinstance(tree, list):
        return [text for each in tree for text in _texts(each)]
    return [tree] if isinstance(tree, str) else []


def _word(name: str, values: Mapping[str, Value]) -> str:
    value = values.get(name)
    if value is None or isinstance(value, bytes):
        raise Unfilled(f"{name!r} was not in an earlier answer")
    return str(value).lower() if isinstance(value, bool) else str(value)
