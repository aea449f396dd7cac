"""Every module that can be found, each read when it is first needed; and the way from a name to where it is defined."""

from streampoll.config.mib import shipped
from streampoll.config.mib.basics import BASES, CONVENTIONS
from streampoll.config.mib.shelf import Shelf
from streampoll.config.mib.text import parse
from streampoll.config.mib.words import Base, RawModule, RawNode, RawSyntax, RawType, Syntax

_DEEPEST = 64  # types that one may lead through; more is a circle


class Library:
    """Modules by name: from the shelf, else those that pysnmp carries."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._read: dict[str, RawModule | None] = {}

    def module(self, name: str) -> RawModule | None:
        """Return a module; None if it is nowhere.

        Raises:
            Unresolved: its file is not SMI.
        """
        if name not in self._read:
            self._read[name] = self._open(name) if name else None
        return self._read[name]

    def node(self, module: RawModule, name: str) -> tuple[RawModule, RawNode] | None:
        """Return a node that a module speaks of, and the module that defines it; None if that is nowhere."""
        home = module if name in module.nodes else self.module(module.imports.get(name, ""))
        return (home, home.nodes[name]) if home is not None and name in home.nodes else None

    def syntax(self, module: RawModule, raw: RawSyntax) -> Syntax:
        """Follow a type to the wire; what is said nearest to the object counts."""
        enum, sizes, hint, convention = raw.enum, raw.sizes, "", ""
        home, name = module, raw.type
        for _ in range(_DEEPEST):
            if name in BASES:
                return Syntax(BASES[name], convention, enum, hint or _usual_hint(convention), sizes)
            home, kind = self._type(home, name)
            if kind is None:
                break
            convention, hint = convention or name, hint or kind.hint
            enum, sizes = enum or kind.syntax.enum, sizes or kind.syntax.sizes
            name = kind.syntax.type
        return Syntax(Base.UNKNOWN, convention or raw.type, enum, hint, sizes)

    def _type(self, module: RawModule, name: str) -> tuple[RawModule, RawType | None]:
        if name in module.types:
            return module, module.types[name]
        home = self.module(module.imports.get(name, ""))
        if home is not None and name in home.types:
            return home, home.types[name]
        return module, CONVENTIONS.get(name)

    def _open(self, name: str) -> RawModule | None:
        found = self.shelf.read(name)
        if found is None:
            return shipped.read(name)
        path, text = found
        return next((module for module in parse(text, path) if module.name == name), None)


def _usual_hint(convention: str) -> str:
    """Return the hint of a well-known convention whose module defines it without one, as RFC 1213 does."""
    return CONVENTIONS[convention].hint if convention in CONVENTIONS else ""
