"""From output to values and tables. Pure and slow: it runs in a thread (execute.py), one poll at a time.

What can't be parsed keeps its raw text, as a value `COMMAND.raw`, so that a person can see why; the rest of a poll's
output is parsed all the same.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from streampoll.model import Table, Value
from streampoll.ssh.plan import Command, Field, Format, Type
from streampoll.ssh.templates import ParseFailure, parse_textfsm

REGEX_LIMIT: Final = 262_144  # characters that a regular expression is run over
RAW_LIMIT: Final = 65_536  # characters that are kept of output that can't be parsed
MAX_ROWS: Final = 10_000  # a longer table is cut and marked incomplete
_STEP: Final = re.compile(r"[^.\[\]]+")
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")  # "1,5" may be one and a half
_INTEGERS: Final = range(-(1 << 63), 1 << 64)  # what a payload can hold

Record = Mapping[str, Any]


@dataclass(slots=True)
class Parsed:
    """What became of a poll's output."""

    values: dict[str, Value] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    done: int = 0  # commands whose output was understood

    def miss(self, name: str, reason: str) -> None:
        """Note a value that is missing though the device answered."""
        self.missing[name] = reason
        self.troubles.append(f"{name}: {reason}")


def parse_all(platform: str, outputs: Iterable[tuple[Command, str]]) -> Parsed:
    """Parse a poll's outputs."""
    parsed = Parsed()
    for command, text in outputs:
        try:
            _parse(parsed, platform, command, text)
            parsed.done += 1
        except ParseFailure as failure:
            parsed.values[f"{command.name}.raw"] = text[:RAW_LIMIT]
            parsed.miss(command.name, str(failure))
    return parsed


def _parse(parsed: Parsed, platform: str, command: Command, text: str) -> None:
    if command.format is Format.RAW:
        parsed.values[command.name] = text
        return
    names, records = _records(platform, command, text)
    if command.values:
        if not records:
            raise ParseFailure("nothing in the output matches")
        for each in command.values:
            parsed.values[each.name] = _value(parsed, each, records[0], each.name)
    if command.tabular:
        columns = command.columns or tuple(Field(name, name) for name in names)
        parsed.tables[command.name] = _table(parsed, command, columns, records)


def _records(platform: str, command: Command, text: str) -> tuple[Sequence[str], Sequence[Record]]:
    """Return what a parser knows of each record, and the records."""
    if command.format is Format.TEXTFSM:
        return parse_textfsm(platform, command.line, command.pattern, text)
    if command.format is Format.REGEX:
        return _by_regex(command, text)
    return _by_json(command, text)


def _by_regex(command: Command, text: str) -> tuple[Sequence[str], Sequence[Record]]:
    if len(text) > REGEX_LIMIT:
        raise ParseFailure(f"{len(text):,} characters are more than a regex is run over ({REGEX_LIMIT:,})")
    pattern = compiled(command.pattern)
    found = pattern.finditer(text) if command.tabular else filter(None, [pattern.search(text)])
    return list(pattern.groupindex), [match.groupdict() for match, _ in zip(found, range(MAX_ROWS + 1), strict=False)]


def _by_json(command: Command, text: str) -> tuple[Sequence[str], Sequence[Record]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ParseFailure("the output is not JSON") from None
    if not command.tabular:
        return (), [{"": data}]
    rows = step_into(data, command.rows)
    if not isinstance(rows, list):
        raise ParseFailure(f"the output has no list at {command.rows!r}")
    return (), [{"": row} for row in rows]


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a profile's regular expression; `^` and `$` are those of each line. Raises re.error."""
    return re.compile(pattern, re.MULTILINE)


def step_into(data: Any, path: str) -> Any:
    """Return what stands at a path, "a.b[0].c"; None if nothing does."""
    for step in _STEP.findall(path):
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal():
            data = data[int(step)] if int(step) < len(data) else None
        else:
            return None
    return data


def _table(parsed: Parsed, command: Command, columns: Sequence[Field], records: Sequence[Record]) -> Table:
    key = next((place for place, column in enumerate(columns, 1) if column.name == command.key), 0)
    rows: list[list[Value]] = []
    taken: Counter[str] = Counter()
    for number, record in enumerate(records[:MAX_ROWS], 1):
        cells = [_value(parsed, column, record, f"{command.name}.{column.name}") for column in columns]
        rows.append([_index(cells[key - 1], number, taken) if key else str(number), *cells])
    if not rows:
        parsed.missing[command.name] = "no rows"
    names = tuple(column.name for column in columns)
    return Table(names, rows, (), len(records) <= MAX_ROWS, command.key)


def _value(parsed: Parsed, wanted: Field, record: Record, name: str) -> Value:
    """Return a field of a record as its type; None with a reason if it isn't there or isn't one."""
    found = step_into(record[""], wanted.source) if "" in record else record.get(wanted.source)
    if found is None or (found == "" and wanted.type is not Type.TEXT):
        parsed.missing[name] = "not in the output"
        return None
    try:
        return _typed(found, wanted.type)
    except ValueError:
        if name not in parsed.missing:
            parsed.miss(name, f"{str(found)[:40]!r} is not {_A[wanted.type]}")
        return None


def _index(key: Value, number: int, taken: Counter[str]) -> str:
    """Return what a row is known by: its key, a second `eth0` as `eth0#2`; `#` and its place where it has none."""
    index = f"#{number}" if key is None else str(key)
    taken[index] += 1
    return index if taken[index] == 1 else f"{index}#{taken[index]}"


_A: Final = {Type.TEXT: "text", Type.INTEGER: "an integer of 64 bits", Type.NUMBER: "a number"}


def _typed(found: Any, wanted: Type) -> Value:
    """Return a value as what it is to be. Raises ValueError."""
    if wanted is Type.TEXT:
        return found if isinstance(found, str) else _text(found)
    text = str(found).strip()
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if "_" in text:  # digits to Python, and to nobody else
        raise ValueError(text[:40])
    if wanted is Type.NUMBER:
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(text[:40])
        return value
    number = int(text)
    if number not in _INTEGERS:
        raise ValueError(text[:40])
    return number


def _text(found: Any) -> str:
    """Return what is no text as text: a TextFSM list with commas, the rest as JSON has it."""
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return ", ".join(found)
    return json.dumps(found)
