"""snmp.yml files read, made profiles, and loaded as a user's profiles are."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streampoll.config.exporter.auths import credentials_text
from streampoll.config.exporter.profile import make_profiles
from streampoll.config.exporter.read import read_exporter
from streampoll.config.profile_port import PollPlan
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report

FILES = Path(__file__).parent / "exporter"


@dataclass
class Imported:
    """What came of a file."""

    texts: dict[str, str]  # of profiles, by name
    notices: list[str]
    faults: list[str]
    credentials: str

    def data(self, name: str) -> dict[str, Any]:
        """Return the data of a profile."""
        return tomllib.loads(self.texts[name])


def imported(path: Path) -> Imported:
    """Import every module of a file."""
    report = Report()
    exporter = read_exporter(path, path.name, report)
    made = make_profiles(exporter, (), path.name, report) if exporter else []
    credentials = credentials_text(exporter.auths) if exporter else ""
    return Imported(
        {each.name: each.text for each in made},
        list(map(str, report.notices)),
        list(map(str, report.faults)),
        credentials,
    )


def imported_text(text: str, directory: Path) -> Imported:
    """Import every module of a file with this text."""
    path = directory / "snmp.yml"
    path.write_text(text)
    return imported(path)


def loaded(texts: dict[str, str], directory: Path) -> tuple[dict[str, PollPlan], list[str]]:
    """Load profiles as those of a configuration; return the plans and the faults."""
    directory.mkdir(exist_ok=True)
    for name, text in texts.items():
        (directory / f"{name}.toml").write_text(text)
    report = Report()
    plans = read_profiles(directory, "profiles", report)
    return plans, list(map(str, report.faults))
