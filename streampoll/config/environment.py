"""Settings from the environment: STREAMPOLL_<SECTION>_<NAME>, the field's own name in capitals, unit included.

`redis.url` is STREAMPOLL_REDIS_URL, `snmp.timeout_s` is STREAMPOLL_SNMP_TIMEOUT_S. For a pool or a queue class its name
stands between: STREAMPOLL_POOLS_GENERAL_PROCESSES, STREAMPOLL_QUEUES_POLLING_CLAIM_IDLE_S ("-" in a pool's name becomes
"_"). A variable wins over the file. An empty one counts as not set. One that is unknown is refused: a mistyped name
would else be a setting that silently does nothing. It changes a pool of the file and never makes one, for that reason.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from streampoll.config.convert import Place, convert, from_text
from streampoll.config.report import Report, nearest
from streampoll.config.settings import OutputSettings, PoolSettings, QueueSettings, Settings
from streampoll.config.source import nowhere
from streampoll.config.table import Setting, settings_of
from streampoll.model import QueueClass

PREFIX = "STREAMPOLL_"
DIRECTORY = f"{PREFIX}CONFIG"  # where the configuration is: not in it
TESTS = f"{PREFIX}TEST_"  # what the test suite is told

SettingPath = tuple[str, ...]
Raw = dict[str, Any]


def overlay(raw: Raw, environ: Mapping[str, str], report: Report) -> None:
    """Put the environment's settings into `raw`, the tables of streampoll.toml; wrong ones are faults."""
    known = variables(pool_names(raw), _names(raw, "outputs"))
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name == DIRECTORY or name.startswith(TESTS) or not text:
            continue
        if name not in known:
            report.fault(name, "no setting has this variable", _hint(name, known))
            continue
        path, setting = known[name]
        put(raw, path, setting, text, variable(name, report))


def pool_names(raw: Raw) -> list[str]:
    """Return the names of the pools that the file has."""
    return _names(raw, "pools")


def _names(raw: Raw, section: str) -> list[str]:
    tables = raw.get(section)
    return list(tables) if isinstance(tables, dict) else []


def variables(pools: Iterable[str], outputs: Iterable[str] = ()) -> dict[str, tuple[SettingPath, Setting]]:
    """Return every variable with its setting's path, for a configuration that has these pools and outputs."""
    known: dict[str, tuple[SettingPath, Setting]] = {}
    for path, section in sections(pools, outputs):
        for name, setting in settings_of(section).items():
            known[variable_name((*path, name))] = ((*path, name), setting)
    return known


def sections(pools: Iterable[str], outputs: Iterable[str] = ("NAME",)) -> list[tuple[SettingPath, type[Any]]]:
    """Return the path of each table of settings with its dataclass."""
    plain = [
        ((name,), setting.base) for name, setting in settings_of(Settings).items() if isinstance(setting.base, type)
    ]
    queues = [(("queues", queue.value), QueueSettings) for queue in QueueClass]
    named = [(("pools", pool), PoolSettings) for pool in pools] + [
        (("outputs", name), OutputSettings) for name in outputs
    ]
    return [*plain, *named, *queues]


def variable_name(path: SettingPath) -> str:
    """Return the variable of a setting: ("snmp", "timeout_s") is STREAMPOLL_SNMP_TIMEOUT_S."""
    return PREFIX + "_".join(path).upper().replace("-", "_")


def variable(name: str, report: Report) -> Place:
    """Return the place of an environment variable."""
    return Place(nowhere(name), report)


def put(raw: Raw, path: SettingPath, setting: Setting, text: str, place: Place) -> None:
    """Set `path` in `raw` to what a variable's text stands for, if it is right; else it is a fault there."""
    before = len(place.report.faults)
    value = from_text(setting, text)
    convert(setting, value, place)
    table: Any = raw
    for name in path[:-1]:
        table = table.setdefault(name, {}) if isinstance(table, dict) else None
    if isinstance(table, dict) and len(place.report.faults) == before:
        table[path[-1]] = value


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest(name.removeprefix(PREFIX), (each.removeprefix(PREFIX) for each in known))
    if near:
        return near.replace("'", f"'{PREFIX}", 1)
    return "docs/configuration.md lists the variables; a pool must be in streampoll.toml"
