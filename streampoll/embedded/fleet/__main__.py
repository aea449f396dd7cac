"""`python -m streampoll.embedded.fleet`: the fleet as a child process of a test, a benchmark or the demo."""

import sys
from typing import Any

import click

from streampoll.embedded.fleet.options import fleet_options, read_settings
from streampoll.embedded.fleet.process import ProcessOptions, run
from streampoll.errors import ConfigError


@click.command()
@fleet_options
@click.option("--report", is_flag=True, help="Print the figures as one line of JSON at the end.")
@click.option("--parent", type=int, default=0, metavar="PID", help="End when the process that started this one does.")
def main(report: bool, parent: int, **options: Any) -> None:
    """Run a simulated fleet; print {"port": N} when it answers."""
    try:
        run(read_settings(options), ProcessOptions(report, parent))
    except ConfigError as error:
        click.echo(error, err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
