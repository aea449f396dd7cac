"""The rules of a worker process: as rules.toml has them now, with the maintenance that somebody announced."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from streampoll.analysis.judge import RuleJudge
from streampoll.analysis.rule import Window
from streampoll.app.files import Files
from streampoll.config.convert import Place
from streampoll.config.load import load_rules, source_directory
from streampoll.config.report import Report
from streampoll.config.rules import FILE
from streampoll.config.selector import read_selector
from streampoll.config.settings import Settings
from streampoll.config.source import nowhere
from streampoll.config.watch import changes
from streampoll.errors import ConfigError, UnavailableError
from streampoll.results.event_log import EventLog
from streampoll.results.event_log import Window as StoredWindow
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres

log = logging.getLogger(__name__)

_LOOK_S: Final = 5.0  # how often announced maintenance is read


class RuleFile:
    """Loaded before the fork; kept as the file and PostgreSQL have it after."""

    def __init__(self, files: Files, settings: Settings) -> None:
        self._files = files
        self._settings = settings
        self.judge = RuleJudge(load_rules(files.where))

    async def watch(self) -> None:
        """Take up a changed file from the next poll on; a wrong one is refused, and the old rules stay."""
        async for _ in changes(source_directory(self._files.where), (FILE,)):
            try:
                fresh = load_rules(self._files.where)
            except ConfigError as error:
                log.error("changed rules are refused, the old ones stay:\n%s", error)
                continue
            log.info("changed: %s", FILE)
            self.judge.use(fresh)

    async def keep_windows(self) -> None:
        """Read announced maintenance every few seconds; while PostgreSQL is away, what was read last holds."""
        postgres = Postgres(self._settings.postgres, 1, prepare=migrate)
        try:
            while True:
                try:
                    self.judge.windows = list(_windows(await EventLog(postgres).windows()))
                except UnavailableError as error:
                    log.debug("maintenance: %s", error)
                await asyncio.sleep(_LOOK_S)
        finally:
            await postgres.close()


def _windows(stored: Iterable[StoredWindow]) -> Iterable[Window]:
    """Return windows as the judge has them; one whose selector can't be read is for nobody."""
    for each in stored:
        selector = read_selector(dict(each.selector), Place(nowhere(f"maintenance {each.id}"), Report()))
        if selector is not None:
            yield Window(str(each.id), selector, each.since, each.until, reason=each.reason)
