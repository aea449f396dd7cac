"""Where secrets are kept: an environment variable, a file, a systemd credential, or (guarded) the text itself."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streampoll.config.convert import Place
from streampoll.config.report import Report, nearest
from streampoll.config.secret import Secret
from streampoll.errors import ConfigError, Fault

_KINDS = ("env", "file", "systemd")
_WANTED = '{ env = "NAME" }, { file = "/path" } or { systemd = "name" }'
_LIMIT = 65_536  # bytes of a secret's file


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where one secret is: of `env`, `file` and `systemd` its name, or the text itself."""

    kind: str
    name: str = ""
    literal: Secret | None = None


def read_source(data: Any, place: Place) -> SecretSource | None:
    """Return where a secret is kept, or None with a fault; what is wrong is never shown."""
    if isinstance(data, str) and data:
        return SecretSource("literal", literal=Secret(data))
    if not isinstance(data, Mapping) or len(data) != 1:
        place.fault("does not say where the secret is kept", f"write {_WANTED}")
        return None
    kind, name = next(iter(data.items()))
    if kind not in _KINDS:
        place.at(kind).fault("unknown key", nearest(kind, _KINDS))
        return None
    if not isinstance(name, str) or not name or (kind == "systemd" and "/" in name):
        place.at(kind).fault("is not a name", f"write {_WANTED}")
        return None
    return SecretSource(kind, name)


class SecretNotHere(ConfigError):  # noqa: N818 - reads as the state it is
    """A secret is kept where this process can't look (a service's environment); it may be there for another."""


class Keeping:
    """Fetches secrets. `base` is where relative paths of files start."""

    def __init__(self, base: Path, environ: Mapping[str, str]) -> None:
        self._base = base
        self._environ = environ

    def fetch(self, source: SecretSource, whose: str) -> Secret:
        """Return the secret.

        Raises:
            ConfigError: it is not there, empty, or its file is readable by others.
        """
        if source.literal is not None:
            return source.literal
        if source.kind == "env":
            return self._variable(source.name, whose)
        if source.kind == "file":
            return self._file(self._base / source.name, whose, guarded=True)
        directory = self._environ.get("CREDENTIALS_DIRECTORY", "")
        if not directory:
            raise _not_here(
                whose, f"systemd credential '{source.name}' is not here", "only a service that loads it has it"
            )
        # systemd guards its directory; a file in it may show group bits, which are the mask of an ACL.
        return self._file(Path(directory) / source.name, whose, guarded=False)

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
