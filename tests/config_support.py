"""A configuration in a directory, written by a test, and the faults that reading it gives."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from streampoll.config.load import Configuration, load
from streampoll.errors import ConfigError

JOB = '[jobs.all]\nevery = "60s"\nprofile = "system"\n'
DEVICE = "name,address\nsw1,192.0.2.1\n"
CREDENTIAL = '[credentials.default]\nversion = "2c"\ncommunity = { env = "COMMUNITY" }\n'


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Write a configuration that is right, with these files in place of its own."""
    usual = {"streampoll.toml": JOB, "inventory.csv": DEVICE, "credentials.toml": CREDENTIAL}
    for name, text in {**usual, **files}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def settings_with(directory: Path, toml: str, environ: Mapping[str, str] | None = None) -> Configuration:
    """Load a configuration whose streampoll.toml has this beside a job."""
    return load(write(directory, {"streampoll.toml": f"{toml}\n{JOB}"}), environ or {})


def faults_of(call: Callable[[], object]) -> list[str]:
    """Return the faults that a call raises, as lines."""
    with pytest.raises(ConfigError) as caught:
        call()
    return [str(fault) for fault in caught.value.faults]


def faults_in(directory: Path, files: Mapping[str, str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the faults of a configuration with these files."""
    return faults_of(lambda: load(write(directory, files), environ or {}))


def notices_in(directory: Path, files: Mapping[str, str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the notices of a configuration with these files."""
    return [str(notice) for notice in load(write(directory, files), environ or {}).notices]
