"""A profile that is being made: what will be written, in order."""

from dataclasses import dataclass, field
from typing import Any, Final

_RESERVED: Final = frozenset({"index", "shown"})  # what a row has beside its columns

Words = dict[str, Any]
"""The keys of a scalar, column or part of an index, as a profile has them."""


@dataclass(slots=True)
class Column:
    """A scalar or column. Not frozen: a later lookup may drop it."""

    name: str
    words: Words
    help: str = ""


@dataclass(slots=True)
class TableDraft:
    """A table."""

    name: str
    columns: list[Column] = field(default_factory=list)
    index: list[Words] = field(default_factory=list)
    where: Words = field(default_factory=dict)
    key: str = ""

    def add(self, column: Column) -> Column:
        """Add a column; one whose name is taken gets another."""
        taken = {part["name"] for part in self.index} | {each.name for each in self.columns}
        column.name = unused(column.name, taken)
        self.columns.append(column)
        return column


@dataclass(slots=True)
class ProfileDraft:
    """A profile."""

    name: str
    scalars: list[Column] = field(default_factory=list)
    tables: list[TableDraft] = field(default_factory=list)


def unused(name: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, and means nothing else in a row: x, x_2, x_3."""
    number, made = 1, name
    while made in taken | _RESERVED:
        number += 1
        made = f"{name}_{number}"
    return made
