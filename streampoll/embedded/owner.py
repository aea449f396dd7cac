"""Who an embedded server runs as, and what that user can reach.

PostgreSQL refuses to run as root. When we are root it runs as an unprivileged user, who must be able to enter every
directory above its files. The modes of those directories are the administrator's and are left alone: what is out of
reach is reported, by `closed_directory`.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from streampoll.errors import ConfigError, Fault


@dataclass(frozen=True, slots=True)
class Owner:
    """An unprivileged user."""

    name: str
    uid: int
    gid: int


def server_owner(name: str = "nobody") -> Owner | None:
    """Return the user that servers run as when we are root, and None (ourselves) when we are not."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ConfigError([Fault("embedded servers", f"there is no user {name!r} to run PostgreSQL as")]) from None
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def own_directory(directory: Path, owner: Owner | None) -> Path:
    """Make `directory` (mode 0700) and give it to the owner; its absolute path."""
    directory = directory.absolute()
    for parent in reversed([parent for parent in directory.parents if not parent.exists()]):
        parent.mkdir()
        parent.chmod(0o755 if owner else 0o700)  # those we make are open to the owner, whatever our umask
    directory.mkdir(exist_ok=True)
    directory.chmod(0o700)
    if owner is not None:
        os.chown(directory, owner.uid, owner.gid)
    return directory


def closed_directory(path: Path, owner: Owner | None) -> Path | None:
    """Return the first directory above `path` that the owner can't enter, if any."""
    if owner is None:
        return None
    parents = list(path.absolute().resolve().parents)
    return next((parent for parent in reversed(parents) if not _may_enter(parent.stat(), owner)), None)


def _may_enter(status: os.stat_result, owner: Owner) -> bool:
    if status.st_uid == owner.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == owner.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
