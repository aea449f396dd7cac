"""`streampoll api`: the HTTP API and the dashboard."""

from pathlib import Path

import click

from streampoll.cli.options import config_option


@click.command("api")
@config_option
def command(config: Path) -> int:
    """Serve the HTTP API and the dashboard, in the foreground, until SIGTERM or Ctrl-C.

    On 127.0.0.1:5000 unless `[api]` says otherwise, for this host alone: `streampoll token create` makes a token for
    others. `streampoll up` and `streampoll demo` serve it by themselves.

    \b
    Examples:
      streampoll api --config /etc/streampoll
      curl -s http://127.0.0.1:5000/api/scheduler/queues | jq .data.active
    """
    from streampoll.app.api_role import api_role  # here: `--help` need not load the clients
    from streampoll.cli.supervise import supervise

    return supervise(config, lambda files, settings: [api_role(files, settings)])
