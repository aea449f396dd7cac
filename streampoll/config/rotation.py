"""Takes up changed credentials without a restart: credentials.toml, and the files that its secrets are kept in.

What a variable or a program would say now can't be watched. A program's secret is read again when a device refuses
what it said before (`Credentials.look_again`), when credentials.toml changes, and on SIGHUP, which also brings
variables.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from streampoll.config.credential_book import Credentials
from streampoll.config.watch import changes
from streampoll.errors import ConfigError

log = logging.getLogger(__name__)

Changes = Callable[[Path, tuple[str, ...]], AsyncIterator[list[str]]]


async def follow_credentials(
    path: Path,
    read: Callable[[], Credentials],
    credentials: Credentials,
    watch: Changes = changes,
    what: str = "credentials",
) -> None:
    """Keep credentials as `path` (credentials.toml) and the files that it names say; a faulty change is refused."""
    while True:
        watched = _patterns(path, credentials)
        async for names in watch(path.parent, watched):
            log.info("changed: %s", ", ".join(names))
            if not await asyncio.to_thread(path.exists):
                log.error("%s is gone; the %s that were read from it stay", path, what)
                continue
            try:
                await credentials.renew(read())
            except ConfigError as error:
                log.error("changed %s are refused, the old ones stay:\n%s", what, error)
            if _patterns(path, credentials) != watched:
                break  # other files are to be watched now
        else:
            return


def _patterns(path: Path, credentials: Credentials) -> tuple[str, ...]:
    """Return what to watch; "..data" is the link by which Kubernetes replaces all files of a directory at once.

    Absolute, since a watch takes what is relative as relative to the configuration, and `--config` may be so itself.
    """
    files = sorted({file.absolute() for file in credentials.files()})
    links = {file.parent / "..data" for file in files}
    return (path.name, *map(str, files), *sorted(map(str, links)))
