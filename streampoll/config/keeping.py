"""Fetches secrets from where they are kept: a variable, a file, systemd's directory, a program, or the text itself."""

import stat
from collections.abc import Mapping
from pathlib import Path

from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.config.secret_command import CommandFailed, run_for_secret
from streampoll.config.secret_source import SecretSource as SecretSource
from streampoll.config.secret_source import read_source as read_source
from streampoll.errors import ConfigError, Fault

_LIMIT = 65_536  # bytes of a secret's file


class SecretNotHere(ConfigError):  # noqa: N818 - reads as the state it is
    """A secret is kept where this process can't look (a service's environment); it may be there for another."""


class Keeping:
    """Fetches secrets. `base` is where relative paths of files, and of programs, start."""

    def __init__(self, base: Path, environ: Mapping[str, str]) -> None:
        self._base = base
        self._environ = environ

    def fetch(self, source: SecretSource, whose: str) -> Secret:
        """Return the secret. It may block: a program takes as long as it takes.

        Raises:
            ConfigError: it is not there, empty, its file is readable by others, or its program failed.
        """
        if source.literal is not None:
            return source.literal
        if source.kind == "env":
            return self._variable(source.name, whose)
        if source.kind == "command":
            return self._command(source, whose)
        path = self.path(source)
        if path is None:
            raise _not_here(
                whose, f"systemd credential '{source.name}' is not here", "only a service that loads it has it"
            )
        # systemd guards its directory; a file in it may show group bits, which are the mask of an ACL.
        return self._file(path, whose, guarded=source.kind == "file")

    def path(self, source: SecretSource) -> Path | None:
        """Return the file that a source is read from; None if it is none, or systemd gave this process none."""
        if source.kind == "file":
            return self._base / source.name
        directory = self._environ.get("CREDENTIALS_DIRECTORY", "")
        return Path(directory) / source.name if source.kind == "systemd" and directory else None

    def check_mode(self, path: Path, shown: str, report: Report) -> None:
        """Note a fault if a file that holds a secret can be read by others."""
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            report.fault(shown, f"{path} holds a secret and has mode {mode:04o}", f"run: chmod 600 {path}")

    def _variable(self, name: str, whose: str) -> Secret:
        text = self._environ.get(name, "")
        if not text:
            raise _not_here(whose, f"the variable {name} is not set", f"set {name} where streampoll runs")
        return Secret(text)

    def _command(self, source: SecretSource, whose: str) -> Secret:
        program = Path(source.words[0]).name
        try:
            output = run_for_secret(source.words, self._environ, self._base)
        except CommandFailed as error:
            raise _refused(whose, str(error), f"run {program} by hand as the user that streampoll runs as") from None
        try:
            text = (output if source.whole else output.partition(b"\n")[0]).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise _refused(whose, f"what {program} wrote is not UTF-8 text") from None
        if not text:
            raise _refused(whose, f"{program} wrote nothing", "its first line must be the secret")
        return Secret(text)

    def _file(self, path: Path, whose: str, guarded: bool) -> Secret:
        report = Report()
        try:
            if guarded:
                self.check_mode(path, whose, report)
            report.refuse()
            with path.open("rb") as file:
                text = file.read(_LIMIT).decode().rstrip("\r\n")
        except OSError as error:
            raise _refused(whose, f"{path} can't be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise _refused(whose, f"{path} is not UTF-8 text", "write the secret alone into it") from None
        if not text:
            raise _refused(whose, f"{path} is empty", "write the secret into it")
        return Secret(text)


def _refused(whose: str, what: str, instead: str = "") -> ConfigError:
    return ConfigError([Fault(whose, what, instead)])


def _not_here(whose: str, what: str, instead: str) -> SecretNotHere:
    return SecretNotHere([Fault(whose, what, instead)])
