"""Names to objects: "IF-MIB::ifInOctets", "ifDescr.1", "sysUpTime.0"; and for what is no name, the nearest ones."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from streampoll.config.mib import shipped
from streampoll.config.mib.basics import ROOTS
from streampoll.config.mib.library import Library
from streampoll.config.mib.objects import whole
from streampoll.config.mib.shelf import BUNDLED, Shelf
from streampoll.config.mib.words import MibObject, Node, Unresolved
from streampoll.snmp.plan import Oid

NAME = re.compile(r"(?:([A-Z][\w-]*)::)?([A-Za-z][\w-]*)((?:\.\d{1,10})*)")
"""An object's name, with or without its module, and the instance after it."""

_PASS = "pass the directory that has it: --mibs DIR"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class Found:
    """What a name in a profile stands for."""

    object: MibObject
    instance: Oid  # what follows the name: (0,) of "sysUpTime.0"

    @property
    def oid(self) -> Oid:
        """The whole OID."""
        return self.object.oid + self.instance


class Resolver:
    """Finds names in the modules of a shelf, and in those that pysnmp carries."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._library = Library(shelf)

    def find(self, text: str) -> Found:
        """Return what a name stands for.

        Raises:
            Unresolved: there is no such module or name, it is in several modules, or it leads to one that is not here.
        """
        match = NAME.fullmatch(text)
        if match is None:
            raise Unresolved(f"'{text}' is no name", 'write it as "IF-MIB::ifInOctets" or "SNMPv2-MIB::sysUpTime.0"')
        module, name, instance = match[1], match[2], match[3]
        numbers = tuple(int(part) for part in instance.split(".") if part)
        return Found(self._in(module, name) if module else self._anywhere(name), numbers)

    def _in(self, module: str, name: str) -> MibObject:
        raw = self._library.module(module)
        if raw is None and name in ROOTS:
            return MibObject(module, name, ROOTS[name], Node.OTHER)
        if raw is None:
            near = _did_you_mean(module, [*self._shelf.modules(), *shipped.modules()])
            raise Unresolved(f"no MIB module '{module}' in {self._places()}", f"{near} Else {_PASS}" if near else _PASS)
        if name not in raw.nodes:
            raise Unresolved(f"'{name}' is not in {module} ({raw.origin})", _did_you_mean(name, raw.nodes))
        return whole(self._library, raw, name)

    def _anywhere(self, name: str) -> MibObject:
        """Return the object of a name without its module, if all modules that have it mean the same."""
        shipping = [module for module, names in shipped.names().items() if name in names]
        modules = dict.fromkeys([*self._shelf.modules_with(name), *shipping])
        found = [self._in(module, name) for module in modules if self._has(module, name)]
        if not found and name in ROOTS:
            return MibObject("SNMPv2-SMI", name, ROOTS[name], Node.OTHER)
        if not found:
            known = self._shelf.names().union(*shipped.names().values())
            raise Unresolved(f"no MIB module in {self._places()} has '{name}'", _did_you_mean(name, known) or _PASS)
        if len({each.oid for each in found}) > 1:
            names = " and ".join(each.full_name for each in found)
            raise Unresolved(f"'{name}' may be {names}", f"say which, as '{found[0].full_name}'")
        return found[0]

    def _has(self, module: str, name: str) -> bool:
        raw = self._library.module(module)
        return raw is not None and name in raw.nodes

    def _places(self) -> str:
        there = [str(each) for each in self._shelf.directories if each != BUNDLED and each.is_dir()]
        return ", ".join(there) or "any directory"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the nearest names as a question; "" if none is near."""
    lower = {each.lower(): each for each in sorted(known)}
    near = [lower[each] for each in get_close_matches(name.lower(), lower, n=3, cutoff=0.7)]
    return f"did you mean {' or '.join(near)}?" if near else ""
