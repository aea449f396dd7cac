"""How we prove to a device who we are, and by which bastion it is reached.

The secrets in here are revealed where a connection is made (client.py) and where a shell asks for one (shell.py).
Equal credentials are one: a connection is kept under its credential, so a rotated secret makes a new connection.
"""

from dataclasses import dataclass
from typing import Final

from streampoll.config.secret import Secret

NO_SECRET: Final = Secret("")


@dataclass(frozen=True, slots=True)
class SshCredential:
    """A user with whatever it may log in by; all that is given is offered, a password once a connection."""

    user: str
    password: Secret = NO_SECRET
    key: Secret = NO_SECRET  # a private key's text, OpenSSH or PEM
    passphrase: Secret = NO_SECRET  # of the key
    certificate: Secret = NO_SECRET  # OpenSSH certificate of the key; public, but kept as its key is
    agent: str = ""  # socket of an ssh-agent; "": none is asked
    enable: Secret = NO_SECRET  # for privileged mode
    jump: "JumpHost | None" = None

    def __post_init__(self) -> None:
        if not (self.password or self.key or self.agent):
            raise ValueError("a user needs a password, a key or an agent")
        if (self.certificate or self.passphrase) and not self.key:
            raise ValueError("a certificate or passphrase goes with a key")


@dataclass(frozen=True, slots=True)
class JumpHost:
    """The host that devices are reached through; one connection to it carries those to all of them."""

    host: str
    login: SshCredential
    port: int = 22
