"""The text of a MIB module taken apart: pysmi's parser knows the grammar and its dialects, this knows its answer.

Only pysmi's parser is used. Its code generators refuse a module when anything that it imports is missing; a profile
wants a handful of names, so each is followed by itself (resolver.py), and what nobody asks for may be broken.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from streampoll.config.mib.words import Enumeration, RawModule, RawNode, RawSyntax, RawType, Sizes, Unresolved
from streampoll.snmp.plan import Oid

_MISSING = "pysmi is not installed"
_INSTALL = "pip install 'streampoll[mibs]'"


def parse(text: str, origin: str) -> list[RawModule]:
    """Return the modules of a file's text.

    Raises:
        Unresolved: it is not SMI, with the line; or pysmi is not installed.
    """
    parser = _parser()
    from pysmi.error import PySmiError

    try:
        trees = parser.parse(text)
    except PySmiError as error:
        parser.reset()
        raise Unresolved(_complaint(error, origin), "repair the file, or pass a directory with another copy") from None
    return [_module(tree, origin) for tree in trees]


@lru_cache(maxsize=1)
def _parser() -> Any:
    """Return pysmi's parser for SMIv2, SMIv1 and what vendors made of them; making it takes 50 ms."""
    try:
        from pysmi.parser import SmiV1CompatParser
    except ImportError:
        raise Unresolved(_MISSING, _INSTALL) from None
    return SmiV1CompatParser()


def _complaint(error: Exception, origin: str) -> str:
    text = " ".join(str(error).split())
    line = re.search(r"line:? ?(\d+)", text)
    return f"{origin}{':' + line[1] if line else ''} is not SMI: {text}"


def _module(tree: Any, origin: str) -> RawModule:
    name, _, imports, declarations = tree
    nodes: dict[str, RawNode] = {}
    types: dict[str, RawType] = {}
    for clause in filter(None, declarations or []):
        if clause[0] == "typeDeclaration":
            types.update(_type(clause))
        else:
            nodes.update(_node(clause))
    sources = {symbol: module for module, symbols in imports.items() for symbol in symbols}
    return RawModule(name, origin, sources, nodes, types)


def _type(clause: Any) -> Iterator[tuple[str, RawType]]:
    """Yield a type by its name; a SEQUENCE (a row's layout) or CHOICE is none."""
    _, name, right = clause
    if right is None:
        return
    hint, tree = (right[1], right[5]) if len(right) > 2 else (None, right[1])
    if tree and tree[0] != "SEQUENCE":
        yield name, RawType(_syntax(tree), hint[1] if hint else "")


def _node(clause: Any) -> Iterator[tuple[str, RawNode]]:
    """Yield a node by its name; the last part of every clause that has an OID is the OID."""
    kind, name, last = clause[0], clause[1], clause[-1]
    if not (isinstance(last, tuple) and last and last[0] == "objectIdentifier"):
        return
    parent, numbers = _oid(last[1])
    if kind != "objectTypeClause":
        yield name, RawNode(parent, numbers)
        return
    tree, units, augments, index = clause[2], clause[3], clause[8], clause[9]
    is_table = tree[0] == "conceptualTable"
    yield name, RawNode(
        parent, numbers, None if is_table or tree[0] == "SEQUENCE" else _syntax(tree), is_table,
        tuple((part, bool(implied)) for implied, part in index[1]) if index else (),
        augments or "", units[1] if units else "",
    )  # fmt: skip


def _oid(parts: list[Any]) -> tuple[str, Oid]:
    """Return an OID as its first name and the numbers after it: { iso org(3) 6 } is ("iso", (3, 6))."""
    parent = parts[0] if isinstance(parts[0], str) else ""
    numbers = [part[1] if isinstance(part, tuple) else part for part in (parts[1:] if parent else parts)]
    return parent, tuple(number for number in numbers if isinstance(number, int))


def _syntax(tree: Any) -> RawSyntax:
    if tree[0] == "BITS":
        return RawSyntax("BITS", enum=_enum(tree[1]))
    refinement: Any = tree[2] if len(tree) > 2 and tree[2] else ("", ())
    enum = _enum(refinement[1]) if refinement[0] == "enumSpec" else ()
    sizes = _sizes(refinement[1]) if refinement[0] == "octetStringSubType" else ()
    return RawSyntax(tree[1], enum, sizes)


def _enum(pairs: list[tuple[str, int]]) -> Enumeration:
    return tuple(sorted((number, name) for name, number in pairs))


def _sizes(ranges: list[Any]) -> Sizes:
    return tuple((_number(each[0]), _number(each[-1])) for each in ranges)


def _number(value: int | str) -> int:
    """Return a bound as a number; it may be written as 'ff'H or '0101'B."""
    if isinstance(value, int):
        return value
    return int(value[1:-2] or "0", 16 if value[-1] in "hH" else 2)
