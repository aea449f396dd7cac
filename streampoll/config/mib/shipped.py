"""The MIB modules that pysnmp carries compiled (SNMPv2-MIB, SNMP-USER-BASED-SM-MIB, …), as if they had been read."""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from streampoll.config.mib.words import Enumeration, RawModule, RawNode, RawSyntax, RawType
from streampoll.snmp.plan import Oid

_WIRE = {
    "Integer": "INTEGER", "Integer32": "INTEGER", "Unsigned32": "Unsigned32", "Gauge32": "Gauge32",
    "Counter32": "Counter32", "Counter64": "Counter64", "TimeTicks": "TimeTicks", "OctetString": "OCTET STRING",
    "ObjectIdentifier": "OBJECT IDENTIFIER", "IpAddress": "IpAddress", "Opaque": "Opaque", "Bits": "BITS",
}  # fmt: skip


_EXPORTED = re.compile(r'^ +(?:\*\*\{)?"([a-z][\w-]*)": ', re.M)


@lru_cache(maxsize=1)
def modules() -> Mapping[str, Path]:
    """Return the file of each of these modules, by name."""
    spec = importlib.util.find_spec("pysnmp")
    folders = [Path(each) / "smi" / "mibs" for each in (spec.submodule_search_locations or ())] if spec else []
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*-MIB.py"))}


@lru_cache(maxsize=1)
def names() -> Mapping[str, frozenset[str]]:
    """Return the names that each module gives an OID to, found without loading any."""
    return {module: frozenset(_EXPORTED.findall(path.read_text("utf-8"))) for module, path in modules().items()}


def read(module: str) -> RawModule | None:
    """Return one of these modules; None if it is none, or pysnmp can't load it."""
    symbols = _symbols(module) if module in modules() else {}
    if not symbols:
        return None
    nodes = {str(getattr(each, "label", name) or name): node for name, each in symbols.items() for node in _node(each)}
    kinds = [kind for each in symbols.values() for kind in _kinds(each)]
    types = {kind.__name__: _type(kind) for kind in kinds if _is_convention(kind)}
    imports = {name: home for each in symbols.values() for _, home, name in _index(each) if home != module}
    return RawModule(module, f"pysnmp's {module}", imports, _parents_named(nodes), types)


def _symbols(module: str) -> dict[str, Any]:
    from pysnmp.smi.builder import MibBuilder
    from pysnmp.smi.error import SmiError

    builder = MibBuilder()
    try:
        builder.load_modules(module)
    except SmiError:
        return {}
    return dict(builder.mibSymbols[module])


def _index(symbol: Any) -> tuple[Any, ...]:
    """Return the parts of a row's index as (implied, module, name); none for what is no row."""
    return tuple(symbol.getIndexNames()) if type(symbol).__name__ == "MibTableRow" else ()


def _kinds(symbol: Any) -> tuple[type, ...]:
    """Return the classes that a symbol is, or that its values are, down to the wire."""
    if isinstance(symbol, type):
        return symbol.__mro__
    return type(symbol.syntax).__mro__ if getattr(symbol, "syntax", None) is not None else ()


def _node(symbol: Any) -> Iterator[RawNode]:
    """Yield the node that a symbol is, its OID whole; nothing for a class."""
    oid = getattr(symbol, "name", None)
    if isinstance(symbol, type) or not isinstance(oid, tuple):
        return
    kind = type(symbol).__name__
    syntax = _syntax(symbol) if kind in ("MibScalar", "MibTableColumn") else None
    index = tuple((name, bool(implied)) for implied, _, name in _index(symbol))
    yield RawNode("", oid, syntax, kind == "MibTable", index)


def _parents_named(nodes: dict[str, RawNode]) -> dict[str, RawNode]:
    """Return the nodes with each OID starting at the name of the node above, as texts have them."""
    by_oid: dict[Oid, str] = {node.numbers: name for name, node in nodes.items()}
    return {
        name: RawNode(by_oid.get(node.numbers[:-1], ""), node.numbers[-1:], node.syntax, node.is_table, node.index)
        if node.numbers[:-1] in by_oid
        else node
        for name, node in nodes.items()
    }


def _syntax(symbol: Any) -> RawSyntax | None:
    kinds = _kinds(symbol)
    convention = next((each.__name__ for each in kinds if _is_convention(each)), "")
    return RawSyntax(convention or _wire(kinds[0]), _enum(kinds[0])) if kinds else None


def _type(kind: type) -> RawType:
    return RawType(RawSyntax(_wire(kind), _enum(kind)), str(getattr(kind, "displayHint", "") or ""))


def _is_convention(kind: type) -> bool:
    """Tell whether a class is a textual convention and not its nameless refinement for one object."""
    is_one = "TextualConvention" in {each.__name__ for each in kind.__mro__[1:]}
    return is_one and not kind.__name__.startswith("_")


def _wire(kind: type) -> str:
    """Return what a class is on the wire; "" if it is no type of SMI."""
    return next((_WIRE[each.__name__] for each in kind.__mro__ if each.__name__ in _WIRE), "")


def _enum(kind: type) -> Enumeration:
    values = getattr(kind, "namedValues", None)
    return tuple(sorted((int(number), str(name)) for name, number in values.items())) if values else ()
