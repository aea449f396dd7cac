"""docs/cli.md, made from the commands: `python -m streampoll.cli.page > docs/cli.md`.

What stands around them is in `page.md`; `<!-- commands -->` marks their place.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from streampoll.cli import COMMANDS, group

FRAME = Path(__file__).parent / "page.md"


def page() -> str:
    """Return the page's text."""
    parts = [part for name in COMMANDS for part in _command(("streampoll", name), _get(group, name), 2)]
    return FRAME.read_text(encoding="utf-8").replace("<!-- commands -->\n", "\n".join(parts).rstrip() + "\n")


def _get(parent: click.Group, name: str) -> click.Command:
    command = parent.get_command(click.Context(parent), name)
    assert command is not None, name
    return command


def _command(path: tuple[str, ...], command: click.Command, depth: int) -> Iterator[str]:
    """Yield a heading, the help, and a table of options; those of its own commands below it."""
    yield f"{'#' * depth} {' '.join(path[1:])}\n"
    yield from _help(command)
    if not isinstance(command, click.Group):
        context = click.Context(command, info_name=" ".join(path))
        yield f"`{' '.join([*path, *command.collect_usage_pieces(context)])}`\n"
        yield from _options(command)
        return
    if command.invoke_without_command:
        yield from _options(command)
    for name in command.list_commands(click.Context(command)):
        yield from _command((*path, name), _get(command, name), depth + 1)


def _options(command: click.Command) -> Iterator[str]:
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if options:
        yield "| option | what |"
        yield "|---|---|"
        yield from (_row(option) for option in options)
        yield ""


def _help(command: click.Command) -> Iterator[str]:
    """Yield the help as text; what stands in lines of its own, as examples do, as code."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        lines = paragraph.splitlines()
        if lines[0] != "\b":
            yield _escaped(paragraph) + "\n"
            continue
        has_title = lines[1].endswith(":")
        if has_title:
            yield f"{lines[1]}\n"
        yield "```sh" if has_title else "```text"
        yield from (line.strip() for line in lines[2 if has_title else 1 :])
        yield "```\n"


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag or option.count else f" {_kind(option)}"
    default = option.default if option.show_default and not callable(option.default) else None
    said = f" Default: `{default}`." if default not in (None, "", ()) and not option.is_flag else ""
    return f"| {names}{kind} | {_cell(option.help or '')}{said} |"


def _kind(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "\\|".join(str(choice) for choice in option.type.choices)
    return option.metavar or option.type.name.upper()


def _cell(text: str) -> str:
    return _escaped(re.sub(r"\s+", " ", text)).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Keep what Markdown would take for markup."""
    return text.replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    sys.stdout.write(page())
