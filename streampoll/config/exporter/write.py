"""A profile that was made of a module, as the text of a file that a person will keep."""

import re
import textwrap
from collections.abc import Iterator, Sequence

from streampoll.config.exporter.draft import Column, ProfileDraft, TableDraft
from streampoll.config.toml_text import toml_comment, toml_key, toml_value

_HELP_CHARS = 90
_LONGEST_ENUM = 16  # names in a line; IANAifType has 300


def profile_text(profile: ProfileDraft, origin: str, notes: Sequence[str]) -> str:
    """Return the text of a profile: its origin, what was not taken over, and all that it collects."""
    lines = [toml_comment(f"Made of {origin} by `streampoll profile import`. Edit it: it will not be made again.")]
    if notes:
        lines += ["#", "# What is not taken over, or is another:", *(toml_comment(f"- {note}") for note in notes)]
    if profile.scalars:
        lines += ["", "[scalars]", *_columns(profile.scalars), *_long_enums("scalars", profile.scalars)]
    for table in profile.tables:
        lines += ["", *_table(table)]
    return "\n".join(lines) + "\n"


def _table(table: TableDraft) -> Iterator[str]:
    path = f"tables.{toml_key(table.name)}"
    if table.key or table.index or table.where:
        yield f"[{path}]"
    if table.key:
        yield f"key = {toml_value(table.key)}"
    if table.index:
        yield "index = ["
        yield from (f"    {toml_value(part)}," for part in table.index)
        yield "]"
    if table.where:
        yield f"where = {toml_value(table.where)}"
    if table.key or table.index or table.where:
        yield ""
    yield f"[{path}.columns]"
    yield from _columns(table.columns)
    yield from _long_enums(f"{path}.columns", table.columns)


def _columns(columns: Sequence[Column]) -> Iterator[str]:
    short = [column for column in columns if not _is_long(column)]
    width = max((len(toml_key(column.name)) for column in short), default=0)
    for column in short:
        text = f"{toml_key(column.name):<{width}} = {toml_value(column.words)}"
        yield f"{text}  {toml_comment(_help(column))}" if column.help else text


def _long_enums(path: str, columns: Sequence[Column]) -> Iterator[str]:
    """Yield the columns whose enum is too long for a line, as tables of their own."""
    for column in filter(_is_long, columns):
        yield ""
        yield f"[{path}.{toml_key(column.name)}]" + (f"  {toml_comment(_help(column))}" if column.help else "")
        yield from (f"{key} = {toml_value(value)}" for key, value in column.words.items() if key != "enum")
        yield f"[{path}.{toml_key(column.name)}.enum]"
        yield from (f"{number} = {toml_value(name)}" for number, name in column.words["enum"].items())


def _is_long(column: Column) -> bool:
    return len(column.words.get("enum", ())) > _LONGEST_ENUM


def _help(column: Column) -> str:
    """Return the generator's help without the OID that it ends with."""
    text = re.sub(r"\s+-\s+\.?\d+(\.\d+)+$", "", " ".join(column.help.split()))
    return textwrap.shorten(text, _HELP_CHARS, placeholder=" …")
