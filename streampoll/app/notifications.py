"""Notifications of a worker process, put together; their file is taken up when it changes."""

import logging
from dataclasses import replace
from pathlib import Path

from streampoll.app.files import Files
from streampoll.app.redis_side import RedisSide
from streampoll.config.credentials import Credentials
from streampoll.config.load import load_notifications, source_directory
from streampoll.config.notifications import Notifications
from streampoll.config.rotation import follow_credentials
from streampoll.config.settings import Settings
from streampoll.notifications.handler import NotificationHandler
from streampoll.notifications.ports import NotifyPorts

log = logging.getLogger(__name__)


class NotificationFile:
    """notifications.toml, as it is now."""

    def __init__(self, files: Files, settings: Settings) -> None:
        """Read it. Raises ConfigError."""
        self._files = files
        self._settings = settings
        self.known = self._read()

    def handler(self, side: RedisSide) -> NotificationHandler:
        """Return the handler of class notifications."""
        return NotificationHandler(
            NotifyPorts(side.streams, lambda: self.known, side.clock.now, self._settings.shards.count)
        )

    async def watch(self) -> None:
        """Take up what changes in it, and in the files that its secrets are in; a faulty change is refused."""
        await follow_credentials(self._path, self._take_up, self.known.channels, what="routes and channels")

    @property
    def _path(self) -> Path:
        return source_directory(self._files.where) / self._settings.paths.notifications

    def _read(self) -> Notifications:
        return load_notifications(self._files.where, self._settings, self._files.environ)

    def _take_up(self) -> Credentials:
        """Take up new routes now, and return the new channels, for the old ones to become."""
        fresh = self._read()
        self.known = replace(fresh, channels=self.known.channels)
        log.info("notifications: %d routes, %d channels from now on", len(fresh.routes), len(fresh.terms))
        return fresh.channels
