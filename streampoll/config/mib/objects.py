"""An object made whole: its OID, what it is in the tree, its type, its table's index.

A name is followed through its module's imports only as far as these need; a module that is not here matters only where
one of them is in it.
"""

from dataclasses import replace

from streampoll.config.mib.basics import BASES, ROOTS
from streampoll.config.mib.library import Library
from streampoll.config.mib.words import (
    Base,
    IndexPart,
    MibObject,
    Node,
    RawModule,
    RawNode,
    RawSyntax,
    Syntax,
    Unresolved,
)
from streampoll.snmp.plan import Oid

_DEEPEST = 128  # an OID has no more parts (RFC 2578 3.5); a longer way is a circle


def whole(library: Library, module: RawModule, name: str) -> MibObject:
    """Return the object that a module has by a name, which must be there.

    Raises:
        Unresolved: its OID starts at a name that is nowhere.
    """
    raw = module.nodes[name]
    node = _node(library, module, raw)
    made = MibObject(module.name, name, _oid(library, module, name), node, units=raw.units)
    if node is Node.ROW:
        return _of_row(made, library, module, raw)
    if node in (Node.SCALAR, Node.COLUMN) and raw.syntax is not None:
        made = replace(made, syntax=library.syntax(module, raw.syntax))
    above = library.node(module, raw.parent)
    return _of_row(made, library, *above) if node is Node.COLUMN and above else made


def _of_row(made: MibObject, library: Library, home: RawModule, row: RawNode) -> MibObject:
    """Return a row or column with what its row says of it."""
    index, augments = _index(library, home, row)
    return replace(made, table=row.parent, index=index, augments=augments)


def _oid(library: Library, module: RawModule, name: str, depth: int = 0) -> Oid:
    if depth > _DEEPEST:
        raise Unresolved(f"the OID of '{name}' in {module.name} leads in a circle", "repair the MIB file")
    if name not in module.nodes and name in ROOTS:
        return ROOTS[name]
    found = library.node(module, name)
    if found is None:
        source = module.imports.get(name, "")
        what = f"'{name}', which {module.name} imports from {source}," if source else f"'{name}' in {module.name}"
        raise Unresolved(f"{what} is nowhere", f"pass the directory that has {source or 'it'}: --mibs DIR")
    home, raw = found
    return (_oid(library, home, raw.parent, depth + 1) if raw.parent else ()) + raw.numbers


def _node(library: Library, module: RawModule, raw: RawNode, depth: int = 0) -> Node:
    """Tell what a node is; by where it stands, since what its SYNTAX is called is often mistyped."""
    if raw.is_table:
        return Node.TABLE
    above = library.node(module, raw.parent)
    if raw.index or raw.augments or (above is not None and above[1].is_table):
        return Node.ROW
    if raw.syntax is None:
        return Node.OTHER
    is_column = above is not None and depth == 0 and _node(library, *above, depth + 1) is Node.ROW
    return Node.COLUMN if is_column else Node.SCALAR


def _index(library: Library, module: RawModule, row: RawNode) -> tuple[tuple[IndexPart, ...], str]:
    """Return a row's index, and the name of the row that it augments, whose index it then is."""
    if not row.augments:
        return tuple(_part(library, module, name, implied) for name, implied in row.index), ""
    base = library.node(module, row.augments)
    if base is None:
        return (), f"{module.imports.get(row.augments, module.name)}::{row.augments}"
    home, raw = base
    return tuple(_part(library, home, name, implied) for name, implied in raw.index), f"{home.name}::{row.augments}"


def _part(library: Library, module: RawModule, name: str, implied: bool) -> IndexPart:
    found = library.node(module, name)
    if found is not None and found[1].syntax is not None:
        return IndexPart(name, library.syntax(found[0], found[1].syntax), implied)
    if name in BASES:  # SMIv1 may have a type in the place of an object
        return IndexPart("row", library.syntax(module, RawSyntax(name)), implied)
    return IndexPart(name, Syntax(Base.UNKNOWN), implied)
