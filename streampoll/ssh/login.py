"""One login on asyncssh: the host key is judged, recorded if it is the first, and only then is anything proved.

A password is offered once a connection, by whichever method the device asks for it first: asyncssh and ssh would try it
twice, and two wrong ones a poll lock an account.
"""

import logging
from collections.abc import Sequence
from typing import Any

import asyncssh

from streampoll.ssh.credential import SshCredential
from streampoll.ssh.port import Endpoint, HostKeys, SshFailure, Trust, known_name
from streampoll.ssh.verify import Verdict, judge, refusal

log = logging.getLogger(__name__)


class Login(asyncssh.SSHClient):
    """What asyncssh asks during a handshake."""

    def __init__(
        self,
        endpoint: Endpoint,
        credential: SshCredential,
        trust: Trust,
        keys: HostKeys,
        first_use: bool,
        pairs: Sequence[Any],
    ) -> None:
        self._endpoint = endpoint
        self.trust = trust
        self._keys = keys
        self._first_use = first_use
        self._first: str = ""  # a key that is to be recorded
        self._password: str | None = credential.password.reveal() or None
        self._pairs = pairs
        self._agent_path = credential.agent
        self._agent: Any = None
        self.failure: SshFailure | None = None  # why the key was refused
        self.connected = False  # whether asyncssh has taken the socket over

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Note that the socket is asyncssh's to close now."""
        self.connected = True

    def close(self) -> None:
        """Let go of the agent; after the handshake nothing is signed any more."""
        if self._agent is not None:
            self._agent.close()

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Judge a plain host key."""
        text = key_text(key)
        verdict = judge(self.trust, text)
        if verdict is Verdict.KNOWN:
            return True
        if verdict is Verdict.FIRST and self._first_use:
            self._first = text
            return True
        self.failure = refusal(verdict, self._endpoint, text, self.trust, self._keys)
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Judge the authority that signed a host certificate; asyncssh checks the rest of it."""
        text = key_text(key)
        if text in self.trust.authorities and text not in self.trust.revoked:
            return True
        self.failure = refusal(Verdict.CHANGED, self._endpoint, text, self.trust, self._keys)
        return False

    async def settle(self) -> None:
        """Record a first key. Raises SshFailure: it can't be recorded, or another process recorded another one."""
        key, self._first = self._first, ""
        if not key:
            return
        name = known_name(self._endpoint.host, self._endpoint.port)
        try:
            trust = await self._keys.record(name, key)
            if judge(trust, key) is not Verdict.KNOWN:
                raise refusal(Verdict.CHANGED, self._endpoint, key, trust, self._keys)
        except SshFailure as failure:
            self.failure = failure
            raise

    async def public_key_auth_requested(self) -> Any:
        """Offer the key pairs, those of the agent last, once."""
        await self.settle()
        pairs, self._pairs = list(self._pairs), ()
        if self._agent_path:
            pairs += await self._ask_agent()
        return pairs or None

    async def _ask_agent(self) -> Sequence[Any]:
        path, self._agent_path = self._agent_path, ""
        try:
            self._agent = await asyncssh.connect_agent(path)
            return await self._agent.get_keys()  # type: ignore[no-any-return]
        except (OSError, ValueError):
            log.warning("ssh-agent at %s does not answer; its keys are not offered", path)
            return ()

    async def password_auth_requested(self) -> str | None:
        """Offer the password, if it was not used yet."""
        await self.settle()
        password, self._password = self._password, None
        return password

    async def kbdint_auth_requested(self) -> str | None:
        """Answer questions as long as there is a password to answer with."""
        await self.settle()
        return "" if self._password is not None else None

    def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: Any) -> Sequence[str] | None:
        """Answer a single hidden question with the password; what is only said needs no answer."""
        if not prompts:
            return []
        if len(prompts) > 1 or prompts[0][1]:
            return None
        password, self._password = self._password, None
        return None if password is None else [password]


def key_text(key: asyncssh.SSHKey) -> str:
    """Return a public key as known_hosts has it, without a comment."""
    return " ".join(key.export_public_key("openssh").decode().split()[:2])
