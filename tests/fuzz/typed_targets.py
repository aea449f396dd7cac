"""What is typed: times, durations, sizes, and whole command lines; a mistake is a line of text and an exit code."""

import contextlib
import io
import json
import math
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import click

from streampoll.cli import group, run
from streampoll.cli.options import Since
from streampoll.config.units import parse_duration, parse_size
from tests.fuzz.mutate import any_of

_TIMES = (
    b"10m", b"2h", b"2026-01-31T08:00", b"1700000000", b"1700000000.5", b"0001-01-01", b"9999-12-31T23:59+00:00",
    b"1e400d", b"8MiB", b"64 kB", b"1h30m",
)  # fmt: skip
_WORDS = (
    "--config", "--since", "--json", "--list", "--limit", "--format", "--job", "--profile", "--timeout", "--queue",
    "--shards", "--every", "--pool", "--queues", "--processes", "--concurrency", "--yes", "--all", "list", "show",
    "requeue", "purge", "csv", "sw1", "10m", "-1", "0", "", "--", "-", "=", "--since=", "127.0.0.1:9", "[::1]:x",
    "{07}",
)  # fmt: skip
_RUN = ("results", "audit", "stats", "check", "dead", "migrate")  # they end by themselves, and change no file
_AWAY = '[redis]\nurl = "unix:///nonexistent/redis.sock"\n[postgres]\ndsn = "postgresql:///x?host=/nonexistent"\n'


def times(random: Random) -> None:
    """What is typed as a time is a finite number or a clear mistake."""
    text = any_of(random, _TIMES).decode("utf-8", "surrogateescape")
    with suppress(click.BadParameter):
        assert 0 <= Since().convert(text, None, None) < 1e12
    for parse in (parse_duration, parse_size):
        with suppress(ValueError):
            assert math.isfinite(parse(text))


def options(random: Random) -> None:
    """Every command reads its arguments, or says what is wrong with them; none of them runs."""
    context = click.Context(group, info_name="streampoll")
    name = random.choice(group.list_commands(context))
    command = group.get_command(context, name)
    assert command is not None
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), suppress(click.ClickException, click.exceptions.Exit):
        command.make_context(name, list(_line(random)), parent=context)


def commands(random: Random) -> None:
    """A command that runs, with its servers away, ends with an exit code and says why in lines of text."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "streampoll.toml").write_text(_AWAY)
        line = [random.choice(_RUN), *_line(random)]
        if not any(word.startswith("--config") for word in line):
            line += ["--config", directory]
        if "--watch" in line:
            return
        code, out, err = _captured(line, directory)
    assert code in (0, 1, 2), (line, code)
    assert code == 0 or err or out, (line, "says nothing")
    assert "Traceback" not in err, line
    if code == 0 and "--json" in line and "--help" not in line:
        json.loads(out)


def _line(random: Random) -> Sequence[str]:
    """Return arguments: right ones in wrong places, and wrong ones."""
    words = [random.choice(_WORDS) for _ in range(random.randint(0, 5))]
    if words and random.random() < 0.5:
        spoilt = any_of(random, [random.choice(words).encode() or b"x"]).decode("utf-8", "surrogateescape")
        words[random.randrange(len(words))] = spoilt.replace("\0", "")[:300]  # execve hands on no zero byte
    return words


def _captured(line: list[str], directory: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    here = os.getcwd()
    os.chdir(directory)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(line)
    finally:
        os.chdir(here)
    return code, out.getvalue(), err.getvalue()


TARGETS = {"times": times, "options": options, "commands": commands}
