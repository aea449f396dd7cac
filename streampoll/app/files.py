"""The configuration's files, read anew each time a process needs them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streampoll.config.bulk import collection_paused
from streampoll.config.load import load, load_inventory
from streampoll.config.settings import Settings
from streampoll.coordinator.layout import lay_out
from streampoll.coordinator.plan import Plan
from streampoll.model import Device

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Files:
    """Where a configuration is read from, each time anew."""

    where: Path
    environ: Mapping[str, str]

    def plans(self, settings: Settings, note: Callable[[Sequence[Device]], None] = lambda devices: None) -> list[Plan]:
        """Read the whole configuration, its parts checked against one another, and lay its jobs out.

        `note` is shown the devices.

        Raises:
            ConfigError: it can't be used.
        """
        with collection_paused():
            whole = load(self.where, self.environ)
            plans = list(lay_out(whole.jobs, whole.devices, settings.shards.count))
            note(whole.devices)
        for notice in whole.notices:
            log.warning("%s", notice)
        polled = sum(plan.devices for plan in plans)
        log.info("configuration: %d devices, %d jobs, each round %d polls", len(whole.devices), len(whole.jobs), polled)
        return plans

    def devices(self, settings: Settings) -> Sequence[Device]:
        """Read the inventory alone.

        Raises:
            ConfigError: it can't be used.
        """
        with collection_paused():
            return load_inventory(self.where, settings)
