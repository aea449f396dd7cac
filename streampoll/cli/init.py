"""`streampoll init`: a configuration to start from. What it writes is package data in `starter/`."""

import os
from collections.abc import Iterable
from pathlib import Path

import click

from streampoll.cli.options import answer, json_option
from streampoll.errors import ConfigError, Fault

STARTER = Path(__file__).parent / "starter"
GUARDED = "credentials.toml"  # mode 0600 from the start, for the day somebody writes a secret into it


@click.command("init")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Write into a directory that isn't empty, over files of the same name.")
@json_option
def command(directory: Path, force: bool, as_json: bool) -> None:
    """Write a commented configuration with three example devices into DIR.

    \b
    Example:
      streampoll init conf && streampoll check --config conf
    """
    files = sorted(path.relative_to(STARTER) for path in STARTER.rglob("*.toml"))
    try:
        if not force and directory.exists() and any(directory.iterdir()):
            fault = Fault(str(directory), "is not empty", "name another directory, or use --force")
            raise ConfigError([fault])
        write_starter(directory, files)
    except OSError as error:
        fault = Fault(str(error.filename or directory), f"can't be written: {error.strerror}", "name another directory")
        raise ConfigError([fault]) from None
    written = [str(directory / file) for file in files]
    answer(as_json, {"wrote": written}, "\n".join([*(f"wrote {path}" for path in written), _next_steps(directory)]))


def write_starter(directory: Path, files: Iterable[Path]) -> None:
    """Write the starter's files below a directory."""
    for file in files:
        target = directory / file
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if file.name == GUARDED else 0o644
        # A file that is there keeps its mode when it is opened: take it away first, so a secret is never readable.
        target.unlink(missing_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.write((STARTER / file).read_bytes())


def _next_steps(directory: Path) -> str:
    return f"""
Next:
  1. put your devices into {directory / "inventory.toml"}
  2. export SNMP_COMMUNITY=…           (or another way: {directory / GUARDED} says which)
  3. streampoll check --config {directory}
  4. streampoll up --config {directory}"""
