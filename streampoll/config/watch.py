"""Changes to files of a configuration, as they happen."""

from collections.abc import AsyncIterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import watchfiles


async def changes(base: Path, patterns: Sequence[str]) -> AsyncIterator[list[str]]:
    """Yield the names of files that changed, whenever some of `patterns` (relative to `base`) did.

    Directories are watched, not files: an editor replaces a file, and a pattern may match one that is new. A directory
    that is not there when this begins is not seen when it comes; without any there is nothing to yield.
    """
    wanted, folders = _places(base, patterns)

    def matters(_: watchfiles.Change, path: str) -> bool:
        return any(fnmatch(path, pattern) for pattern in wanted)

    if folders:
        async for found in watchfiles.awatch(*folders, watch_filter=matters, step=200, recursive=False):
            yield sorted({Path(path).name for _, path in found})


def _places(base: Path, patterns: Sequence[str]) -> tuple[list[str], set[Path]]:
    """Return the absolute patterns, and the directories that files matching them are in."""
    wanted = [base.resolve() / pattern for pattern in patterns]
    return [str(pattern) for pattern in wanted], {pattern.parent for pattern in wanted if pattern.parent.is_dir()}
