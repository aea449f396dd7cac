"""Where a configuration's embedded servers are: `up` writes it down, so that `stats`, `audit` and others find them.

The file has passwords, so only its owner can read it. It is there while `up` runs; one that a killed `up` left behind
leads nowhere, since each start has another port and password, and the next start replaces it.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from streampoll.config.load import load_settings, source_directory
from streampoll.config.secret import Secret
from streampoll.config.settings import PostgresSettings, RedisSettings, Settings

_NAME = "endpoints.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What clients need to know of the servers."""

    redis_url: Secret
    postgres_dsn: Secret


def needs_redis(settings: Settings) -> bool:
    """Return True if no Redis is named, so that `up` brings its own."""
    return settings.redis.url == RedisSettings().url


def needs_postgres(settings: Settings) -> bool:
    """Return True if no PostgreSQL is named, so that `up` brings its own."""
    return settings.postgres.dsn == PostgresSettings().dsn


def publish(directory: Path, endpoints: Endpoints) -> None:
    """Write the endpoints for other commands, whole or not at all."""
    temporary = directory / f"{_NAME}.{os.getpid()}"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"redis": endpoints.redis_url.reveal(), "postgres": endpoints.postgres_dsn.reveal()}, file)
    temporary.rename(directory / _NAME)


def withdraw(directory: Path) -> None:
    """Remove them: the servers are about to stop."""
    with suppress(OSError):
        (directory / _NAME).unlink()


def adopt(settings: Settings, endpoints: Endpoints) -> Settings:
    """Return settings with the embedded servers wherever no other is named."""
    redis, postgres = settings.redis, settings.postgres
    if needs_redis(settings):
        redis = replace(redis, url=endpoints.redis_url)
    if needs_postgres(settings):
        postgres = replace(postgres, dsn=endpoints.postgres_dsn)
    return replace(settings, redis=redis, postgres=postgres)


def read_settings(where: Path, environ: Mapping[str, str]) -> Settings:
    """Read the settings of a configuration; the servers of an `up` that runs it stand in for those not named.

    Raises:
        ConfigError: they can't be used.
    """
    settings = load_settings(where, environ)
    return _adopt_running(settings, source_directory(where) / settings.paths.data)


def _adopt_running(settings: Settings, directory: Path) -> Settings:
    try:
        said = json.loads((directory / _NAME).read_text(encoding="utf-8"))
        return adopt(settings, Endpoints(Secret(said["redis"]), Secret(said["postgres"])))
    except (OSError, ValueError, KeyError, TypeError):
        return settings
