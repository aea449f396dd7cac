"""Credentials of protocol "ssh".

[credentials.routers]
protocol = "ssh"
user = "poller"
password = { env = "SSH_PASSWORD" }           # or key, with passphrase and certificate; or agent
enable = { file = "/etc/streampoll/enable" }  # of privileged mode

[credentials.routers.jump]                    # the host that these devices are reached through
host = "bastion.example.net"
user = "jump"
key = { file = "/etc/streampoll/id_ed25519" }
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.keeping import SecretSource, read_source
from streampoll.config.recipe import Recipe
from streampoll.config.secret import Secret
from streampoll.ssh.credential import NO_SECRET, JumpHost, SshCredential

_SECRETS = ("password", "key", "passphrase", "certificate", "enable")


@dataclass(frozen=True, slots=True)
class _LoginTable:
    user: str
    password: Any = None
    key: Any = None
    passphrase: Any = None
    certificate: Any = None
    agent: Any = None
    enable: Any = None


@dataclass(frozen=True, slots=True)
class _JumpTable:
    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 22


@dataclass(frozen=True, slots=True)
class _Login:
    """A login of which everything is known but its secrets."""

    user: str
    agent: str
    sources: Mapping[str, SecretSource]

    def make(self, found: Mapping[str, Secret], prefix: str, jump: JumpHost | None = None) -> SshCredential:
        """Return the login. Raises ValueError: its parts don't go together."""
        secrets = {name: found.get(prefix + name, NO_SECRET) for name in _SECRETS}
        return SshCredential(self.user, agent=self.agent, jump=jump, **secrets)


def read_ssh(table: dict[str, Any], place: Place) -> Recipe | None:
    """Return the recipe of a user, with the jump host if there is one."""
    jump_data = table.pop("jump", None)
    login = _login(table, place)
    if jump_data is None:
        return None if login is None else Recipe(dict(login.sources), lambda found: login.make(found, ""))
    here = place.at("jump")
    data = dict(here.table(jump_data))
    jump = read_table(_JumpTable, {name: data.pop(name) for name in ("host", "port") if name in data}, here)
    through = _login(data, here)
    if login is None or jump is None or through is None:
        return None
    sources = {**login.sources, **{f"jump.{name}": source for name, source in through.sources.items()}}
    return Recipe(
        sources,
        lambda found: login.make(found, "", JumpHost(jump.host, through.make(found, "jump."), jump.port)),
    )


def _login(data: Mapping[str, Any], place: Place) -> _Login | None:
    """Return a user and where its secrets are; None with faults."""
    before = len(place.report.faults)
    read = read_table(_LoginTable, data, place)
    if read is None:
        return None
    sources: dict[str, SecretSource] = {}
    for name in _SECRETS:
        value = getattr(read, name)
        source = read_source(value, place.at(name)) if value is not None else None
        if source is not None:
            sources[name] = source
    agent = _agent(read.agent, place.at("agent"))
    if read.password is None and read.key is None and read.agent is None:
        place.fault("has nothing to log in with", "give it a password, a key or agent = true")
    for name in ("passphrase", "certificate"):
        if getattr(read, name) is not None and read.key is None:
            place.at(name).fault("goes with a key, and there is none", "set key, or leave it out")
    return _Login(read.user, agent, sources) if len(place.report.faults) == before else None


def _agent(value: Any, place: Place) -> str:
    """Return the socket of the ssh-agent: its path, or with `true` that of SSH_AUTH_SOCK; "" for none."""
    if value is None or value is False:
        return ""
    if isinstance(value, str) and value:
        return value
    path = os.environ.get("SSH_AUTH_SOCK", "") if value is True else ""
    if not path:
        place.fault("names no ssh-agent", "write the path of its socket, or true where SSH_AUTH_SOCK is set")
    return path
