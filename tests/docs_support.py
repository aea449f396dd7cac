"""The documentation taken apart: its pages, code blocks, commands and names."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from streampoll.cli import COMMANDS, group
from streampoll.config.environment import sections, variable_name
from streampoll.config.table import settings_of

TOP = Path(__file__).resolve().parent.parent
PAGES = (TOP / "README.md", TOP / "CHANGELOG.md", *sorted((TOP / "docs").glob("*.md")))
NAMES = [str(page.relative_to(TOP)) for page in PAGES]

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_PROGRAM = re.compile(r"^(?:\S*/)?(streampoll|bin/demo)$")


def text_of(name: str) -> str:
    """Return a page's text."""
    return (TOP / name).read_text()


def blocks(text: str, *languages: str) -> list[str]:
    """Return the code blocks in these languages."""
    return [body for language, body in _FENCE.findall(text) if language in languages]


def spans(text: str) -> list[str]:
    """Return the inline code of a page, line breaks as spaces."""
    return [" ".join(span.split()) for span in _SPAN.findall(_FENCE.sub("", text))]


def shell_commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each streampoll command in lines of shell: comments, variables and pipes left out."""
    for line in text.splitlines():
        if "streampoll" in line or "bin/" in line:
            yield from _own("\0".join(shlex.split(line.strip().removeprefix("$ "), comments=True)))


def _own(line: str) -> Iterator[list[str]]:
    for part in re.split(r"\0(?:&&|\||;)\0", re.sub(r"\0>\0[^\0]+", "", line)):
        words = [word for word in part.split("\0") if word]
        while words and re.match(r"^[A-Z_]+=", words[0]):
            del words[0]
        if words and (found := _PROGRAM.match(words[0])):
            yield words[1:] if found[1] == "streampoll" else ["demo", *words[1:]]


def inline_commands(text: str) -> Iterator[list[str]]:
    """Yield the commands in inline code, `streampoll stats --watch`; what is optional in them counts too."""
    for span in spans(text):
        yield from shell_commands(re.sub(r"[\[\]|]", " ", span))


def resolve(arguments: list[str]) -> tuple[click.Command, list[str]]:
    """Find the command that arguments lead to, and what is left for it.

    Raises:
        AssertionError: there is no such command.
    """
    command: click.Command = group
    rest = list(arguments)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"there is no command {name!r} in: streampoll {' '.join(arguments)}"
        command = found
    return command, rest


def options_of(command: click.Command) -> set[str]:
    """Return every option of a command as it is written."""
    context = click.Context(command, help_option_names=["-h", "--help"])
    return {name for each in command.get_params(context) for name in (*each.opts, *each.secondary_opts)}


def help_examples() -> Iterator[str]:
    """Yield each line below Examples in the helps of all commands."""
    for command in _leaves([group.get_command(click.Context(group), name) for name in COMMANDS]):
        _, found, examples = (command.help or "").partition("Example")
        if found:
            yield from examples.splitlines()[1:]


def _leaves(commands: "list[click.Command | None]") -> Iterator[click.Command]:
    for command in commands:
        if command is not None:
            yield command
        if isinstance(command, click.Group):
            yield from _leaves(list(command.commands.values()))


def setting_paths() -> set[str]:
    """Return every setting by its full name; a pool is called NAME, a queue class also CLASS."""
    paths = {".".join((*path, name)) for path, section in sections(["NAME"]) for name in settings_of(section)}
    return paths | {re.sub(r"^queues\.\w+\.", "queues.CLASS.", path) for path in paths}


def setting_keys() -> set[str]:
    """Return the last part of every setting's name."""
    return {path.rpartition(".")[2] for path in setting_paths()}


def setting_variables(pools: list[str]) -> set[str]:
    """Return every variable that sets something."""
    return {variable_name((*path, name)) for path, section in sections(pools) for name in settings_of(section)}


def slug(heading: str) -> str:
    """Return the anchor that a heading gets."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the anchors of a page."""
    return {slug(line.lstrip("#")) for line in _FENCE.sub("", text).splitlines() if re.match(r"#{1,6} ", line)}
