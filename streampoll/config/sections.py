"""streampoll.toml and the environment into `Settings`.

A value comes from, first found: STREAMPOLL_*, streampoll.toml, the variables of a Celery deployment, the default.
"""

import re
from collections.abc import Mapping
from typing import Any

from streampoll.config import celery, environment
from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest
from streampoll.config.settings import PoolSettings, QueueSettings, Settings
from streampoll.config.table import settings_of
from streampoll.model import QueueClass

DEFAULT_POOL = "general"  # the one pool of a configuration that names none: every class, the defaults

_POOL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")  # it is part of variables and of systemd instance names


def read_settings(place: Place, environ: Mapping[str, str]) -> Settings | None:
    """Return the settings; None if there are faults, which the place's report then has."""
    known = {*settings_of(Settings), "jobs"}
    for key in place.source.data.keys() - known:
        place.at(key).fault("unknown section", nearest(key, known))
    raw = {key: _copy(value) for key, value in place.source.data.items() if key != "jobs"}
    if raw.get("pools", {}) == {}:
        raw["pools"] = {DEFAULT_POOL: {}}
    environment.overlay(raw, environ, place.report)
    celery.take_over(raw, environ, place.report)
    plain = {
        name: read_table(setting.base, raw.get(name, {}), place.at(name))
        for name, setting in settings_of(Settings).items()
        if isinstance(setting.base, type)
    }
    pools = _pools(raw["pools"], place.at("pools"))
    queues = _queues(raw.get("queues", {}), place.at("queues"))
    if pools is None or queues is None or None in plain.values():
        return None
    return Settings(**plain, pools=pools, queues=queues)  # type: ignore[arg-type]


def _pools(data: Any, place: Place) -> dict[str, PoolSettings] | None:
    """Return the pools by name."""
    pools = {}
    for name, table in place.table(data).items():
        if not _POOL_NAME.fullmatch(name):
            place.at(name).fault(f"'{name}' is not a pool's name", "small letters, digits, - and _, a letter first")
        pools[name] = read_table(PoolSettings, table, place.at(name))
    made = {name: pool for name, pool in pools.items() if pool is not None}
    return made if len(made) == len(pools) else None


def _queues(data: Any, place: Place) -> dict[QueueClass, QueueSettings] | None:
    """Return every class's limits: what the file sets over the class's own defaults."""
    table, defaults = place.table(data), Settings().queues
    words = [queue.value for queue in QueueClass]
    for key in table.keys() - set(words):
        place.at(key).fault("unknown queue class", nearest(key, words))
    queues = {
        queue: read_table(QueueSettings, table.get(queue.value, {}), place.at(queue.value), defaults[queue])
        for queue in QueueClass
    }
    made = {queue: limits for queue, limits in queues.items() if limits is not None}
    return made if len(made) == len(queues) else None


def _copy(value: Any) -> Any:
    """Return a table that may be written to, tables in it included."""
    return {key: _copy(each) for key, each in value.items()} if isinstance(value, dict) else value
