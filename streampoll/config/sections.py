"""streampoll.toml and the environment into `Settings`.

A value comes from, first found: STREAMPOLL_*, streampoll.toml, the variables of a Celery deployment, the default.
"""

import re
from collections.abc import Mapping
from typing import Any

from streampoll.config import celery, environment
from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest
from streampoll.config.settings import OutputSettings, PoolSettings, QueueSettings, Settings
from streampoll.config.table import settings_of
from streampoll.model import QueueClass

DEFAULT_POOL = "general"  # the one pool of a configuration that names none: every class, the defaults

_POOL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")  # it is part of variables and of systemd instance names


def read_settings(place: Place, environ: Mapping[str, str]) -> Settings:
    """Return the settings. A table with faults, which the place's report then has, is its defaults."""
    known = {*settings_of(Settings), "jobs"}
    for key in place.source.data.keys() - known:
        place.at(key).fault("unknown section", nearest(key, known))
    raw = {key: _copy(value) for key, value in place.source.data.items() if key != "jobs"}
    if raw.get("pools", {}) == {}:
        raw["pools"] = {DEFAULT_POOL: {}}
    environment.overlay(raw, environ, place.report)
    celery.take_over(raw, environ, place.report)
    plain = {
        name: read_table(setting.base, raw.get(name, {}), place.at(name)) or setting.default
        for name, setting in settings_of(Settings).items()
        if isinstance(setting.base, type)
    }
    pools = _pools(raw["pools"], place.at("pools"))
    queues = _queues(raw.get("queues", {}), place.at("queues"))
    outputs = _outputs(raw.get("outputs", {}), place.at("outputs"))
    return Settings(**plain, pools=pools, queues=queues, outputs=outputs)


def _pools(data: Any, place: Place) -> dict[str, PoolSettings]:
    """Return the pools by name."""
    pools = {}
    for name, table in place.table(data).items():
        if not _POOL_NAME.fullmatch(name):
            place.at(name).fault(f"'{name}' is not a pool's name", "small letters, digits, - and _, a letter first")
        pools[name] = read_table(PoolSettings, table, place.at(name)) or PoolSettings()
    return pools


def _outputs(data: Any, place: Place) -> dict[str, OutputSettings]:
    """Return the outputs by name."""
    outputs = {}
    for name, table in place.table(data).items():
        if not _POOL_NAME.fullmatch(name):
            place.at(name).fault(f"'{name}' is not an output's name", "small letters, digits, - and _, a letter first")
        read = read_table(OutputSettings, table, place.at(name))
        if read is not None:
            outputs[name] = read
    return outputs


def _queues(data: Any, place: Place) -> dict[QueueClass, QueueSettings]:
    """Return every class's limits: what the file sets over the class's own defaults."""
    table, defaults = place.table(data), Settings().queues
    words = [queue.value for queue in QueueClass]
    for key in table.keys() - set(words):
        place.at(key).fault("unknown queue class", nearest(key, words))
    return {
        queue: read_table(QueueSettings, table.get(queue.value, {}), place.at(queue.value), base) or base
        for queue, base in defaults.items()
    }


def _copy(value: Any) -> Any:
    """Return a table that may be written to, tables in it included."""
    return {key: _copy(each) for key, each in value.items()} if isinstance(value, dict) else value
