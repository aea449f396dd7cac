"""`streampoll coordinator`: dispatches what is due. Any number may run: one leads, the others stand by."""

from pathlib import Path

import click

from streampoll.cli.options import config_option


@click.command("coordinator")
@config_option
def command(config: Path) -> int:
    """Dispatch what is due, in the foreground, until SIGTERM or Ctrl-C.

    Start one on each of several hosts: one leads, and when it dies another takes over within its lease. Changes to
    jobs and inventory are taken up as the files change; SIGHUP reads everything again.

    \b
    Examples:
      streampoll coordinator --config /etc/streampoll
    """
    from streampoll.app.coordinator import coordinator_role  # here: `--help` need not load the clients
    from streampoll.cli.supervise import supervise

    return supervise(config, lambda files, settings: [coordinator_role(files, settings)])
