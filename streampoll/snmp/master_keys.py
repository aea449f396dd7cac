"""Master keys, each made once a process and off the event loop; and the localized keys made of them."""

import asyncio
import os
from hashlib import blake2b

from streampoll.config.secret import Secret
from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser
from streampoll.snmp.usm import LocalKeys, is_slow, local_keys, master_key


class _Hidden:
    """A key on its way from the thread: a future shows its result in its repr, and asyncio's debug log shows that."""

    __slots__ = ("key",)

    def __init__(self, protocol: AuthProtocol, passphrase: Secret) -> None:
        self.key = master_key(protocol, passphrase.reveal().encode())


class MasterKeys:
    """Keys by hash and passphrase. Bound to the running loop; a thread of its executor does the hashing."""

    __slots__ = ("_made", "_salt")  # what is made is as secret as the passphrases: shown nowhere

    def __init__(self) -> None:
        self._made: dict[bytes, asyncio.Future[_Hidden]] = {}
        self._salt = os.urandom(16)

    async def localized(self, user: UsmUser, engine_id: bytes) -> LocalKeys:
        """Return a user's keys on an engine."""
        auth = await self._master(user.auth_protocol, user.auth_key)
        priv = b""
        if user.priv_protocol is not PrivProtocol.NONE:
            priv = await self._master(user.auth_protocol, user.priv_key)
        if is_slow(user):
            return await asyncio.get_running_loop().run_in_executor(None, local_keys, user, auth, priv, engine_id)
        return local_keys(user, auth, priv, engine_id)

    async def _master(self, protocol: AuthProtocol, passphrase: Secret) -> bytes:
        """Find a master key, or make it; whoever needs it meanwhile waits for the same one."""
        if protocol is AuthProtocol.NONE:
            return b""
        text = passphrase.reveal().encode()
        name = blake2b(protocol.encode() + b"\0" + text, key=self._salt, digest_size=32).digest()
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = asyncio.get_running_loop().run_in_executor(None, _Hidden, protocol, passphrase)
        return (await asyncio.shield(made)).key
