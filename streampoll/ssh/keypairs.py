"""Private keys made ready to sign: read in a thread (a passphrase takes a good part of a second), once a credential."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncssh

from streampoll.model import Status
from streampoll.ssh.credential import SshCredential
from streampoll.ssh.port import SshFailure


class KeyPairs:
    """The key pairs of credentials. For one event loop."""

    def __init__(self) -> None:
        self._made: dict[SshCredential, asyncio.Task[Sequence[Any]]] = {}

    async def of(self, credential: SshCredential) -> Sequence[Any]:
        """Return a credential's key pairs, none if it has no key. Raises SshFailure: its key can't be used."""
        if not credential.key:
            return ()
        task = self._made.get(credential)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(_load, credential), name="ssh key")
            self._made[credential] = task
        return await asyncio.shield(task)


def _load(credential: SshCredential) -> Sequence[Any]:
    passphrase = credential.passphrase.reveal() or None
    try:
        key = asyncssh.import_private_key(credential.key.reveal() + "\n", passphrase)
        if not credential.certificate:
            return asyncssh.load_keypairs([key])
        certificate = asyncssh.import_certificate(credential.certificate.reveal())
        return asyncssh.load_keypairs([(key, certificate)])
    except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError, ValueError):
        remedy = "see that key, passphrase and certificate belong together (ssh-keygen -y -f KEY)"
    raise SshFailure(Status.CONFIG, f"the key of user {credential.user!r} can't be used; {remedy}")
