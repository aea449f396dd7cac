"""The adapter of apprise: mail, chats, pagers and a hundred more, in a process beside (see apprise_child.py).

One process a channel, started with its first message and ended when it was idle for a while, when a message takes too
long, and with ours: its stdin ends then.
"""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from streampoll.config.secret import Secret
from streampoll.errors import want_of
from streampoll.notifications import apprise_child
from streampoll.notifications.channel import AppriseTarget, Style
from streampoll.notifications.compose import Text
from streampoll.notifications.message import Message
from streampoll.notifications.port import NotSent

_PROGRAM: Final = (sys.executable, "-I", apprise_child.__file__)
_START_S: Final = 20.0  # what the first message is given beyond its time-out: 150 services are imported

_CHECK_S: Final = 10.0


class AppriseSender:
    """Sends messages to one address of apprise."""

    def __init__(self, target: AppriseTarget, timeout_s: float) -> None:
        self._url: Secret = target.url
        self._timeout_s = timeout_s
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def send(self, message: Message, text: Text, style: Style) -> str:
        """Send a message. Raises NotSent: it was not taken, or nobody knows."""
        reply = await self._ask({"title": text.title, "body": text.body or text.title})
        if not reply["sent"]:
            raise NotSent(str(reply["cause"]))
        return "taken by the service"

    async def knows(self, url: Secret) -> bool:
        """Tell whether apprise can read an address; nothing is sent. Raises NotSent: apprise itself fails."""
        reply = await self._ask({"url": url.reveal()})
        return bool(reply["sent"])

    async def close(self) -> None:
        """End the process."""
        if self._idle:
            self._idle.cancel()
        await self._end()

    async def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Have the process do something, in its turn."""
        async with self._turn:
            limit_s = self._timeout_s + (_START_S if self._process is None else 0.0)
            try:
                async with asyncio.timeout(limit_s):
                    reply = await self._exchange({"url": self._url.reveal(), **asked})
            except TimeoutError:
                await self._end()
                raise NotSent(f"no answer within {self._timeout_s:g} s") from None
            except BaseException:
                await self._end()
                raise
        self._rest()
        return reply

    async def _exchange(self, asked: dict[str, Any]) -> dict[str, Any]:
        process = await self._running()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except OSError:
            line = b""
        if not line:
            await self._end()
            raise NotSent("apprise ended without an answer")
        reply: dict[str, Any] = json.loads(line)
        return reply

    async def _running(self) -> Process:
        if self._idle:
            self._idle.cancel()
        if self._process is None or self._process.returncode is not None:
            try:
                self._process = await asyncio.create_subprocess_exec(*_PROGRAM, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
            except OSError as error:
                raise NotSent(want_of(error) or f"apprise can't be started: {error.strerror}") from None
        return self._process

    def _rest(self) -> None:
        """End the process unless there is more to do within a while."""
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(apprise_child.IDLE_S, self._end_idle)

    def _end_idle(self) -> None:
        if self._process is not None and self._process.stdin and not self._turn.locked():
            self._process.stdin.close()
            self._process = None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def unknown(targets: Mapping[str, AppriseTarget]) -> list[str]:
    """Return the names of those whose address apprise can't read.

    Raises:
        NotSent: apprise itself fails.
    """
    sender = AppriseSender(AppriseTarget(Secret("")), _CHECK_S)
    try:
        return [name for name, target in targets.items() if not await sender.knows(target.url)]
    finally:
        await sender.close()
