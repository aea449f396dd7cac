"""What was found in one request's answers: values, rows, what later requests use, and what is missing."""

from collections import Counter
from dataclasses import dataclass, field

from streampoll.http.plan import TableRule
from streampoll.model import Table, TableTime, Value


@dataclass(slots=True)
class Rows:
    """A table that grows, page by page."""

    rule: TableRule
    columns: tuple[str, ...]
    key: str = ""
    rows: list[list[Value]] = field(default_factory=list)  # row[0] is the index
    runs: list[tuple[int, float]] = field(default_factory=list)  # (rows of one answer, its time)
    stopped: str = ""  # why it is not complete
    taken: Counter[str] = field(default_factory=Counter)  # indexes so far; a second `eth0` becomes `eth0#2`

    @property
    def is_full(self) -> bool:
        """True if it takes no more rows."""
        return len(self.rows) >= self.rule.max_rows

    def add(self, index: str, values: list[Value]) -> bool:
        """Add a row; False if there is no room for more."""
        if self.is_full:
            self.stopped = f"more than {self.rule.max_rows:,} rows"
            return False
        self.taken[index] += 1
        times = self.taken[index]
        self.rows.append([f"{index}#{times}" if times > 1 else index, *values])
        return True

    def mark(self, at: float) -> None:
        """Note that the rows since the last mark came with an answer of this time."""
        since = len(self.rows) - sum(rows for rows, _ in self.runs)
        if since:
            self.runs.append((since, at))

    def table(self) -> Table:
        """Return the table as it is stored."""
        times = tuple(TableTime(rows, at, None) for rows, at in self.runs)
        return Table(self.columns, self.rows, times, not self.stopped, self.key)

    def as_of(self, at: float) -> None:
        """Say of all rows that they are as of a time."""
        self.runs = [(len(self.rows), at)] if self.rows else []


@dataclass(slots=True)
class Findings:
    """What one request found; over several pages if it has them."""

    values: dict[str, Value] = field(default_factory=dict)
    tables: dict[str, Rows] = field(default_factory=dict)
    extracts: dict[str, Value] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # scalar, table or table.column -> reason
    page_rows: int = 0  # rows of the last page, before any cap

    def found(self) -> bool:
        """Tell whether anything that was looked for is there; an empty list is, an absent one isn't."""
        return any(value is not None for value in (*self.values.values(), *self.extracts.values())) or bool(self.tables)
