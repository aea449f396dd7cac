"""A line over time in a terminal: braille characters, of which each has two by four dots. Pure.

No plotting package: plotext changed every name from 5 to 6, and this is all that was wanted of it.
"""

import math
import time
from collections.abc import Sequence
from itertools import pairwise

from streampoll.observe.words import scaled

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column of a character
_LABELS = 5  # of the axis of time

Point = tuple[float, float | None]


class _Canvas:
    """Dots, two by four to a character."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = 2 * width, 4 * height
        self._cells = [[0] * width for _ in range(height)]

    def dot(self, x: int, y: int) -> None:
        """Set a dot; y grows downwards."""
        x, y = min(max(x, 0), self.width - 1), min(max(y, 0), self.height - 1)
        self._cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]

    def line(self, begin: tuple[int, int], end: tuple[int, int]) -> None:
        """Set the dots from one to another."""
        steps = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)
        for step in range(steps + 1):
            part = step / steps
            self.dot(round(begin[0] + (end[0] - begin[0]) * part), round(begin[1] + (end[1] - begin[1]) * part))

    def rows(self) -> list[str]:
        """Return the characters, row by row."""
        return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in self._cells]


def chart(points: Sequence[Point], width: int, height: int) -> list[str]:
    """Return lines of text with the points, an axis of values and one of time; a value that is None is a gap.

    `points` has at least one value; the axis begins at 0, or below where values are.
    """
    known = [value for _, value in points if value is not None]
    low, high = min(0.0, *known, 0.0), nice(max(*known, 0.0))
    ticks = [low + (high - low) * part / 4 for part in range(5)]
    labels = [scaled(tick) for tick in ticks]
    margin = max(map(len, labels))
    canvas = _Canvas(width - margin - 2, height - 2)
    _draw(canvas, points, low, high)
    rows = canvas.rows()
    marks = {round((len(rows) - 1) * (1 - part / 4)): label for part, label in enumerate(labels)}
    lines = [f"{marks.get(n, ''):>{margin}} {'┤' if n in marks else '│'}{row}" for n, row in enumerate(rows)]
    return [*lines, f"{'':>{margin}} └{'─' * (width - margin - 2)}", _times(points, width, margin + 2)]


def nice(value: float) -> float:
    """Return the least of 1, 2, 2.5, 4, 5, 8, 10 times a power of ten that is no less."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 4, 5, 8, 10) if step * power >= value * 0.999_999)


def _draw(canvas: _Canvas, points: Sequence[Point], low: float, high: float) -> None:
    first, last = points[0][0], points[-1][0]

    def place(at: float, value: float) -> tuple[int, int]:
        x = (at - first) / (last - first) if last > first else 1.0
        return round(x * (canvas.width - 1)), round((1 - (value - low) / (high - low)) * (canvas.height - 1))

    for at, value in points:
        if value is not None:
            canvas.dot(*place(at, value))
    for (at, value), (later, next_value) in pairwise(points):
        if value is not None and next_value is not None:
            canvas.line(place(at, value), place(later, next_value))


def _times(points: Sequence[Point], width: int, margin: int) -> str:
    """Return the axis of time: local clock, with the date where it is a matter of days."""
    first, last = points[0][0], points[-1][0]
    form = "%H:%M:%S" if last - first < 1200 else "%H:%M" if last - first < 86_400 else "%d %b %H:%M"
    line = [" "] * width
    for number in range(_LABELS):
        part = number / (_LABELS - 1)
        text = time.strftime(form, time.localtime(first + (last - first) * part))
        start = min(max(margin, margin + round((width - margin - 1) * part) - len(text) // 2), width - len(text))
        line[start : start + len(text)] = text
    return "".join(line).rstrip()
