"""Recordings as files to serve: whole, or only what is asked for; the largest take a gigabyte whole."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streampoll.embedded.fleet.recording import recorded_value
from streampoll.snmp.plan import Oid
from tests.recordings.catalogue import Recording


@dataclass(frozen=True, slots=True)
class Served:
    """A recording as a file."""

    path: Path
    lines: int
    spoilt: int  # lines that were left out: edited by hand, they have no value of their type
    moving: frozenset[str]  # OIDs whose values change by themselves: they can't be compared


def write(recording: Recording, wanted: Sequence[Oid] | None, directory: Path) -> Served:
    """Write a recording's lines below the OIDs of `wanted` (sorted; None: all of them) to a file of its own."""
    path = directory / f"{recording.name.replace('/', '-')}.snmprec"
    moving, count, spoilt = set(), 0, 0
    with path.open("w", encoding="latin-1", newline="\n") as file:
        for line in recording.lines():
            oid, _, rest = line.partition("|")
            if wanted is not None and not _is_wanted(oid, wanted):
                continue
            tag, _, text = rest.rstrip("\r\n ").partition("|")
            if not _is_value(tag, text):
                spoilt += 1
                continue
            file.write(line if line.endswith("\n") else line + "\n")
            count += 1
            if ":" in tag:
                moving.add(oid.strip("."))
    return Served(path, count, spoilt, frozenset(moving))


def _is_value(tag: str, text: str) -> bool:
    try:
        recorded_value(tag, text)
    except (ValueError, OverflowError):
        return False
    return True


def _is_wanted(text: str, wanted: Sequence[Oid]) -> bool:
    """Tell whether an OID is one of those wanted, or below one. None of them is below another."""
    try:
        oid = tuple(map(int, text.strip(".").split(".")))
    except ValueError:
        return False
    place = bisect_right(wanted, oid)
    return place > 0 and wanted[place - 1] == oid[: len(wanted[place - 1])]
