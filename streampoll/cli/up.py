"""`streampoll up`: everything on one machine, with embedded servers for those that the configuration doesn't name."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from streampoll.cli.options import config_option
from streampoll.config.load import load_settings, source_directory
from streampoll.config.settings import PoolSettings, Settings
from streampoll.embedded.endpoints import Endpoints, needs_postgres, needs_redis, publish, withdraw


@click.command("up")
@config_option
@click.option("--processes", type=click.IntRange(1, 1024), help="Worker processes, instead of the pools' numbers.")
def command(config: Path, processes: int | None) -> int:
    """Run coordinator, workers, store and API on this machine, until SIGTERM or Ctrl-C.

    Redis and PostgreSQL are brought along (their data in `data/` of the configuration) unless redis.url and
    postgres.dsn name servers. Pools of the configuration are run, two processes in all if there is none.

    \b
    Examples:
      streampoll init net && streampoll up --config net
      streampoll stats --config net --watch          # in another terminal
    """
    from streampoll.app.api_role import api_roles  # here: `--help` need not load the clients
    from streampoll.app.coordinator import coordinator_role
    from streampoll.app.files import Files
    from streampoll.app.worker import worker_role
    from streampoll.cli.supervise import supervise, unwind_on_stop
    from streampoll.worker.crew import Role

    def roles(files: Files, settings: Settings) -> list[Role]:
        pools = pools_of(settings, processes)
        workers = [worker_role(files, settings, *pool) for pool in pools.items()]
        return [coordinator_role(files, settings), *workers, *api_roles(files, settings)]

    unwind_on_stop()
    settings = load_settings(config, os.environ)
    with embedded_servers(source_directory(config) / settings.paths.data, settings):
        return supervise(config, roles)


def pools_of(settings: Settings, processes: int | None) -> dict[str, PoolSettings]:
    """Return the pools to run here: those of the configuration, or one for everything."""
    if processes or not settings.pools:
        return {"": PoolSettings(processes=processes or min(os.cpu_count() or 2, 4))}
    return dict(settings.pools)


@contextmanager
def embedded_servers(data: Path, settings: Settings) -> Iterator[Endpoints]:
    """Run the servers that no setting names, in `data`; from now on `read_settings` finds them there."""
    from streampoll.embedded.postgres import EmbeddedPostgres
    from streampoll.embedded.redis import EmbeddedRedis

    redis_url, postgres_dsn = settings.redis.url, settings.postgres.dsn
    if not data.exists():
        data.mkdir(parents=True)
        data.chmod(0o711)  # each server's own folder is closed; PostgreSQL's user, not root, must get to its
    with ExitStack() as stack:
        if needs_redis(settings):
            redis_url = stack.enter_context(EmbeddedRedis(data / "redis")).url
        if needs_postgres(settings):
            postgres_dsn = stack.enter_context(EmbeddedPostgres(data / "postgres")).dsn
        endpoints = Endpoints(redis_url, postgres_dsn)
        if needs_redis(settings) or needs_postgres(settings):
            publish(data, endpoints)
            stack.callback(withdraw, data)
        yield endpoints
