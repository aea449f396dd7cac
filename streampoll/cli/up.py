"""`streampoll up`: everything on one machine, with embedded servers for those that the configuration doesn't name."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from streampoll.cli.options import config_option
from streampoll.config.settings import PoolSettings, Settings
from streampoll.model import QueueClass


@click.command("up")
@config_option
@click.option("--processes", type=click.IntRange(1, 1024), help="Worker processes, instead of the pools' numbers.")
def command(config: Path, processes: int | None) -> int:
    """Run coordinator, workers and store on this machine, until SIGTERM or Ctrl-C.

    Redis and PostgreSQL are brought along (their data in `data/` of the configuration) unless redis.url and
    postgres.dsn name servers. Pools of the configuration are run, two processes in all if there is none.

    \b
    Examples:
      streampoll init net && streampoll up --config net
      streampoll stats --config net --watch          # in another terminal
    """
    from streampoll.app import Files, coordinator_role, read_settings, worker_role  # here: `--help` loads no clients
    from streampoll.logs import set_up_logs
    from streampoll.worker.crew import Role
    from streampoll.worker.supervisor import Supervisor

    settings = read_settings(config, os.environ)
    set_up_logs(settings.log)
    with embedded_servers(config, settings) as running:

        def roles() -> Sequence[Role]:
            files = Files(config, os.environ)
            fresh = read_settings(config, os.environ) if running is settings else running
            workers = [worker_role(files, fresh, name, pool) for name, pool in pools_of(fresh, processes).items()]
            return [coordinator_role(files, fresh), *workers]

        return Supervisor(roles(), roles).run()


def pools_of(settings: Settings, processes: int | None) -> dict[str, PoolSettings]:
    """Return the pools to run here. Those of the configuration are made for hosts: each gets what this machine can do.

    Every class must have a process, so without a pool that serves all of them one is added.
    """
    cores = os.cpu_count() or 2
    if processes or not settings.pools:
        return {"": PoolSettings(processes=processes or min(cores, 4))}
    return dict(settings.pools)


@contextmanager
def embedded_servers(where: Path, settings: Settings) -> Iterator[Settings]:
    """Run the servers that no setting names; yields settings that point to them."""
    from streampoll.app import source_directory
    from streampoll.embedded import endpoints
    from streampoll.embedded.postgres import EmbeddedPostgres
    from streampoll.embedded.redis import EmbeddedRedis

    data = source_directory(where) / settings.paths.data
    with ExitStack() as stack:
        redis_url, postgres_dsn = settings.redis.url, settings.postgres.dsn
        if endpoints.needs_redis(settings):
            redis_url = stack.enter_context(EmbeddedRedis(data / "redis")).url
        if endpoints.needs_postgres(settings):
            postgres_dsn = stack.enter_context(EmbeddedPostgres(data / "postgres")).dsn
        found = endpoints.Endpoints(redis_url, postgres_dsn)
        if (redis_url, postgres_dsn) != (settings.redis.url, settings.postgres.dsn):
            endpoints.publish(data, found)
            stack.callback(endpoints.withdraw, data)
        yield endpoints.adopt(settings, found)


__all__ = ["QueueClass", "command", "embedded_servers", "pools_of"]
