"""The lines of an inventory file, whatever its format: one mapping a device, and the place it stands.

Positions cost time and are wanted only for faults, so `Rows.place` finds them when it is asked.
"""

import csv
import io
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from streampoll.config.convert import Place
from streampoll.config.lines import json_line
from streampoll.config.report import Report, shorten
from streampoll.config.source import TOO_DEEP, Source, nowhere, read_text, read_toml, read_yaml

_PLAIN = "the devices are a plain list of tables"

LISTS = ("groups", "tags")  # columns of a CSV that hold several texts, separated by ";"


@dataclass(frozen=True, slots=True)
class Rows:
    """The devices of one file, not yet checked."""

    rows: Iterable[
        Any
    ]  # once; of JSON each as it is written (msgspec.Raw): a dict of each would take several times the file
    place: Callable[[int], Place]  # of the row with this index
    header: Sequence[str] = ()  # of a CSV, whose values are all text


def read_rows(path: Path, shown: str, report: Report) -> Rows | None:
    """Return a file's rows by its suffix, or None with faults."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        report.fault(shown, f"'{path.suffix}' is no inventory's suffix", f"known: {', '.join(READERS)}")
        return None
    return reader(path, shown, report)


def _toml(path: Path, shown: str, report: Report) -> Rows | None:
    source = read_toml(path, shown, report)
    return _listed(source, report) if source is not None else None


def _json(path: Path, shown: str, report: Report) -> Rows | None:
    text = read_text(path, shown, report)
    if text is None:
        return None
    try:
        return _rows_of_json(text, shown, report) or _listed(
            Source(shown, text, msgspec.json.decode(text), json_line), report
        )
    except msgspec.DecodeError as error:
        what, _, at = str(error).partition(" (byte ")
        line = text.encode()[: int(at.rstrip(")") or 0)].count(b"\n") + 1 if at else text.count("\n") + 1
        report.fault(f"{shown}:{line}", f"not JSON: {what.removeprefix('JSON is malformed: ')}")
    except RecursionError:
        report.fault(shown, TOO_DEEP, _PLAIN)
    return None


def _rows_of_json(text: str, shown: str, report: Report) -> Rows | None:
    """Return the rows of a JSON file that is right as a whole; None for one that has a fault to be found."""
    try:
        found = _WHOLE.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    source = Source(shown, text, None, json_line)
    if isinstance(found, _Listed):
        return Rows(found.devices, lambda index: Place(source, report, ("devices", index)))
    return Rows(found, lambda index: Place(source, report, (index,)))


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    """The other form of an inventory in JSON."""

    devices: list[msgspec.Raw]


_WHOLE = msgspec.json.Decoder(list[msgspec.Raw] | _Listed)


def _yaml(path: Path, shown: str, report: Report) -> Rows | None:
    source = read_yaml(path, shown, report, _PLAIN)
    return _listed(source, report) if source is not None else None


def _listed(source: Source, report: Report) -> Rows | None:
    """Return the rows of a list of devices, or of {devices: [...]}."""
    prefix: tuple[str, ...] = ()
    data = source.data
    if isinstance(data, dict):
        prefix = ("devices",)
        for key in data.keys() - {"devices"}:
            report.fault(source.where((key,)), "unknown key", "the devices are a list called 'devices'")
        data = data.get("devices", [])
    if not isinstance(data, list):
        report.fault(source.where(prefix), f"{shorten(data)} is not a list of devices", "write one table a device")
        return None
    return Rows(data, lambda index: Place(source, report, (*prefix, index)))


def _csv(path: Path, shown: str, report: Report) -> Rows | None:
    """Return the lines of a CSV file with a header. Empty cells are absent."""
    text = read_text(path, shown, report)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        report.fault(f"{shown}:{reader.line_num}", f"not CSV: {error}")
        return None
    if len(set(header)) < len(header) or "" in header:
        report.fault(f"{shown}:1", "a column's name is empty or there twice", "name every column once")
        return None
    lines = array("Q")
    rows = _lines(reader, header, lines, Place(nowhere(shown), report))
    return Rows(rows, lambda index: Place(nowhere(f"{shown}:{lines[index]}"), report), header)


def _lines(reader: Any, header: Sequence[str], lines: "array[int]", place: Place) -> Iterator[dict[str, Any]]:
    """Yield the rows one by one, noting where each ends: all at once they would take ten times the file."""
    shown, report = place.source.name, place.report
    try:
        for cells in reader:
            if len(cells) == len(header):
                lines.append(reader.line_num)
                yield _cells(header, cells)
            elif cells:
                report.fault(f"{shown}:{reader.line_num}", f"{len(cells)} cells under {len(header)} columns")
    except csv.Error as error:
        report.fault(f"{shown}:{reader.line_num}", f"not CSV: {error}")


def _cells(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(header, cells, strict=True))
    if "" in cells:
        row = {name: cell for name, cell in row.items() if cell}
    for name in LISTS:
        if name in row:
            row[name] = _split(row[name])
    return row


@lru_cache(maxsize=4096)
def _split(cell: str) -> list[str]:
    """Return the texts of a cell with several; few different ones fill thousands of lines."""
    return [part.strip() for part in cell.split(";") if part.strip()]


READERS: dict[str, Callable[[Path, str, Report], Rows | None]] = {
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".csv": _csv,
    ".json": _json,
}
