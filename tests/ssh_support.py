"""SSH servers for tests: devices imitated on asyncssh, with their pagers, moods and tempers, and a real OpenSSH."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh

from streampoll.config.secret import Secret
from streampoll.config.settings import SshSettings
from streampoll.embedded.places import free_port
from streampoll.model import Outcome, Scalar, Target
from streampoll.pollers.ssh import SshPoller
from streampoll.ssh.credential import SshCredential
from streampoll.ssh.plan import Channel, Command, SshPlan
from streampoll.ssh.platforms import PLATFORMS
from tests.waiting import eventually

USER, PASSWORD, ENABLE = "poller", "correct-horse-battery", "staple-of-enable"
LOGIN = SshCredential(USER, password=Secret(PASSWORD), enable=Secret(ENABLE))

HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER_KEY = asyncssh.generate_private_key("ssh-ed25519")


def plan_of(platform: str, *lines: str, enable: bool = False, channel: Channel | None = None) -> SshPlan:
    """Make a plan that keeps the raw output of commands; each is named by its line."""
    commands = tuple(Command(line, line) for line in lines)
    return SshPlan("test", platform, channel or PLATFORMS[platform].channel, commands, enable)


@dataclass(slots=True)
class Device:
    """A device to imitate, and what was done to it."""

    answers: Mapping[str, str] = field(default_factory=dict)  # by command; others are "% Invalid"
    prompt: str = "R1>"
    banner: str = "\r\nAuthorized use only!>\r\n"
    page_lines: int = 0  # lines after which its pager stops, 0: never
    paging_off: str = "terminal length 0"
    pager: str = " --More-- "
    wipe: str = "\r          \r"
    newline: str = "\r\n"
    unknown: str = "% Invalid input detected at '^' marker."
    echo: bool = True
    keyboard: bool = True  # whether it asks for the password by keyboard-interactive too
    secret: str = ""  # of privileged mode; "" asks for none
    pause_s: float = 0.0  # between banner and prompt
    on_command: Callable[["Device", str, Any], bool] | None = None  # True: it is answered; the rest is not done
    server_options: Mapping[str, Any] = field(default_factory=dict)

    port: int = 0
    logins: int = 0
    attempts: list[tuple[str, str]] = field(default_factory=list)
    shells: int = 0
    typed: list[str] = field(default_factory=list)
    connections: list[Any] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self.connections)

    async def shell(self, process: Any) -> None:
        """Serve one shell."""
        self.shells += 1
        self._say(process, self.banner)
        await asyncio.sleep(self.pause_s)
        prompt, paging = self.prompt, bool(self.page_lines)
        self._say(process, prompt)
        while True:
            line = await self._line(process)
            self.typed.append(line)
            if line == self.paging_off:
                paging = False
            elif line == "enable":
                prompt = await self._enable(process, prompt)
            elif self.on_command is not None and self.on_command(self, line, process):
                continue
            elif line:
                await self._answer(process, self.answers.get(line, self.unknown), paging)
            self._say(process, prompt)

    async def _line(self, process: Any) -> str:
        """Read up to Enter, echoing."""
        line = b""
        while (char := await process.stdin.read(1)) not in (b"\r", b"\n"):
            if not char:
                raise asyncssh.BreakReceived(0)
            line += char
            if self.echo:
                process.stdout.write(char)
            if char == b"\x1b":
                break
        process.stdout.write(b"\r\n")
        return line.decode()

    async def _enable(self, process: Any, prompt: str) -> str:
        for _ in range(3 if self.secret else 0):
            process.stdout.write(b"Password: ")
            echo, self.echo = self.echo, False
            given = await self._line(process)
            self.echo = echo
            self.attempts.append(("enable", given))
            if given == self.secret:
                return prompt[:-1] + "#"
        if self.secret:
            process.stdout.write(b"% Bad secrets\r\n\r\n")
            return prompt
        return prompt[:-1] + "#"

    async def _answer(self, process: Any, text: str, paging: bool) -> None:
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            self._say(process, line + self.newline)
            if paging and number % self.page_lines == 0 and number < len(lines):
                self._say(process, self.pager)
                await process.stdin.read(1)
                self._say(process, self.wipe)

    @staticmethod
    def _say(process: Any, text: str) -> None:
        process.stdout.write(text.encode())


class _Server(asyncssh.SSHServer):
    """The door of a device."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def connection_made(self, conn: Any) -> None:
        self._connection = conn
        self._device.connections.append(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._device.connections.remove(self._connection)

    def auth_completed(self) -> None:
        self._device.logins += 1

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._device.attempts.append(("password", password))
        return (username, password) == (USER, PASSWORD)

    def kbdint_auth_supported(self) -> bool:
        return self._device.keyboard

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        self._device.attempts.append(("keyboard", responses[0]))
        return (username, responses[0]) == (USER, PASSWORD)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True  # a jump host


@asynccontextmanager
async def served(device: Device, key: Any = HOST_KEY, port: int = 0) -> AsyncIterator[Device]:
    """Serve a device on 127.0.0.1; its port is set."""

    async def process(process: Any) -> None:
        try:
            if process.command is None:
                await device.shell(process)
            else:
                command = process.command.decode() if isinstance(process.command, bytes) else process.command
                device.typed.append(command)
                if device.on_command is None or not device.on_command(device, command, process):
                    process.stdout.write(device.answers.get(command, "").encode())
                    process.exit(0 if command in device.answers else 127)
        except (asyncssh.Error, asyncssh.BreakReceived, OSError):
            process.close()

    acceptor = await asyncssh.create_server(
        lambda: _Server(device), "127.0.0.1", port, process_factory=process,
        server_host_keys=key if isinstance(key, list) else [key], encoding=None, line_editor=False,
        **device.server_options,
    )  # fmt: skip
    device.port = acceptor.get_port()
    try:
        yield device
    finally:
        for connection in list(device.connections):
            connection.abort()
        acceptor.close()
        await acceptor.wait_closed()


class Bench:
    """A poller with what a test needs around it."""

    def __init__(self, known_hosts: Path, **settings: Any) -> None:
        base = SshSettings(known_hosts=str(known_hosts), connect_timeout_s=5.0, command_timeout_s=5.0)
        self.known_hosts = known_hosts
        self.poller = SshPoller(replace(base, **settings))

    async def poll(
        self, device: Device | int, plan: SshPlan, login: SshCredential = LOGIN, limit_s: float = 20.0,
        **overrides: Scalar,
    ) -> Outcome:  # fmt: skip
        """Poll a device, or what is at a port; overrides are given without `ssh.`."""
        port = device if isinstance(device, int) else device.port
        target = Target("r1", "127.0.0.1", port, "p", "c", {f"ssh.{name}": each for name, each in overrides.items()})
        return await self.poller.poll(target, plan, login, asyncio.get_running_loop().time() + limit_s)


@asynccontextmanager
async def bench(directory: Path, **settings: Any) -> AsyncIterator[Bench]:
    """Make a poller, closed afterwards."""
    made = Bench(directory / "known_hosts", **settings)
    try:
        yield made
    finally:
        await made.poller.close()


# -- OpenSSH


@dataclass(frozen=True, slots=True)
class OpenSsh:
    """A running sshd, with the user that it lets in by key and by certificate."""

    port: int
    user: str
    directory: Path

    def key(self, name: str) -> Secret:
        """Return the text of a private key: "user", "locked" (a passphrase), "certified" (only its certificate)."""
        return Secret((self.directory / name).read_text())


PASSPHRASE = "phrase-of-the-key"


@contextmanager
def openssh(directory: Path) -> Iterator[OpenSsh]:
    """Run OpenSSH's server on a free port with keys of its own."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin") or "sshd"
    for name, phrase in (("host", ""), ("user", ""), ("locked", PASSPHRASE), ("ca", ""), ("certified", "")):
        _keygen("-t", "ed25519", "-N", phrase, "-C", name, "-f", directory / name)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    _keygen("-s", directory / "ca", "-I", "test", "-n", user, directory / "certified.pub")
    keys = [(directory / f"{name}.pub").read_text() for name in ("user", "locked")]
    (directory / "authorized").write_text("".join(keys))
    port = free_port()
    (directory / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {directory}/authorized\nTrustedUserCAKeys {directory}/ca.pub\n"
        "PasswordAuthentication no\nAllowTcpForwarding yes\nLogLevel ERROR\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # what the package's service makes
    with (directory / "log").open("w") as log:
        argv = [program, "-D", "-e", "-f", str(directory / "config")]
        with subprocess.Popen(argv, stderr=log, stdin=subprocess.DEVNULL) as server:
            try:
                eventually(lambda: _answers(port), 10.0)
                yield OpenSsh(port, user, directory)
            finally:
                server.terminate()


def _keygen(*arguments: object) -> None:
    subprocess.run(["ssh-keygen", "-q", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


def _answers(port: int) -> bool:
    import socket

    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
