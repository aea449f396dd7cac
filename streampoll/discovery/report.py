"""What a run of discovery has seen so far, and the inventory file that is made of it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streampoll.discovery.probe import Answer, Found, Refused
from streampoll.discovery.proposal import Proposal
from streampoll.errors import ConfigError, Fault

COLUMNS = ("name", "address", "port", "profile", "credential", "vendor")


@dataclass(slots=True)
class Seen:
    """Answers, as they come."""

    asked: int = 0
    alive: int = 0  # addresses that answered anything
    found: list[Found] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def note(self, _: str, answer: Answer) -> None:
        """Count an address and keep its answer."""
        self.asked += 1
        self.alive += answer is not None
        if isinstance(answer, Found):
            self.found.append(answer)
        elif isinstance(answer, Refused):
            self.refused.append(answer)


def check_writable(path: Path, force: bool) -> None:
    """Refuse, before anything is asked, a file that is there or can't be made.

    Raises:
        ConfigError: so it is.
    """
    if path.exists() and not force:
        raise ConfigError([Fault("--output", f"{path} exists", "name another file, or give --force")])
    if not path.parent.is_dir():
        raise ConfigError([Fault("--output", f"there is no directory {path.parent}", "make it first")])


def write_inventory(path: Path, proposals: Sequence[Proposal], port: int) -> None:
    """Write proposals as a CSV inventory; `port` 0 leaves that to the configuration.

    Raises:
        ConfigError: the file can't be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(COLUMNS)
            for each in proposals:
                found = each.found
                lines.writerow((each.name, found.address, port or "", each.profile, found.credential, each.vendor))
    except OSError as error:
        raise ConfigError([Fault("--output", f"{path} can't be written: {error.strerror}")]) from None
