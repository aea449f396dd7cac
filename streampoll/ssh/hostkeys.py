"""Host keys in a file in the format of OpenSSH's known_hosts, which many processes read and add to.

What `ssh`, `ssh-keyscan` and `ssh-keygen -R` write is understood (hashed names, wildcards, certificate authorities,
revoked keys). The file is replaced as a whole under a lock that stands beside it, so a reader never sees half a line
and no process drops what another has recorded. Keys that come in while one write runs share the next: a fleet that is
seen for the first time costs a few writes, not one a device.
"""

import asyncio
import base64
import fcntl
import hmac
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from streampoll.model import Status
from streampoll.ssh.port import SshFailure, Trust

_PATTERN: Final = frozenset("*?!|")
_LOOK_AGAIN_S: Final = 1.0  # how old a look at the file may be, so that ssh-keygen -R is noticed at the next connection
_MARKERS: Final = {"": "keys", "@cert-authority": "authorities", "@revoked": "revoked"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A key, and the field of `Trust` it belongs to."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class _Book:
    """A known_hosts file, read."""

    exact: Mapping[str, list[_Line]] = field(default_factory=dict)
    patterns: tuple[tuple[str, _Line], ...] = ()
    stamp: tuple[int, int, int] = (0, 0, 0)  # inode, size and time of the file; zeros: there is none

    def trust(self, name: str) -> Trust:
        lines = [*self.exact.get(name, ()), *(line for names, line in self.patterns if _matches(names, name))]
        found = {kind: frozenset(line.key for line in lines if line.kind == kind) for kind in _MARKERS.values()}
        return Trust(**found)


class KnownHostsFile:
    """The record of host keys in one file. For one event loop; the file is for any number of processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._book = _Book()
        self._looked = float("-inf")  # the loop's time
        self._waiting: dict[tuple[str, str], None] = {}  # names and keys to record, in order; no longer once they are
        self._turn = asyncio.Lock()
        self._looking = asyncio.Lock()

    @property
    def where(self) -> str:
        """The file's path."""
        return str(self._path)

    async def trust(self, name: str) -> Trust:
        """Return what is known of a host. Raises SshFailure: the file can't be read."""
        if self._is_due():
            async with self._looking:  # others wait: to them a book that is not read yet would be an empty one
                if self._is_due():
                    self._book = await self._aside(_read_again, self._path, self._book)
                    self._looked = asyncio.get_running_loop().time()
        return self._book.trust(name)

    def _is_due(self) -> bool:
        return asyncio.get_running_loop().time() - self._looked >= _LOOK_AGAIN_S

    async def record(self, name: str, key: str) -> Trust:
        """Add a host's first key, unless it has one by now; what is known of it then. Raises SshFailure."""
        self._waiting[name, key] = None
        async with self._turn:  # whoever comes first writes for all that wait
            if (name, key) in self._waiting:
                batch = list(self._waiting)
                self._book = await self._aside(_add, self._path, batch)
                for each in batch:
                    del self._waiting[each]
        return self._book.trust(name)

    async def _aside(self, work: object, *arguments: object) -> _Book:
        """Do the work on files in a thread; errors are failures."""
        try:
            return await asyncio.to_thread(work, *arguments)  # type: ignore[arg-type]
        except OSError as error:
            cause = f"host keys: {self._path} can't be used: {error.strerror or error}"
            raise SshFailure(Status.ERROR, f"{cause}; set ssh.known_hosts to a file that may be written") from None


def _read_again(path: Path, book: _Book) -> _Book:
    """Return a file's book: the one that was read before, if the file is still the same."""
    return book if _stamp(path) == book.stamp else _read(path)


def _read(path: Path) -> _Book:
    """Return a file's book; lines that are none are passed over, as ssh does."""
    stamp = _stamp(path)
    text = path.read_text("utf-8", "replace") if stamp != _Book().stamp else ""
    exact: dict[str, list[_Line]] = {}
    patterns: list[tuple[str, _Line]] = []
    for names, line in _lines(text):
        if _PATTERN.isdisjoint(names):
            for name in names.split(","):
                exact.setdefault(name, []).append(line)
        else:
            patterns.append((names, line))
    return _Book(exact, tuple(patterns), stamp)


def _lines(text: str) -> Iterator[tuple[str, _Line]]:
    for row in text.splitlines():
        words = row.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) >= 3 and marker in _MARKERS and not words[0].startswith("#"):
            yield words[0], _Line(_MARKERS[marker], f"{words[1]} {words[2]}")


def _add(path: Path, batch: list[tuple[str, str]]) -> _Book:
    """Write a file anew with first keys added; those that have one meanwhile are left as they are."""
    with _locked(path):
        book = _read(path)
        new: dict[str, str] = {}
        for name, key in batch:
            if not book.trust(name):
                new.setdefault(name, key)
        if not new:
            return book
        old = path.read_text("utf-8", "replace") if path.exists() else ""
        end = "" if not old or old.endswith("\n") else "\n"
        _replace(path, old + end + "".join(f"{name} {key}\n" for name, key in new.items()))
        return _read(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock beside a file; a process that dies lets go of it."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    """Put a new file in the place of the old one, on disk before it can be seen."""
    target = path.resolve()  # a link stays one
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return _Book().stamp
    return found.st_ino, found.st_size, found.st_mtime_ns


def _matches(names: str, name: str) -> bool:
    """Tell whether a field of known_hosts with wildcards or a hash means a host (sshd(8), SSH_KNOWN_HOSTS)."""
    if names.startswith("|1|"):
        salt, _, digest = names[3:].partition("|")
        try:
            key = base64.b64decode(salt)
        except ValueError:
            return False
        return base64.b64encode(hmac.digest(key, name.encode(), "sha1")).decode() == digest
    parts = [part for part in names.split(",") if part]
    if any(_covers(part[1:], name) for part in parts if part.startswith("!")):
        return False
    return any(_covers(part, name) for part in parts if not part.startswith("!"))


def _covers(pattern: str, name: str) -> bool:
    """Match "*" and "?", with brackets as they are: they enclose a host that has a port."""
    return fnmatchcase(name.replace("[", "<").replace("]", ">"), pattern.replace("[", "<").replace("]", ">"))
