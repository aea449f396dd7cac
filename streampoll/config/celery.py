"""The variables of the Celery deployment that streampoll replaces: taken over, or refused with the name to use.

What is taken over ranks below streampoll.toml and STREAMPOLL_*, and is always reported, so that nobody wonders where a
value comes from. Refused is what would do harm under its old meaning.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from streampoll.config.convert import Place
from streampoll.config.environment import Raw, SettingPath, pool_names, put, variable
from streampoll.config.report import Report
from streampoll.config.settings import PoolSettings, PostgresSettings, QueueSettings, RedisSettings
from streampoll.config.table import settings_of

_SECTIONS = {"redis": RedisSettings, "postgres": PostgresSettings, "pools": PoolSettings, "queues": QueueSettings}


def take_over(raw: Raw, environ: Mapping[str, str], report: Report) -> None:
    """Put into `raw` what the Celery variables set and nothing else does; refuse those that have no place here."""
    for name, reader in _READERS.items():
        if text := environ.get(name, "").strip():
            reader(raw, text, variable(name, report))


def _broker(raw: Raw, text: str, place: Place) -> None:
    scheme = _scheme(text)
    if is_set(raw, ("redis", "url")):
        place.notice("not used: redis.url is set")
    elif scheme == "redis+socket" and ";" not in text:
        path = text.partition("://")[2].replace("virtual_host=", "db=")
        _take(raw, ("redis", "url"), f"unix://{path}", place)
    elif scheme in ("redis", "rediss") and ";" not in text:
        _take(raw, ("redis", "url"), text, place)
    else:
        place.fault(
            f"{scheme or 'this'} is not a broker that streampoll can use",
            "set STREAMPOLL_REDIS_URL to one Redis (redis://HOST:PORT/DB) and unset this",
        )


def _backend(raw: Raw, text: str, place: Place) -> None:
    found = re.fullmatch(r"(?:db\+)?postgres(?:ql)?(?:\+\w+)?(://.+)", text)
    if is_set(raw, ("postgres", "dsn")):
        place.notice("not used: postgres.dsn is set")
    elif found:
        _take(raw, ("postgres", "dsn"), f"postgresql{found[1]}", place)
    else:
        place.fault(
            f"results are not kept in {_scheme(text) or 'this'}",
            "set STREAMPOLL_POSTGRES_DSN (postgresql://USER@HOST/DATABASE) and unset this",
        )


def _prefetch(raw: Raw, text: str, place: Place) -> None:
    if text == "0":
        place.fault("0 means no bound to Celery, and none held to streampoll", "set pools.NAME.prefetch and unset this")
        return
    for pool in pool_names(raw):
        _take(raw, ("pools", pool, "prefetch"), text, place)


def _soft_limit(raw: Raw, text: str, place: Place) -> None:
    _take(raw, ("queues", "polling", "soft_limit_s"), text, place)


def _hard_limit(raw: Raw, text: str, place: Place) -> None:
    _take(raw, ("queues", "polling", "hard_limit_s"), text, place)


def _pool_limit(raw: Raw, text: str, place: Place) -> None:
    place.fault(
        "there is no pool of broker connections to bound",
        "unset this: a process holds one connection for each blocking reader and one for its commands",
    )


def _visibility(raw: Raw, text: str, place: Place) -> None:
    place.fault(
        "not taken over: leases are renewed while a poll runs, so they need not outlast it",
        "unset this; queues.polling.claim_idle_s (30 s) is how soon the work of a dead process is claimed",
    )


_READERS: dict[str, Callable[[Raw, str, Place], None]] = {
    "CELERY_BROKER_URL": _broker,
    "CELERY_RESULT_BACKEND": _backend,
    "CELERY_PREFETCH_MULTIPLIER": _prefetch,
    "CELERY_TASK_SOFT_LIMIT": _soft_limit,
    "CELERY_TASK_HARD_LIMIT": _hard_limit,
    "CELERY_BROKER_POOL_LIMIT": _pool_limit,
    "CELERY_VISIBILITY_TIMEOUT": _visibility,
}


def is_set(raw: Raw, path: SettingPath) -> bool:
    """Return True if the file or a STREAMPOLL_ variable sets `path`."""
    table: Any = raw
    for name in path[:-1]:
        table = table.get(name, {}) if isinstance(table, dict) else {}
    return isinstance(table, dict) and path[-1] in table


def _take(raw: Raw, path: SettingPath, text: str, place: Place) -> None:
    """Set `path` unless it is set, and say which of the two happened."""
    if is_set(raw, path):
        place.notice(f"not used: {'.'.join(path)} is set")
        return
    before = len(place.report.faults)
    put(raw, path, settings_of(_SECTIONS[path[0]])[path[-1]], text, place)
    if len(place.report.faults) == before:
        place.notice(f"taken over as {'.'.join(path)}")


def _scheme(text: str) -> str:
    """Return a URL's scheme, the only part of it that is sure to hold no password."""
    found = re.match(r"[a-z][a-z0-9+.-]*(?=:)", text, re.IGNORECASE)
    return found[0].lower() if found else ""
