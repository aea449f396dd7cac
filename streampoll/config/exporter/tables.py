"""Metrics that share their labels as one table: the index, what is looked up by it, the rows that are kept."""

from collections.abc import Sequence

from streampoll.config.exporter import regex
from streampoll.config.exporter.columns import columns_of
from streampoll.config.exporter.draft import Column, TableDraft, Words, unused
from streampoll.config.exporter.types import VALUES, part_words
from streampoll.config.exporter.words import Filter, Lookup, Metric

_NAMING = ("Name", "Descr", "Description", "Alias", "Label", "Ssid")
"""What the label that people know a row by ends in, the likeliest first."""


def draft_table(name: str, metrics: Sequence[Metric], filters: Sequence[Filter], rows: Sequence[str]) -> TableDraft:
    """Return the table of metrics with the same indexes and lookups.

    `rows` are the only instances that snmp_exporter asks (from `get`); empty for all.
    """
    table = TableDraft(name)
    labels = _index(table, metrics[0])
    wanted = [metric for metric in metrics if metric.name not in labels]  # the others are parts of the index again,
    for metric in wanted or metrics[:1]:  # and one must be walked
        for column in columns_of(metric, metric.oid):
            table.add(column)
    looked_up = _look_up(table, metrics[0], labels)
    for each in filters:
        _filter(table, each)
    if rows:
        _only_rows(table, metrics[0], rows)
    table.key = _key(looked_up)
    return table


def _index(table: TableDraft, metric: Metric) -> dict[str, str]:
    """Describe the index; return the name of the part that each label is.

    A label that a lookup overwrites is kept under another name, for the lookup, and not stored.
    """
    overwritten = {lookup.label for lookup in metric.lookups if lookup.labels}
    labels: dict[str, str] = {}
    for index in metric.indexes:
        words = part_words(index)
        if words is None:
            metric.place.at("indexes").notice(
                f"{metric.name}: an index of type '{index.type}' is not known", "its rows keep the index as it stands"
            )
            table.index.clear()
            return {}
        words["name"] = unused(index.label, set(labels.values()))
        if index.label in overwritten:
            words |= {"name": f"{index.label}_index", "keep": False}
        labels[index.label] = words["name"]
        table.index.append(words)
    return labels


# -- lookups


def _look_up(table: TableDraft, metric: Metric, labels: dict[str, str]) -> list[Column]:
    """Add the columns of lookups, in order, since one may look up by another; return those that are stored."""
    current = dict(labels)
    columns = {}
    for lookup in metric.lookups:
        if not lookup.labels:
            _drop(table, current.get(lookup.label, ""))
        elif unknown := [label for label in lookup.labels if label not in current]:
            metric.place.at("lookups").notice(f"{lookup.label} is looked up by '{unknown[0]}', which is no label here")
        else:
            column = _looked_up(table, lookup, [current[label] for label in lookup.labels], list(labels.values()))
            current[lookup.label] = column.name
            columns[column.name] = column
    return [column for column in columns.values() if column.words.get("keep", True)]


def _looked_up(table: TableDraft, lookup: Lookup, by: list[str], whole: list[str]) -> Column:
    """Return the column of a lookup; it may be there already, of a metric or of another lookup."""
    words: Words = {"oid": lookup.oid, **VALUES.get(lookup.type, {"type": "auto"})}
    words["by"] = "index" if by == whole else by[0] if len(by) == 1 else by
    for column in table.columns:
        is_same = column.words.get("oid") == lookup.oid and "extract" not in column.words
        if is_same and column.words.get("by", "index" if by == whole else None) == words["by"]:
            return column
    if lookup.hint and words["type"] == "bytes":
        words["display"] = lookup.hint
    return table.add(Column(lookup.label, words))


def _drop(table: TableDraft, name: str) -> None:
    """Let a label's value be used and not stored, as drop_source_indexes has it."""
    for part in table.index:
        if part["name"] == name:
            part["keep"] = False
    for column in table.columns:
        if column.name == name:
            column.words["keep"] = False


def _key(columns: Sequence[Column]) -> str:
    """Return the column that people know a row by: one that was looked up for them; "" if none was."""
    for ending in _NAMING:
        for column in columns:
            if column.name.endswith(ending):
                return column.name
    return columns[0].name if columns else ""


# -- rows


def _filter(table: TableDraft, each: Filter) -> None:
    """Keep the rows where a column's text has one of some values in it."""
    try:
        pattern = regex.anywhere(each.values)
    except regex.NoLike as error:
        each.place.notice(f"a filter is left out: {error}", "write it as `where` in the profile")
        return
    table.where[_filter_column(table, each).name] = {"match": pattern}


def _filter_column(table: TableDraft, each: Filter) -> Column:
    """Return the column that a filter looks at; snmp_exporter matches numbers as they are, never an enum's name."""
    asked = [column for column in table.columns if column.words.get("oid") == each.oid and "by" not in column.words]
    if asked and not {"enum", "extract", "as"} & asked[0].words.keys():
        return asked[0]
    words: Words = {"from": asked[0].name} if asked else {"oid": each.oid, "type": _filter_type(each)}
    return table.add(Column("filtered_by", {**words, "keep": False}))


def _filter_type(each: Filter) -> str:
    is_number = all(value.strip("^$()").replace("|", "").isdigit() for value in each.values)
    return "integer" if is_number else "text"


def _only_rows(table: TableDraft, metric: Metric, rows: Sequence[str]) -> None:
    """Keep the rows that are asked one by one, as static filters make it of a walk."""
    if len(table.index) == 1 and table.index[0]["type"] == "integer" and all(row.isdigit() for row in rows):
        numbers = [int(row) for row in rows]
        table.where[table.index[0]["name"]] = numbers if len(numbers) > 1 else numbers[0]
    else:
        shown = ", ".join(rows[:3]) + ("…" if len(rows) > 3 else "")
        metric.place.notice(f"{metric.name}: is asked only for the rows {shown}", "all rows are kept; say `where`")
