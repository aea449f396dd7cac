"""Changes to the configuration's files, taken up while a process runs; and what else is watched."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from streampoll.app.files import Files
from streampoll.config.credentials import Credentials
from streampoll.config.load import (
    FILE,
    load_credentials,
    load_profiles,
    load_workflows,
    source_directory,
)
from streampoll.config.profile_port import PollPlan
from streampoll.config.rotation import follow_credentials
from streampoll.config.settings import Settings
from streampoll.config.watch import changes
from streampoll.custom.plan import CustomPlan
from streampoll.errors import ConfigError
from streampoll.pollers.custom import CustomPoller
from streampoll.pollers.router import Router
from streampoll.workflows.plan import Workflow

log = logging.getLogger(__name__)


async def watch_profiles(files: Files, settings: Settings, profiles: dict[str, PollPlan]) -> None:
    """Take up changed profiles from the next poll on; wrong ones are refused, and the old ones stay."""
    async for names in changes(source_directory(files.where), (f"{settings.paths.profiles}/*.toml",)):
        try:
            fresh = load_profiles(files.where, settings)
        except ConfigError as error:
            log.error("changed profiles are refused, the old ones stay:\n%s", error)
            continue
        log.info("changed: %s", ", ".join(names))
        profiles.clear()
        profiles.update(fresh)


async def watch_workflows(files: Files, settings: Settings, workflows: dict[str, Workflow]) -> None:
    """Take up changed workflows for the runs that are started from then on; wrong ones are refused."""
    base, shown = source_directory(files.where), settings.paths.workflows
    while True:
        there = (base / shown).is_dir()
        async for names in changes(base, (shown, f"{shown}/*.toml")):
            try:
                fresh = load_workflows(files.where, settings)
            except ConfigError as error:
                log.error("changed workflows are refused, the old ones stay:\n%s", error)
            else:
                log.info("changed: %s", ", ".join(names))
                workflows.clear()
                workflows.update(fresh)
            if not there:
                break  # the directory has come: from now on it is watched itself
        else:
            return


async def watch_credentials(files: Files, settings: Settings, credentials: Credentials) -> None:
    """Take up changed credentials and secrets from the next poll on."""
    path = source_directory(files.where) / settings.paths.credentials
    await follow_credentials(path, partial(load_credentials, files.where, settings, files.environ), credentials)


async def watch_threads(router: Router, hard_limit_s: float, stop: Callable[[], None]) -> None:
    """Have this process replaced when a custom poller has blocked a thread for as long as nothing may."""
    while hard_limit_s:
        await asyncio.sleep(1.0)
        poller = router.poller(CustomPlan)
        if isinstance(poller, CustomPoller) and poller.stuck_s > hard_limit_s:
            log.error("a custom poller has blocked a thread for %.0f s: this process drains and ends", poller.stuck_s)
            stop()
            return


async def watch_plans(files: Files, settings: Settings, changed: Callable[[], None]) -> None:
    """Tell of changes to the files that jobs and devices are read from."""
    async for names in changes(source_directory(files.where), (FILE, *settings.paths.inventory)):
        log.info("changed: %s", ", ".join(names))
        changed()
