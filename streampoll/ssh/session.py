"""A device that we are logged in to, as something that runs commands: on exec channels or in its shell."""

import asyncio
import re

from streampoll.model import Status
from streampoll.ssh.credential import SshCredential
from streampoll.ssh.plan import Channel
from streampoll.ssh.platforms import Platform
from streampoll.ssh.port import Connection, Connector, Endpoint, Limits, SshFailure
from streampoll.ssh.shell import DeviceShell

_FIRST_LINES = 6


class Session:
    """Runs one command at a time; made by `open_session`."""

    def __init__(self, connection: Connection, platform: Platform, credential: SshCredential) -> None:
        self._connection = connection
        self._errors = [re.compile(each) for each in platform.errors]
        self._credential = credential
        self.shell: DeviceShell | None = None

    @property
    def alive(self) -> bool:
        """False once the connection is closed."""
        return self._connection.alive

    @property
    def heard(self) -> bool:
        """True if the device has answered anything to the last command."""
        return self.shell.heard if self.shell is not None else self._connection.heard

    async def enable(self, timeout_s: float) -> None:
        """Enter privileged mode where the platform has one. Raises SshFailure."""
        if self.shell is not None:
            async with _bounded(timeout_s, "privileged mode was not reached", "login"):
                await self.shell.enable(self._credential)

    async def run(self, command: str, timeout_s: float, max_bytes: int) -> str:
        """Return a command's output. Raises SshFailure."""
        async with _bounded(timeout_s, f"{command!r} did not end"):
            if self.shell is not None:
                return await self.shell.run(command, max_bytes)
            return self._checked(*await self._connection.execute(command, max_bytes))

    def close(self) -> None:
        """Hang up; returns at once."""
        self._connection.close()

    async def closed(self) -> None:
        """Wait until the connection is closed."""
        await self._connection.closed()

    def _checked(self, text: str, status: int) -> str:
        """Return output unless the device refused the command."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if status > 0:
            said = f": {lines[-1][:120]}" if lines else ""
            raise SshFailure(Status.REFUSED, f"exit status {status}{said}", only_this=True)
        for line in lines[:_FIRST_LINES]:
            if any(error.search(line) for error in self._errors):
                raise SshFailure(Status.REFUSED, f"the device says: {line[:120]}", only_this=True)
        return text


async def open_session(
    connector: Connector, endpoint: Endpoint, credential: SshCredential, platform: Platform, channel: Channel,
    limits: Limits,
) -> Session:  # fmt: skip
    """Connect, log in, and have the device ready for commands. Raises SshFailure."""
    connection = await connector.connect(endpoint, credential, limits.connect_timeout_s)
    session = Session(connection, platform, credential)
    try:
        if channel is Channel.SHELL:
            async with _bounded(limits.command_timeout_s, "its shell showed no prompt twice", "login"):
                shell = DeviceShell(await connection.open_shell(), platform)
                await shell.start(credential)
                session.shell = shell
    except BaseException:
        session.close()
        raise
    return session


class _bounded:  # noqa: N801 - reads as the statement it makes
    """Bounds what is done inside; its time-out is a failure of the poll."""

    def __init__(self, timeout_s: float, what: str, step: str = "command") -> None:
        self._timeout = asyncio.timeout(timeout_s)
        self._step = step
        self._text = f"{what} within {timeout_s:g} s"

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._timeout.__aexit__(*error)  # type: ignore[arg-type]
        except TimeoutError:
            raise SshFailure(Status.TIMEOUT, self._text, step=self._step) from None
