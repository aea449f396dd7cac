"""The recordings of the package snmpsim-data, and what each says that it is."""

import bz2
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from streampoll.snmp.plan import Oid

SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
_OBJECT_ID_TAG = "6"
_LOOKED_AT = 10_000  # lines in which sysObjectID is looked for: the system group, but for text sorted as such


@dataclass(frozen=True)
class Recording:
    """One recorded device."""

    name: str  # "network/switch/cisco-c3750"
    path: Path

    def lines(self) -> Iterator[str]:
        """Yield its lines, OID|TAG|VALUE, read as they are wanted: some have millions."""
        opener = bz2.open if self.path.suffix == ".bz2" else open
        with opener(self.path, "rt", encoding="latin-1", newline="\n") as file:
            yield from file

    @cached_property
    def object_id(self) -> Oid:
        """Its sysObjectID; () if it has none."""
        for _, line in zip(range(_LOOKED_AT), self.lines(), strict=False):
            oid, _, rest = line.partition("|")
            tag, _, value = rest.strip().partition("|")
            if oid.strip(".") == SYS_OBJECT_ID and tag == _OBJECT_ID_TAG:
                return tuple(int(arc) for arc in value.strip(".").split(".") if arc.isdigit())
        return ()


def recordings() -> list[Recording]:
    """Return all of them, by name; none if the package is not installed."""
    found = importlib.util.find_spec("snmpsim_data")
    if found is None or not found.submodule_search_locations:
        return []
    top = Path(found.submodule_search_locations[0]) / "data"
    paths = [*top.rglob("*.snmprec"), *top.rglob("*.snmprec.bz2")]
    return sorted((Recording(_name(path, top), path) for path in paths), key=lambda each: each.name)


def _name(path: Path, top: Path) -> str:
    return str(path.relative_to(top)).partition(".snmprec")[0]
