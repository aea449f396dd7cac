"""What a poll gave, as the expressions of later steps see it: values by name, tables as lists of rows. Pure."""

from typing import Any

from streampoll.model import Outcome, Table


def gave(outcome: Outcome) -> dict[str, Any]:
    """Return {status, values, rows} of an outcome, with reasons for what is missing."""
    found: dict[str, Any] = {
        "status": outcome.status.word,
        "values": dict(outcome.values),
        "rows": {name: _rows(table) for name, table in outcome.tables.items()},
    }
    if outcome.missing:
        found["missing"] = dict(outcome.missing)
    return found


def _rows(table: Table) -> list[dict[str, Any]]:
    names = ("index", *table.columns)
    return [dict(zip(names, row, strict=False)) for row in table.rows]
