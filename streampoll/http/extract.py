"""A JSON document read by the expressions of a request."""

from collections.abc import Iterable
from typing import Any, Final

from streampoll.http.convert import ABSENT, to_value
from streampoll.http.expression import Expression, compile_expression
from streampoll.http.findings import Findings, Rows
from streampoll.http.plan import Field, Kind, Request, TableRule
from streampoll.model import Value

ROW_NAME: Final = "$name"  # as a column's expression: the row's name in the object that holds the rows


def extract(document: Any, request: Request, into: Findings, at: float, first_page: bool = True) -> None:
    """Read a document into `into`: scalars and extracts of the first page, rows of each."""
    if first_page:
        for field in request.scalars:
            into.values[field.name] = _read(field, document, into.missing)
        for field in request.extracts:
            into.extracts[field.name] = _read(field, document, {})
    into.page_rows = 0
    for rule in request.tables:
        _extract_table(document, rule, into, at)


def _read(field: Field, document: Any, missing: dict[str, str]) -> Value:
    value, reason = to_value(compile_expression(field.expression)(document), field.kind)
    if reason:
        missing[field.name] = reason
    return value


def _extract_table(document: Any, rule: TableRule, into: Findings, at: float) -> None:
    """Add the rows that a document has of one table."""
    found = compile_expression(rule.rows)(document)
    if not isinstance(found, list | dict):
        if rule.name not in into.tables:
            into.missing[rule.name] = ABSENT if found is None else "a value, not a list"
        return
    rows = into.tables.setdefault(rule.name, Rows(rule, tuple(each.name for each in rule.columns), rule.key))
    into.page_rows += len(found)
    _add_rows(rows, _named(found, len(rows.rows)), into.missing)
    rows.mark(at)


def _named(found: list[Any] | dict[str, Any], start: int) -> Iterable[tuple[str, Any]]:
    """Yield (name, row): the name in an object, the position in a list."""
    if isinstance(found, dict):
        return found.items()
    return ((str(number), row) for number, row in enumerate(found, start))


def _add_rows(rows: Rows, named: Iterable[tuple[str, Any]], missing: dict[str, str]) -> None:
    columns = [(each.name, _column(each), each.kind) for each in rows.rule.columns]
    place = rows.columns.index(rows.key) if rows.key else -1
    for name, row in named:
        values = []
        for column, search, kind in columns:
            value, reason = to_value(name if search is None else search(row), kind)
            if reason:
                missing.setdefault(f"{rows.rule.name}.{column}", f"{reason} in some rows")
            values.append(value)
        index = name if place < 0 else _index(values[place], name)
        if not rows.add(index, values):
            break


def _column(field: Field) -> Expression | None:
    """Return a column's expression; None if it is the row's name."""
    return None if field.expression == ROW_NAME else compile_expression(field.expression)


def _index(key: Value, name: str) -> str:
    """Return what a row is known by: its key; `#` and its place where it has none."""
    if key is None:
        return f"#{name}"
    return str(to_value(key, Kind.TEXT)[0])
