"""Channels of asyncssh: one that collects a command's output, one that is a terminal."""

import asyncio
from typing import Any, Final

import asyncssh

from streampoll.model import Status
from streampoll.ssh.port import Endpoint, SshFailure
from streampoll.ssh.troubles import failure_of

_HELD_BYTES: Final = 262_144  # of a terminal that nobody reads; then the device is told to wait


class ExecSession(asyncssh.SSHClientSession[bytes]):
    """Collects what a command says, up to a bound."""

    def __init__(self, endpoint: Endpoint, max_bytes: int) -> None:
        self._endpoint = endpoint
        self._max_bytes = max_bytes
        self._output = bytearray()
        self._errors = bytearray()
        self._status = -1
        self._connection: Any = None
        self._done: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    async def finished(self) -> tuple[str, int]:
        """Wait for the end; output and exit status (-1: none told). Raises SshFailure.

        What was written to stderr stands behind the output only where that is empty or the command failed: a program's
        grumbling is no part of the JSON that it prints.
        """
        return await self._done

    def connection_made(self, chan: Any) -> None:
        """Keep the connection, to see whether it ended with the channel."""
        self._connection = chan.get_connection()

    def data_received(self, data: bytes, datatype: Any) -> None:
        """Keep what came, unless it is too much."""
        part = self._errors if datatype == asyncssh.EXTENDED_DATA_STDERR else self._output
        part += data
        if len(self._output) + len(self._errors) > self._max_bytes and not self._done.done():
            self._output.clear()
            self._errors.clear()
            cause = f"more than ssh.max_output_bytes ({self._max_bytes:,}) came; the rest is not read"
            self._fail(SshFailure(Status.ERROR, cause, only_this=True))

    def exit_status_received(self, status: int) -> None:
        """Note how it ended."""
        self._status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """Note that it was killed: what it wrote until then is not all."""
        if not self._done.done():
            name = "".join(filter(str.isalnum, signal))[:20]
            self._fail(SshFailure(Status.REFUSED, f"ended by signal {name}", only_this=True))

    def connection_lost(self, exc: Exception | None) -> None:
        """Answer whoever waits."""
        if exc is not None and not self._done.done():
            self._fail(failure_of(exc, self._endpoint))
        elif exc is None and self._status < 0:  # a device that hangs up politely is seen to be gone only after this
            asyncio.get_running_loop().call_soon(self._conclude)
        else:
            self._conclude()

    def _fail(self, failure: SshFailure) -> None:
        self._done.set_exception(failure)
        self._done.exception()  # seen: a poll that was cut off waits no more, and asyncio would log it

    def _conclude(self) -> None:
        if self._done.done():
            return
        if self._status < 0 and self._connection is not None and self._connection.is_closed():
            self._fail(failure_of(ConnectionResetError(), self._endpoint))
            return
        told = self._output if self._output and self._status == 0 else self._output + self._errors
        self._done.set_result((told.decode("utf-8", "replace"), self._status))


class ShellSession(asyncssh.SSHClientSession[bytes]):
    """A terminal: keeps what comes until it is read."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._channel: Any = None
        self._held = bytearray()
        self._waiting: asyncio.Future[None] | None = None
        self._end: SshFailure | None = None
        self._paused = False

    def connection_made(self, chan: Any) -> None:
        """Keep the channel to type on."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: Any) -> None:
        """Keep what came; a device that talks to nobody is slowed down."""
        self._held += data
        if len(self._held) > _HELD_BYTES and not self._paused:
            self._paused = True
            self._channel.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._end = failure_of(exc or ConnectionResetError(), self._endpoint)
        self._wake()

    def write(self, data: bytes) -> None:
        """Type something. Raises SshFailure: it is closed."""
        if self._end is not None or self._channel.is_closing():
            raise self._end or failure_of(ConnectionResetError(), self._endpoint)
        self._channel.write(data)

    async def read(self) -> bytes:
        """Return what came, waiting for at least a byte. Raises SshFailure: it was closed, and all of it is read."""
        while not self._held:
            if self._end is not None:
                raise self._end
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._take()

    def drop(self) -> None:
        """Forget what came and was not read."""
        self._take()

    def _take(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        if self._paused:
            self._paused = False
            self._channel.resume_reading()
        return data

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
