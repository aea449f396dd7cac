"""The line of a key in TOML, YAML or JSON, for messages.

The parsers that are fast don't keep positions. Positions are wanted only when something is wrong, so the text is then
read a second time, once for all of a file's faults: precisely for YAML and for the elements of a JSON list, by headers
and keys for TOML. No answer (0) is better than a wrong one.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache

import yaml

Path = Sequence[str | int]

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Builds plain values only; in C where there is libyaml."""

_DEEPEST = 100  # levels of YAML; libyaml's loader recurses in C without a bound, and would end the process

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def toml_line(text: str, path: Path) -> int:
    """Return the line where `path`, or the nearest table around it, is set; 0 if unknown."""
    known = _toml_lines(text)
    for length in range(len(path), 0, -1):
        if line := known.get(tuple(path[:length])):
            return line
    return 0


def yaml_line(text: str, path: Path) -> int:
    """Return the line where `path`, or the nearest node around it, starts; 0 if unknown."""
    node = _yaml_nodes(text)
    line = 0
    for part in path:
        entry = _yaml_child(node, part)
        if entry is None:
            break
        mark, node = entry
        line = mark.start_mark.line + 1
    return line


def too_deep_for_yaml(text: str) -> bool:
    """Return whether a text is nested deeper than any inventory; costs a tenth of what loading it does.

    Raises:
        yaml.YAMLError: as loading would.
    """
    depth = 0
    for event in yaml.parse(text, Loader=YAML_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False


def json_line(text: str, path: Path) -> int:
    """Return the line of an element of the top-level list, or of the list in the object's first key of `path`."""
    numbers = [part for part in path if isinstance(part, int)]
    names = [part for part in path[:1] if isinstance(part, str)]
    start = text.find("[", text.find(f'"{names[0]}"') if names else 0)
    if start < 0 or not numbers:
        return 0
    decoder, at = json.JSONDecoder(), start + 1
    for _ in range(numbers[0]):
        at = _skip(text, decoder.raw_decode(text, _skip(text, at))[1])
    return text.count("\n", 0, _skip(text, at)) + 1


def _skip(text: str, at: int) -> int:
    """Return the position of the next element: past spaces and one comma."""
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


@lru_cache(maxsize=1)
def _toml_lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Return the line of each table header and each key that starts a line."""
    lines: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            names = _toml_names(header[2])
            table = names
            if header[1] == "[[":
                counts[names] = counts.get(names, -1) + 1
                table = (*names, counts[names])
            for length in range(1, len(table) + 1):
                lines.setdefault(table[:length], number)
        elif key := _KEY.match(line):
            names = _toml_names(key[1])
            for length in range(1, len(names) + 1):
                lines.setdefault((*table, *names[:length]), number)
    return lines


def _toml_names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _KEY_PART.findall(dotted))


@lru_cache(maxsize=1)
def _yaml_nodes(text: str) -> yaml.Node | None:
    node: yaml.Node | None = yaml.compose(text, Loader=YAML_LOADER)
    return node


def _yaml_child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return (the node that has the position, the node to go on from) of a mapping's key or a sequence's element."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    return None
