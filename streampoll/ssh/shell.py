"""An interactive shell on a network device: opened, learned, and then one command at a time.

    open:     login prompts answered -> prompt learned -> width set, paging off
    command:  typed -> its echo awaited -> pagers answered -> the prompt again -> what stands between is the output

The echo is what ties an output to its command: whatever comes before it (a prompt that was late, a syslog line) belongs
to nobody and is dropped. A shell that doesn't echo is found out at its first command.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from streampoll.model import Status
from streampoll.ssh.credential import SshCredential
from streampoll.ssh.platforms import PAGERS, Platform
from streampoll.ssh.port import Shell, SshFailure
from streampoll.ssh.prompt import is_privileged, learn, may_be_prompt
from streampoll.ssh.screen import shown

_SETTLE_S: Final = 0.08  # silence after which what is shown is what the device waits at
_NO_ECHO_S: Final = 1.0  # silence at a prompt after which an echo is not awaited any more
_SETUP_BYTES: Final = 65_536  # banners and answers while a shell is opened
_TAIL_BYTES: Final = 512  # a prompt or pager is no longer
_AT_ONCE_BYTES: Final = 32_768
_ECHO_BYTES: Final = 4_096  # an echo stands among the first; what comes before it is a late line or two
_FIRST_LINES: Final = 6  # a refusal stands among these; further down it is somebody's log
_ASKS_USER: Final = re.compile(r"(?i)(?:user ?name|user|login(?: as)?)\s?:\s?")
_ASKS_SECRET: Final = re.compile(r"(?i).{0,40}pass(?:word|code|phrase).{0,20}:\s?")
_PAGER: Final = re.compile(rf"\s*(?:{'|'.join(PAGERS)})\s*")


@dataclass(slots=True)
class _Read:
    """What has come since a command was typed."""

    data: bytearray
    line: str  # the last line as shown: where the device waits, if it does


class DeviceShell:
    """A shell whose prompt is known; made by `open_shell`."""

    def __init__(self, channel: Shell, platform: Platform) -> None:
        self._channel = channel
        self._platform = platform
        self._errors = [re.compile(each) for each in platform.errors]
        self._noise = re.compile(platform.noise) if platform.noise else None
        self._prompt: re.Pattern[str] | None = None
        self._echoes: bool | None = None  # None: not known yet
        self.privileged = False
        self.heard = False  # whether anything came since the last command was typed

    async def start(self, credential: SshCredential) -> None:
        """Learn the prompt, then set width and paging. Raises SshFailure; the caller bounds the time."""
        line = await self._learn(credential)
        self.privileged = is_privileged(line)
        for command in self._platform.setup:
            await self._exchange(command, _SETUP_BYTES)  # one that this release doesn't know does no harm

    async def enable(self, credential: SshCredential) -> None:
        """Enter privileged mode, unless we are in it. Raises SshFailure."""
        if self.privileged or not self._platform.enable:
            return
        self._send(self._platform.enable)
        read = await self._wait(self._platform.enable.encode(), _SETUP_BYTES, stops=_ASKS_SECRET)
        if _ASKS_SECRET.fullmatch(read.line):
            if not credential.enable:
                raise SshFailure(Status.AUTH, "privileged mode asks for a secret, and the credential has no `enable`")
            self._send(credential.enable.reveal())
            read = await self._wait(b"", _SETUP_BYTES, stops=_ASKS_SECRET)
        self.privileged = is_privileged(read.line)
        if not self.privileged:
            raise SshFailure(Status.AUTH, "privileged mode was refused: the secret of `enable` is not accepted")

    async def run(self, command: str, max_bytes: int) -> str:
        """Return a command's output. Raises SshFailure: refused, too long, or the shell is gone."""
        lines = await self._exchange(command, max_bytes)
        for line in [line for line in lines if line.strip()][:_FIRST_LINES]:
            if any(error.search(line) for error in self._errors):
                raise SshFailure(Status.REFUSED, f"the device says: {line.strip()[:120]}", only_this=True)
        return "\n".join(lines)

    async def _learn(self, credential: SshCredential) -> str:
        """Press Enter until the device waits at the same line twice; log in where it asks for that in the shell."""
        before = ""
        answers = {_ASKS_USER: credential.user, _ASKS_SECRET: credential.password.reveal()}
        while True:
            line = await self._settled()
            asked = next((each for each in answers if each.fullmatch(line)), None)
            if asked is not None:
                self._send(answers.pop(asked))
                before = ""
                continue
            if _ASKS_SECRET.fullmatch(line):
                raise SshFailure(Status.AUTH, "the device asks for a password again")
            self._prompt = learn(before, line)
            if self._prompt is not None:
                return line
            before = line
            self._send("")

    async def _settled(self) -> str:
        """Return the line that the device waits at: a prompt, a question, or a key to press (which is pressed)."""
        data = bytearray()
        line = ""
        while True:
            waits = bool(line) and (may_be_prompt(line) or _ASKS_USER.fullmatch(line) or _ASKS_SECRET.fullmatch(line))
            try:
                async with asyncio.timeout(_SETTLE_S if waits else None):
                    data += await self._channel.read()
            except TimeoutError:
                return line
            if len(data) > _SETUP_BYTES:
                raise SshFailure(Status.DECODE, "no prompt among the first 64 KiB of its shell")
            line = shown(bytes(data[-_TAIL_BYTES:]))[-1]
            if _PAGER.fullmatch(line):
                self._channel.write(b" ")
                data.clear()

    async def _exchange(self, command: str, max_bytes: int) -> list[str]:
        """Type a command and return the lines of its output, its echo and the prompt taken off."""
        self._channel.drop()
        self._send(command)
        read = await self._wait(command.encode(), max_bytes)
        lines = (await _shown(bytes(read.data)))[:-1]
        echo = next((at for at, line in enumerate(lines) if line.rstrip().endswith(command)), None)
        if self._echoes and echo is not None:
            lines = lines[echo + 1 :]
        elif lines and not lines[0]:
            del lines[0]  # Enter alone was echoed
        return self._without_noise(lines)

    def _without_noise(self, lines: list[str]) -> list[str]:
        """Return lines without pagers that were left standing, the platform's own marks, and blank ends."""
        kept = [line for line in lines if not _PAGER.fullmatch(line)]
        if self._noise:
            kept = [line for line in kept if not self._noise.fullmatch(line)]
        while kept and not kept[-1]:
            kept.pop()
        return kept

    async def _wait(self, echo: bytes, max_bytes: int, stops: re.Pattern[str] | None = None) -> _Read:
        """Read until the prompt stands behind the echo, or a line that `stops`; pagers are answered on the way."""
        assert self._prompt is not None
        read = _Read(bytearray(), "")
        echoed = not echo or self._echoes is False
        while True:
            at_prompt = bool(self._prompt.fullmatch(read.line))
            if at_prompt and echoed:
                return read
            if stops is not None and stops.fullmatch(read.line):
                return read
            if not await self._more(read, max_bytes, at_prompt and self._echoes is None):
                self._echoes = False
                return read
            if not echoed and _has(read.data, echo):
                echoed = self._echoes = True

    async def _more(self, read: _Read, max_bytes: int, may_end: bool) -> bool:
        """Take what comes next; False if nothing does where the output `may_end`."""
        try:
            async with asyncio.timeout(_NO_ECHO_S if may_end else None):
                read.data += await self._channel.read()
        except TimeoutError:
            return False
        self.heard = True
        if len(read.data) > max_bytes:
            raise SshFailure(Status.ERROR, f"more than ssh.max_output_bytes ({max_bytes:,}) came; the rest is not read")
        read.line = shown(_tail(read.data))[-1]
        wiping = read.data.endswith((b"\r", b"\b"))
        if _PAGER.fullmatch(read.line) and not wiping:
            self._channel.write(b" ")
        return True

    def _send(self, text: str) -> None:
        self.heard = False
        self._channel.write((text + self._platform.newline).encode())


async def _shown(data: bytes) -> list[str]:
    """Return what a screen shows; of much data that takes a while, so it is not done on the loop."""
    return shown(data) if len(data) <= _AT_ONCE_BYTES else await asyncio.to_thread(shown, data)


def _tail(data: bytearray) -> bytes:
    """Return the last line's bytes, and not more than a prompt may have."""
    return bytes(data[max(data.rfind(b"\n") + 1, len(data) - _TAIL_BYTES) :])


def _has(data: bytearray, echo: bytes) -> bool:
    """Tell whether an echo has come; coloured or redrawn by the device's line editor, it shows only on the screen."""
    head = bytes(data[:_ECHO_BYTES])
    return echo in head or any(line.endswith(echo.decode()) for line in shown(head))
