"""The inventory file of a fleet: its devices as streampoll, or another poller, is to know them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streampoll.embedded.fleet.addresses import device_address, device_name, device_site
from streampoll.embedded.fleet.server import Fleet
from streampoll.errors import ConfigError, Fault

COLUMNS = ("name", "address", "port", "profile", "credential", "site", "role", "vendor")


@dataclass(frozen=True, slots=True)
class Common:
    """What all lines of an inventory have in common, beside the port."""

    profile: str = "interfaces"
    credential: str = ""  # a name; "": the configuration's default


def write_inventory(path: Path, fleet: Fleet, common: Common) -> None:
    """Write a CSV file with one line a device of a fleet that answers; silent devices stand in it like any other.

    Raises:
        ConfigError: the file can't be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *_lines(fleet, common)])
    except OSError as error:
        raise ConfigError([Fault("--inventory", f"{path} can't be written: {error.strerror}")]) from None


def _lines(fleet: Fleet, common: Common) -> Iterator[tuple[str | int, ...]]:
    for index in range(fleet.settings.devices):
        personality = fleet.population.derive(index).personality
        yield (
            device_name(index), device_address(index), fleet.port, common.profile, common.credential,
            device_site(index), personality.role, personality.vendor,
        )  # fmt: skip
