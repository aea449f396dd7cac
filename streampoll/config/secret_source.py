"""Where a secret is kept, as files say it: a table of one key, or one text that begins with the key.

    { env = "NAME" }                     "env:NAME"                       a variable
    { file = "/path" }                   "file:/path"                     a file
    { systemd = "name" }                 "systemd:name"                   a credential that systemd loaded
    { command = ["vault", "read", …] }   "command:vault read …"           a program; no shell, but a shell's quotes
    { text = "…" }                       anything that begins otherwise   the secret itself

A text that begins with one of the prefixes is never the secret: one that really does is written `{ text = "env:…" }`.
Of a command's output the first line counts; with `output = "whole"` all of it.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from streampoll.config.convert import Place
from streampoll.config.report import nearest
from streampoll.config.secret import Secret

_KINDS: Final = ("env", "file", "systemd", "command", "text")
_PREFIXED: Final = re.compile(r"(env|file|systemd|command):(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WANTED: Final = '{ env = "NAME" }, { file = "/path" }, { systemd = "name" } or { command = ["vault", "read", "…"] }'
_WHOLE: Final = {"line": False, "whole": True}


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where one secret is: of `env`, `file` and `systemd` its name, of `command` the words, or the text itself."""

    kind: str
    name: str = ""
    literal: Secret | None = None
    words: tuple[str, ...] = ()
    whole: bool = False  # of a command's output; False: its first line

    @property
    def may_change(self) -> bool:
        """True if reading it again may bring something else while the process runs."""
        return self.kind in ("file", "systemd", "command")


def read_source(data: Any, place: Place) -> SecretSource | None:
    """Return where a secret is kept, or None with a fault; what is wrong is never shown."""
    if isinstance(data, str) and data:
        prefixed = _PREFIXED.fullmatch(data)
        return _prefixed(prefixed[1], prefixed[2], place) if prefixed else SecretSource("literal", literal=Secret(data))
    if not isinstance(data, Mapping) or not data:
        place.fault("does not say where the secret is kept", f"write {_WANTED}")
        return None
    table = dict(data)
    output = table.pop("output", "line") if "command" in table else "line"
    if len(table) != 1 or not isinstance(output, str) or output not in _WHOLE:
        place.fault("does not say where the secret is kept", f"write {_WANTED}")
        return None
    kind, where = next(iter(table.items()))
    if kind not in _KINDS:
        place.at(kind).fault("unknown key", nearest(kind, _KINDS))
        return None
    source = _of(kind, where, _WHOLE[output])
    if source is None:
        place.at(kind).fault("is not a name" if kind != "command" else "is not a list of words", f"write {_WANTED}")
    return source


def _of(kind: str, where: Any, whole: bool = False) -> SecretSource | None:
    """Return the source of a kind; None if what is said of it can't be."""
    if kind == "command":
        words = where if isinstance(where, list) else []
        fine = words and words[0] and all(isinstance(word, str) and "\0" not in word for word in words)
        return SecretSource(kind, words=tuple(words), whole=whole) if fine else None
    if not isinstance(where, str) or not where or "\0" in where:
        return None
    if kind == "text":
        return SecretSource("literal", literal=Secret(where))
    return None if kind == "systemd" and "/" in where else SecretSource(kind, where)


def _prefixed(kind: str, rest: str, place: Place) -> SecretSource | None:
    """Return the source that a text names; what follows the prefix may be a secret by mistake, so it is not shown."""
    where: Any = rest
    if kind == "command":
        try:
            where = shlex.split(rest)
        except ValueError:  # a quote that is not closed
            where = []
    source = _of(kind, where) if kind != "env" or _VARIABLE.fullmatch(rest) else None
    if source is None:
        place.fault(
            f"begins with '{kind}:' and does not go on as that should",
            'a secret that really begins so is written { text = "…" }',
        )
    return source
