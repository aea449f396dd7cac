"""The adapter of asyncssh: connections, channels, jump hosts. Imported when the first device is polled over SSH.

asyncssh is told as little as possible: no configuration of its user (~/.ssh), no default keys or agents, no secrets in
its options (login.py hands them over one by one). Its log stops at warnings, since at DEBUG it repeats what is sent.
"""

import asyncio
import logging
import socket
import warnings
from typing import Any, Final

import asyncssh

from streampoll.model import Status
from streampoll.ssh.algorithms import LEGACY, SAFE, host_key_algorithms
from streampoll.ssh.channels import ExecSession, ShellSession
from streampoll.ssh.credential import JumpHost, SshCredential
from streampoll.ssh.jump import Jump
from streampoll.ssh.keypairs import KeyPairs
from streampoll.ssh.login import Login
from streampoll.ssh.port import Endpoint, HostKeys, SshFailure, known_name
from streampoll.ssh.troubles import failure_of
from streampoll.ssh.turns import Turns

TERMINAL: Final = (511, 1000)  # columns and rows: wide enough for no line to break, long enough for few pagers
_MOST_SAID: Final = 1_000  # warnings of a process about host keys
_KEEPALIVES: Final = 3  # unanswered ones after which a connection is dead

log = logging.getLogger(__name__)


class AsyncsshConnection:
    """A connection that is logged in."""

    def __init__(self, endpoint: Endpoint, connection: Any, jump: Jump | None) -> None:
        self._endpoint = endpoint
        self._connection = connection
        self._jump = jump
        self.heard = False

    @property
    def alive(self) -> bool:
        """False once either side has closed it."""
        return not self._connection.is_closed()

    async def execute(self, command: str, max_bytes: int) -> tuple[str, int]:
        """Run a command on a channel of its own; its output and exit status. Raises SshFailure."""
        self.heard = False
        channel, session = await self._open(lambda: ExecSession(self._endpoint, max_bytes), command=command)
        self.heard = True
        try:
            output: tuple[str, int] = await session.finished()
            return output
        finally:
            channel.close()

    async def open_shell(self) -> ShellSession:
        """Open a wide terminal. Raises SshFailure."""
        _, session = await self._open(
            lambda: ShellSession(self._endpoint), request_pty="force", term_type="vt100", term_size=TERMINAL
        )
        return session  # type: ignore[no-any-return]

    async def _open(self, factory: Any, **options: Any) -> tuple[Any, Any]:
        try:
            return await self._connection.create_session(factory, encoding=None, **options)  # type: ignore[no-any-return]
        except (asyncssh.Error, OSError) as error:
            raise failure_of(error, self._endpoint) from None

    def close(self) -> None:
        """Hang up; returns at once."""
        self._connection.close()
        if self._jump is not None:
            self._jump.leave()
            self._jump = None

    async def closed(self) -> None:
        """Wait until it is closed."""
        await self._connection.wait_closed()


