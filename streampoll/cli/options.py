"""What several commands have, so that it is called and behaves the same everywhere: options, the answer as JSON."""

import getpass
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from streampoll.config.load import FILE, SYSTEM, default_directory
from streampoll.config.units import parse_duration, parse_since

Command = TypeVar("Command", bound=Callable[..., Any])

_CENTURY_S = 100 * 366 * 86_400
_LARGEST_NUMBER = (1 << 31) - 1  # PostgreSQL's integer


class ConfigPath(click.ParamType[Path]):
    """An option's value that is the directory of a configuration, or its streampoll.toml."""

    name = "DIR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; whether anything is there is for its reader to say, if that can be found out at all."""
        path = Path(value)
        try:
            (path / FILE).exists()
        except (OSError, ValueError) as error:  # not ours to look into, too long, a zero byte
            self.fail(f"{str(value)[:80]!r} can't be looked at: {getattr(error, 'strerror', error)}", param, ctx)
        return path


def config_option(command: Command) -> Command:
    """Add `--config DIR`, handed on as `config`: a directory with a streampoll.toml, or the file itself."""
    return click.option(
        "--config",
        "config",
        metavar="DIR",
        envvar="STREAMPOLL_CONFIG",
        show_envvar=True,
        type=ConfigPath(),
        default=lambda: default_directory(Path()),
        help=f"Directory with {FILE}.  [default: this one, else {SYSTEM}]",
    )(command)


def reason_option(command: Command) -> Command:
    """Add `--reason TEXT`, handed on as `reason`: what others are told."""
    return click.option("--reason", default="", metavar="TEXT", help="What `stats` and the API say of it.")(command)


def who() -> str:
    """Return who is at this command line, for records: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def json_option(command: Command) -> Command:
    """Add `--json`, handed on as `as_json`: the answer as JSON on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def answer(as_json: bool, facts: Mapping[str, Any], text: str) -> None:
    """Print what a command has to say: as one object a line, or as text for people."""
    click.echo(json_line(facts) if as_json else text)


def json_line(facts: Any) -> str:
    """Return facts as JSON, escaped where stdout can't write their letters: a program must get them whole."""
    return json.dumps(facts, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"))


class Since(click.ParamType[float]):
    """An option's value that is the start of a span of time."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds since the epoch."""
        if isinstance(value, float):
            return value
        try:
            return parse_since(str(value), time.time())
        except ValueError:
            return self.fail(f"{value!r} is not a time; write 10m, 2h or 2026-01-31T08:00", param, ctx)


class Span(click.ParamType[int]):
    """An option's value that is a span of time from now, up to a hundred years."""

    name = "TIME"

    def __init__(self, least_s: int = 1) -> None:
        self._least_s = least_s

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        try:
            span = int(parse_duration(str(value)))
        except ValueError:
            span = -1
        if not self._least_s <= span <= _CENTURY_S:
            self.fail(f"{value!r} is not a span of time; write 30m, 12h or 90d", param, ctx)
        return span


def number_argument(command: Command) -> Command:
    """Add NUMBER, handed on as `number`: what a list of them begins its lines with."""
    return click.argument("number", type=click.IntRange(1, _LARGEST_NUMBER))(command)


def since_option(default: str) -> Callable[[Command], Command]:
    """Return a decorator that adds `--since TIME`, handed on as `since`: seconds since the epoch."""
    return click.option(
        "--since", type=Since(), default=default, show_default=True, help="From when: 10m, 2h, 2026-01-31T08:00."
    )
