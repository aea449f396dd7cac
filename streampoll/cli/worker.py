"""`streampoll worker`: forked processes that poll, store and do the rest of the work."""

from dataclasses import replace
from pathlib import Path

import click

from streampoll.cli.options import config_option
from streampoll.config.report import nearest
from streampoll.config.settings import PoolSettings, Settings
from streampoll.errors import ConfigError, Fault
from streampoll.model import SERVED, QueueClass


@click.command("worker")
@config_option
@click.option("--pool", "name", metavar="NAME", help="The pool of the configuration to be: its queues and numbers.")
@click.option("--queues", metavar="A,B", help="Queue classes to serve instead (polling, results, …).")
@click.option("--processes", type=click.IntRange(1, 1024), help="Processes to fork.")
@click.option("--concurrency", type=click.IntRange(1, 100_000), help="Targets polled at a time by each process.")
def command(config: Path, name: str | None, queues: str | None, processes: int | None, concurrency: int | None) -> int:
    """Poll, store and do what else is queued, in the foreground, until SIGTERM or Ctrl-C.

    Without --pool or --queues it serves all classes. SIGTERM drains: what is in flight is finished or handed back.

    \b
    Examples:
      streampoll worker --config /etc/streampoll
      streampoll worker --pool polling
      streampoll worker --queues polling,results --processes 2 --concurrency 500
    """
    from streampoll.app.worker import worker_role  # here: `--help` need not load the clients
    from streampoll.cli.supervise import supervise

    if name and queues:
        raise click.UsageError("--pool and --queues say the same thing twice; give one of them")

    def chosen(settings: Settings) -> PoolSettings:
        pool = find_pool(settings, name) if name else PoolSettings()
        changes = {
            "queues": parse_queues(queues) if queues else None, "processes": processes, "concurrency": concurrency,
        }  # fmt: skip
        return replace(pool, **{key: value for key, value in changes.items() if value is not None})  # type: ignore[arg-type]

    return supervise(config, lambda files, settings: [worker_role(files, settings, name or "", chosen(settings))])


def find_pool(settings: Settings, name: str) -> PoolSettings:
    """Return a pool of the configuration."""
    if name in settings.pools:
        return settings.pools[name]
    hint = nearest(name, settings.pools) or f"write [pools.{name}] in streampoll.toml"
    raise ConfigError([Fault("--pool", f"there is no pool {name!r}", hint)])


def parse_queues(text: str) -> tuple[QueueClass, ...]:
    """Read a comma-separated list of queue classes."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in SERVED]
    if wrong or not names:
        what = f"there is no queue class {wrong[0]!r}" if wrong else "names no queue class"
        raise ConfigError([Fault("--queues", what, f"write some of {', '.join(SERVED)}")])
    return tuple(dict.fromkeys(QueueClass(name) for name in names))
