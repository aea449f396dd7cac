"""A table's columns, and the names that its rows keep from poll to poll. Pure."""

from collections.abc import Sequence
from typing import Any

from streampoll.model import ColumnRows, Table


def columns_of(table: Table) -> Sequence[Sequence[Any]]:
    """Return a table's columns, the index first; none of a table without rows."""
    return table.rows.data if isinstance(table.rows, ColumnRows) else list(zip(*table.rows, strict=True))


def column_of(table: Table, name: str) -> Sequence[Any]:
    """Return one of its columns by name."""
    data = columns_of(table)
    return data[table.columns.index(name) + 1] if data else []


def row_keys(table: Table) -> list[str]:
    """Return what knows rows for good: the text of the key's column, else the index; what stands twice, with both."""
    data = columns_of(table)
    indexes = [_text(index) for index in data[0]] if data else []
    if not table.key or table.key not in table.columns:
        return indexes
    column = column_of(table, table.key)
    keys = [(key if type(key) is str else _text(key)) or index for key, index in zip(column, indexes, strict=True)]
    if len(set(keys)) == len(keys):
        return keys
    twice = {key for key in keys if keys.count(key) > 1}
    return [f"{key}#{index}" if key in twice else key for key, index in zip(keys, indexes, strict=True)]


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
