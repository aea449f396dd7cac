"""InfluxDB's line protocol: `measurement,tag=value field=value timestamp`, in nanoseconds. Pure.

A table is a measurement, its labels are tags, its columns fields; scalars are a measurement named like the profile.
Integers are written as such (`42i`, 64 bits with a sign); a Counter64 beyond them has no field, rather than a wrong
one, and neither has what is not finite.
"""

import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from streampoll.outputs.port import Decoded, Plans
from streampoll.results.readings import Cell, readings

_MOST = (1 << 63) - 1
_IN_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ "})
_IN_TAG = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\="})
_IN_STRING = str.maketrans({"\\": "\\\\", '"': '\\"'})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # a line ends at a newline, whatever is before it


def lines_of(decoded: Decoded, plans: Plans) -> Iterator[str]:
    """Yield the lines of a result: one of the poll itself, and one a row."""
    at = round(decoded.at * 1e6) * 1000  # a double of seconds holds microseconds
    result, outcome = decoded.result, decoded.outcome
    tags = [("device", result.device), ("job", result.job)]
    poll = [Cell("up", int(result.status.answered)), Cell("duration_ms", result.duration_ms)]
    yield from _line("streampoll_poll", [*tags, ("status", result.status.word)], poll, at)
    for reading in readings(outcome, plans.get(outcome.profile)):
        name = reading.table or outcome.profile or "values"
        yield from _line(name, [*tags, *reading.labels], reading.cells, at)


def _line(name: str, tags: Iterable[tuple[str, str]], cells: Iterable[Cell], at: int) -> Iterator[str]:
    """Yield a line; none where no field is left, which the protocol does not allow."""
    fields = [f"{_tag(cell.name)}={text}" for cell in cells if (text := _value(cell.value))]
    if fields:
        head = _plain(name).translate(_IN_MEASUREMENT)
        named = "".join(f",{_tag(tag)}={_tag(text)}" for tag, text in dict(tags).items() if text)
        yield f"{head}{named} {','.join(fields)} {at}"


def _value(value: int | float | str) -> str:
    if isinstance(value, str):
        return f'"{_plain(value).translate(_IN_STRING)}"'
    if isinstance(value, int):
        return f"{value}i" if -_MOST - 1 <= value <= _MOST else ""
    return repr(value) if math.isfinite(value) else ""


@lru_cache(maxsize=8192)
def _tag(text: str) -> str:
    """Return a tag's name or value; a backslash at its end would escape what comes behind it."""
    said = _plain(text).translate(_IN_TAG)
    return f"{said}\\ " if said.endswith("\\") else said


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)
