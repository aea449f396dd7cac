"""`streampoll metrics`: figures for Prometheus over HTTP."""

import asyncio
import os
from pathlib import Path

import click

from streampoll.cli import EXIT_FAILED
from streampoll.cli.options import config_option
from streampoll.embedded.endpoints import read_settings


@click.command("metrics")
@config_option
@click.option("--listen", metavar="HOST:PORT", help="Where to answer, instead of metrics.listen.")
@click.option("--once", is_flag=True, help="Print the page and end, without a server.")
def command(config: Path, listen: str | None, once: bool) -> int:
    """Serve /metrics and /metrics/device for Prometheus, until SIGTERM or Ctrl-C.

    One process answers for the whole fleet: it reads what all of them have told Redis. /metrics/device?target=NAME
    gives a device's last stored values in snmp_exporter's way, without asking the device.
    With --once the exit code is 1 if Redis could not be read.

    \b
    Examples:
      streampoll metrics --once
      streampoll metrics --listen 0.0.0.0:9585
      curl 'http://127.0.0.1:9585/metrics/device?target=core-1&module=interfaces'
    """
    from streampoll.observe.metrics_app import read_address  # here: `--help` need not load the server

    settings = read_settings(config, os.environ)
    if once:
        return asyncio.run(_print(config))
    address = read_address("--listen" if listen else "metrics.listen", listen or settings.metrics.listen)
    asyncio.run(_serve(config, address))
    return 0


async def _print(config: Path) -> int:
    from streampoll.app.metrics import open_metrics

    async with open_metrics(config) as metrics:
        page = (await metrics.fleet()).decode()
    click.echo(page, nl=False)
    return EXIT_FAILED if "streampoll_redis_up 0.0" in page else 0


async def _serve(config: Path, address: tuple[str, int]) -> None:
    from streampoll.app.metrics import serve_metrics

    await serve_metrics(config, address, lambda url: click.echo(f"answering on {url}/metrics", err=True))
