"""Making asyncssh's connector only where a device is polled over SSH: its import costs tens of megabytes."""

from pathlib import Path

from streampoll.config.settings import SshSettings
from streampoll.ssh.hostkeys import KnownHostsFile
from streampoll.ssh.port import Connector


def make_connector(settings: SshSettings) -> Connector:
    """Make the connector of this process, inside the running loop."""
    from streampoll.ssh.client import AsyncsshConnector

    keys = KnownHostsFile(Path(settings.known_hosts).expanduser())
    return AsyncsshConnector(keys, settings.host_keys == "first-use", settings.keepalive_s, settings.logins)
