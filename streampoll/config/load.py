"""A configuration from its directory: the whole, or the part that a process needs.

A worker takes settings, profiles and credentials and never the inventory, which may be a million devices; a
coordinator takes all of it. Every function raises one `ConfigError` with all the faults it found, and logs its notices;
`load` has the notices in what it returns.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from streampoll.analysis.rule import RuleSet
from streampoll.config.convert import Place
from streampoll.config.credentials import Credentials, read_credentials
from streampoll.config.crosscheck import check_settings, check_whole
from streampoll.config.inventory import read_inventory
from streampoll.config.jobs import Job, read_jobs
from streampoll.config.notifications import Notifications, read_notifications
from streampoll.config.profile_port import PollPlan
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.config.rules import FILE as RULES_FILE
from streampoll.config.rules import read_rules
from streampoll.config.rules_check import check_rules
from streampoll.config.sections import read_settings
from streampoll.config.settings import OutputSettings, Settings
from streampoll.config.source import Source, read_toml
from streampoll.config.workflows import check_workflows, read_workflows
from streampoll.errors import Fault
from streampoll.model import Device
from streampoll.workflows.plan import Workflow

FILE = "streampoll.toml"
SYSTEM = Path("/etc/streampoll")

log = logging.getLogger(__name__)

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of a configuration, checked."""

    settings: Settings
    jobs: tuple[Job, ...]
    devices: tuple[Device, ...]
    profiles: Mapping[str, PollPlan]
    workflows: Mapping[str, Workflow]
    credentials: Credentials
    notifications: Notifications
    notices: tuple[Fault, ...]  # what works, and a person should know


def load(where: Path, environ: Mapping[str, str]) -> Configuration:
    """Return the whole configuration of a directory (or of the streampoll.toml in it), parts checked together.

    Raises:
        ConfigError: anything is wrong; it has every fault.
    """
    report = Report()
    source, settings = _settings(where, environ, report)
    jobs = read_jobs(Place(source, report))
    base, paths = source_directory(where), settings.paths
    before = len(report.faults)
    profiles = read_profiles(base / paths.profiles, paths.profiles, report)
    workflows = read_workflows(base / paths.workflows, paths.workflows, report)
    credentials = read_credentials(base / paths.credentials, paths.credentials, environ, report)
    notifications = read_notifications(base / paths.notifications, paths.notifications, environ, report)
    devices = read_inventory(paths.inventory, base, report)
    rules = read_rules(base / RULES_FILE, RULES_FILE, report)
    if len(report.faults) == before:  # else half of what it would say follows from what was said
        check_whole(Place(source, report), settings, jobs, devices, profiles, credentials)
        check_rules(report, rules, jobs, devices, profiles)
        check_workflows(workflows, profiles, paths.workflows, report)
    report.refuse()
    return Configuration(
        settings, jobs, devices, profiles, workflows, credentials, notifications, tuple(report.notices)
    )


def load_settings(where: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings alone; the rest of the functions take their paths from them."""
    return _right(lambda report: _settings(where, environ, report)[1])


def load_jobs(where: Path) -> tuple[Job, ...]:
    """Return the jobs, each by itself checked."""
    return _right(lambda report: read_jobs(Place(_source(where, report), report)))


def load_profiles(where: Path, settings: Settings) -> Mapping[str, PollPlan]:
    """Return every profile by name, the built-in ones too."""
    base, shown = source_directory(where), settings.paths.profiles
    return _right(partial(read_profiles, base / shown, shown))


def load_rules(where: Path) -> RuleSet:
    """Return the rules, maintenance windows, and when a device counts as down; the defaults where there is no file."""
    return _right(partial(read_rules, source_directory(where) / RULES_FILE, RULES_FILE))


def load_workflows(where: Path, settings: Settings) -> Mapping[str, Workflow]:
    """Return every workflow by name, those that are shipped too."""
    base, shown = source_directory(where), settings.paths.workflows
    return _right(partial(read_workflows, base / shown, shown))


def load_inventory(where: Path, settings: Settings) -> tuple[Device, ...]:
    """Return the devices of every inventory file."""
    return _right(partial(read_inventory, settings.paths.inventory, source_directory(where)))


def load_credentials(where: Path, settings: Settings, environ: Mapping[str, str]) -> Credentials:
    """Return the credentials; a secret is read when it is first asked for, from `environ` as it is now."""
    base, shown = source_directory(where), settings.paths.credentials
    return _right(partial(read_credentials, base / shown, shown, environ))


def load_notifications(where: Path, settings: Settings, environ: Mapping[str, str]) -> Notifications:
    """Return routes and channels; a channel's secrets are read when it is first used."""
    base, shown = source_directory(where), settings.paths.notifications
    return _right(partial(read_notifications, base / shown, shown, environ))


def _right(read: Callable[[Report], _Part]) -> _Part:
    """Return what is read; its notices are logged.

    Raises:
        ConfigError: it has faults.
    """
    report = Report()
    part = read(report)
    report.refuse()
    for notice in report.notices:
        log.warning("%s", notice)
    return part


def default_directory(here: Path, system: Path = SYSTEM) -> Path:
    """Return where a configuration is looked for: here if there is one, else the system's directory, else here."""
    return system if not (here / FILE).exists() and (system / FILE).exists() else here


def source_directory(where: Path) -> Path:
    """Return the directory that relative paths of a configuration start at."""
    return _file(where).parent


def _file(where: Path) -> Path:
    return where if where.suffix == ".toml" and not where.is_dir() else where / FILE


def _source(where: Path, report: Report) -> Source:
    """Return streampoll.toml, read.

    Raises:
        ConfigError: it is not there or not TOML, so nothing else can be said.
    """
    path = _file(where)
    source = read_toml(path, path.name if path.exists() else str(path), report)
    report.refuse()
    assert source is not None
    return source


def _settings(where: Path, environ: Mapping[str, str], report: Report) -> tuple[Source, Settings]:
    """Return streampoll.toml and its settings; defaults stand in for what has faults."""
    source = _source(where, report)
    place = Place(source, report)
    settings = _from_here(read_settings(place, environ), source_directory(where))
    check_settings(place, settings)
    return source, settings


def _from_here(settings: Settings, base: Path) -> Settings:
    """Return settings whose files are found from any working directory."""
    redis = settings.redis
    files = (redis.tls_ca, redis.tls_cert, redis.tls_key)
    ca, cert, key = (str(base.absolute() / file) if file else "" for file in files)
    hosts = str(base.absolute() / Path(settings.ssh.known_hosts).expanduser())
    redis = replace(redis, tls_ca=ca, tls_cert=cert, tls_key=key)
    outputs = {name: _output_from_here(output, base.absolute()) for name, output in settings.outputs.items()}
    return replace(settings, redis=redis, ssh=replace(settings.ssh, known_hosts=hosts), outputs=outputs)


def _output_from_here(output: OutputSettings, base: Path) -> OutputSettings:
    ca = str(base / output.tls_ca) if output.tls_ca else ""
    return replace(output, tls_ca=ca, path=str(base / output.path) if output.path not in ("", "-") else output.path)