class AsyncsshConnector:
    """Makes connections with asyncssh. For one event loop."""

    def __init__(self, keys: HostKeys, first_use: bool, keepalive_s: float, logins: int) -> None:
        self._keys = keys
        self._first_use = first_use
        self._turns = Turns(logins)
        self._pairs = KeyPairs()
        self._jumps: dict[JumpHost, Jump] = {}
        self._said: set[str] = set()
        self._bases: dict[tuple[str, bool], Any] = {}  # asyncssh's options by user and legacy
        self._fixed: dict[str, Any] = {
            "config": None,
            "client_keys": None,  # and with it no agent
            "gss_host": None,
            "x509_trusted_certs": None,
            "x509_trusted_cert_paths": [],
            "keepalive_interval": keepalive_s,
            "keepalive_count_max": _KEEPALIVES,
            "login_timeout": 0,  # connecting is bounded here
            "preferred_auth": ("publickey", "keyboard-interactive", "password"),
        }
        asyncssh.set_log_level(logging.WARNING)
        warnings.filterwarnings("ignore", "Diffie-Hellman over finite fields")  # for a device it may be all there is

    async def connect(self, endpoint: Endpoint, credential: SshCredential, timeout_s: float) -> AsyncsshConnection:
        """Connect and log in. Raises SshFailure."""
        if credential.jump is None:
            return AsyncsshConnection(endpoint, await self._through(None, endpoint, credential, timeout_s), None)
        host, jump = credential.jump, self._jumps.setdefault(credential.jump, Jump())
        jump.enter()
        try:
            at = Endpoint(host.host, host.port)
            tunnel = await jump.reach(lambda: self._through(None, at, host.login, timeout_s))
            connection = await self._through(tunnel, endpoint, credential, timeout_s)
        except BaseException:
            jump.leave()
            raise
        return AsyncsshConnection(endpoint, connection, jump)

    async def close(self) -> None:
        """Close the connections to jump hosts."""
        jumps = list(self._jumps.values())
        self._jumps.clear()
        for jump in jumps:
            await jump.close()

    async def _through(self, tunnel: Any, endpoint: Endpoint, credential: SshCredential, timeout_s: float) -> Any:
        """Reach an endpoint, directly or through a tunnel, and log in. Raises SshFailure."""
        login = await self._prepare(endpoint, credential)
        sock = None if tunnel is not None else await _dial(endpoint, timeout_s)
        try:
            async with self._turns.turn(), asyncio.timeout(timeout_s):
                return await self._log_in(login, endpoint, credential, sock=sock, tunnel=tunnel)
        except TimeoutError:
            why = f"{endpoint} did not finish a login within {timeout_s:g} s"
            raise SshFailure(Status.TIMEOUT, why, step="login") from None
        finally:
            if sock is not None and not login.connected:
                sock.close()

    async def _prepare(self, endpoint: Endpoint, credential: SshCredential) -> Login:
        """Collect what a login needs before the network is touched. Raises SshFailure."""
        trust = await self._keys.trust(known_name(endpoint.host, endpoint.port))
        return Login(endpoint, credential, trust, self._keys, self._first_use, await self._pairs.of(credential))

    async def _log_in(self, login: Login, endpoint: Endpoint, credential: SshCredential, **way: Any) -> Any:
        """Do the handshake; whatever goes wrong in it is a failure."""
        try:
            connection = await asyncssh.connect(
                endpoint.host if way["sock"] is None else "",
                endpoint.port if way["sock"] is None else (),
                options=self._options_for(endpoint, credential.user, login),
                config=None,
                client_factory=lambda: login,
                **{name: each for name, each in way.items() if each is not None},
            )
            try:
                await login.settle()  # a device that asked for no proof
            except BaseException:  # also at the poll's end: nobody else knows of this connection yet
                connection.abort()
                raise
        except (asyncssh.Error, OSError, ValueError) as error:
            if login.failure is not None:
                self._warn(endpoint, login.failure)
            raise login.failure or failure_of(error, endpoint) from None
        finally:
            login.close()
        return connection

    def _warn(self, endpoint: Endpoint, failure: SshFailure) -> None:
        """Say that a host is not who it was: it may be somebody else. Once for each device and key."""
        said = f"{endpoint}: {failure.reason}"
        if said not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(said)
            log.warning("%s", said)

    def _options_for(self, endpoint: Endpoint, user: str, login: Login) -> Any:
        """Return asyncssh's options for one login; the costly part of them is made once."""
        trust = login.trust
        known = {key.partition(" ")[0] for key in trust.keys}
        revoked = [asyncssh.import_public_key(key) for key in trust.revoked]
        base = self._bases.get((user, endpoint.legacy))
        if base is None:
            fixed = self._fixed | (LEGACY if endpoint.legacy else SAFE)
            base = asyncssh.SSHClientConnectionOptions(username=user, **fixed)
            self._bases[user, endpoint.legacy] = base
        return asyncssh.SSHClientConnectionOptions(
            base,
            known_hosts=([], [], revoked, [], [], [], []),  # all but revoked keys are judged in login.py
            host_key_alias=endpoint.host,
            server_host_key_algs=host_key_algorithms(known, bool(trust.authorities), endpoint.legacy),
        )


async def _dial(endpoint: Endpoint, timeout_s: float) -> socket.socket:
    """Connect to the first address of a host that accepts. Raises SshFailure."""
    loop = asyncio.get_running_loop()
    trouble = OSError("no address")
    try:
        async with asyncio.timeout(timeout_s):
            for found in await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM):
                made = await _connected(found[0], found[4])
                if isinstance(made, socket.socket):
                    return made
                trouble = made
    except TimeoutError:
        why = f"{endpoint} accepts no connection within {timeout_s:g} s"
        raise SshFailure(Status.TIMEOUT, why, step="connect") from None
    except OSError as error:  # no such name
        trouble = error
    raise failure_of(trouble, endpoint)


async def _connected(family: int, address: Any) -> socket.socket | OSError:
    """Return a socket that is connected to an address, or why there is none."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            return error
        raise
    return sock
