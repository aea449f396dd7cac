"""TextFSM templates: those of ntc-templates, by platform and command, or a profile's own.

Both libraries are imported when a profile first needs them. Templates are compiled once and are not for two threads at
a time, which is why there is one thread for parsing.
"""

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any


class ParseFailure(Exception):  # noqa: N818 - never leaves parsing; becomes a reason
    """Output can't be read; the text says why."""


def find_template(platform: str, command: str) -> str:
    """Return the name of the template that ntc-templates has for a command ("a:b" for two to be joined), or ""."""
    index = _index()
    row = index.GetRowMatch({"Platform": platform, "Command": command})
    return str(index.index[row]["Template"]) if row else ""


def why_no_template(text: str) -> str:
    """Return what is wrong with a template's text, "" if nothing is."""
    import textfsm

    try:
        _compile(text)
    except textfsm.TextFSMTemplateError as error:
        return " ".join(str(error).split())
    return ""


def parse_textfsm(
    platform: str, command: str, template: str, text: str
) -> tuple[Sequence[str], Sequence[Mapping[str, Any]]]:
    """Return the columns' names in small letters and the rows, by a template's text or that of ntc-templates.

    Raises:
        ParseFailure: the output is not what the template expects.
    """
    import textfsm

    try:
        if template:
            return _run(_compile(template), text)
        names = find_template(platform, command).split(":")
        if names == [""]:
            raise ParseFailure(f"ntc-templates has none for {command!r} on {platform}")
        return _run(_of_ntc(names[0]), text) if len(names) == 1 else _joined(names, text)
    except textfsm.TextFSMError as error:
        raise ParseFailure(f"the template stopped: {' '.join(str(error).split())[:160]}") from None


def _run(fsm: Any, text: str) -> tuple[Sequence[str], Sequence[Mapping[str, Any]]]:
    fsm.Reset()  # it goes on from where the last output ended, rows included
    names = [name.lower() for name in fsm.header]
    return names, [dict(zip(names, row, strict=True)) for row in fsm.ParseText(text)]


def _joined(names: list[str], text: str) -> tuple[Sequence[str], Sequence[Mapping[str, Any]]]:
    """Parse with several templates whose rows belong together by their keys."""
    from textfsm import clitable

    table = clitable.CliTable("index", str(_directory()))
    table.ParseCmd(text, templates=":".join(names))
    columns = [name.lower() for name in table.header]
    return columns, [dict(zip(columns, list(row), strict=True)) for row in table]


@lru_cache(maxsize=512)
def _compile(text: str) -> Any:
    import textfsm

    return textfsm.TextFSM(io.StringIO(text))


@lru_cache(maxsize=512)
def _of_ntc(name: str) -> Any:
    return _compile((_directory() / name).read_text("utf-8"))


@lru_cache(maxsize=1)
def _index() -> Any:
    from textfsm import clitable

    return clitable.CliTable("index", str(_directory())).index


def _directory() -> Path:
    import ntc_templates

    return Path(ntc_templates.__file__).parent / "templates"
