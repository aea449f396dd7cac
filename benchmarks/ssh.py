"""SSH: devices a second with kept sessions, against a new asyncssh connection a poll; memory of a kept session.

500 devices (addresses of 127/8) imitated by asyncssh in a child process, three commands each, polled by one process on
one core; the child has another. A cycle polls each device once. The first cycle of kept sessions logs in and is shown
by itself; medians are of those after it. What costs is CPU, so devices a second of CPU are shown beside those of the
clock, which the child may hold back: its share of the same work is no smaller than ours.
"""

import asyncio
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import asyncssh
import uvloop

from benchmarks.rig.figures import ratio
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from streampoll.config.secret import Secret
from streampoll.config.settings import SshSettings
from streampoll.model import Status, Target
from streampoll.pollers.ssh import SshPoller
from streampoll.ssh.credential import SshCredential
from streampoll.ssh.plan import Channel, Command, SshPlan

KEPT, ANEW = "kept", "a new connection a poll"
WANTED = {Channel.SHELL: 3.0, Channel.EXEC: 1.5}  # times by CPU, of kept sessions
USER, PASSWORD, PROMPT = "poller", "benchmark", b"router>"
COMMANDS = ("show version", "show clock", "show interfaces")
OUTPUT = "\r\n".join(f"GigabitEthernet0/{number} is up, line protocol is up" for number in range(24)) + "\r\n"

Poll = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Load:
    """What is polled."""

    devices: int
    at_once: int
    cycles: int
    port: int

    def addresses(self) -> list[str]:
        """Return the devices' addresses."""
        return [f"127.9.{number // 250}.{number % 250 + 1}" for number in range(self.devices)]


# -- the devices


class _Door(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def session_requested(self) -> Any:
        return _Terminal()


class _Terminal(asyncssh.SSHServerSession[bytes]):
    """A shell with echo and prompt, and exec channels."""

    def connection_made(self, chan: Any) -> None:
        self._channel, self._typed = chan, b""

    def pty_requested(self, *terminal: object) -> bool:
        return True

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        return True

    def session_started(self) -> None:
        if self._channel.get_command() is None:
            self._channel.write(b"\r\nWelcome\r\n" + PROMPT)
        else:
            self._channel.write(OUTPUT.encode())
            self._channel.exit(0)

    def data_received(self, data: bytes, datatype: Any) -> None:
        *lines, self._typed = (self._typed + data).split(b"\n")
        for line in lines:
            said = OUTPUT.encode() if line.startswith(b"show") else b""
            self._channel.write(line + b"\r\n" + said + PROMPT)


def serve(pipe: Connection, core: int | None) -> None:
    """Be all devices, in the child."""
    _pin(core)

    async def main() -> None:
        server = await asyncssh.create_server(
            _Door, "0.0.0.0", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            encoding=None, line_editor=False, backlog=1024,
        )  # fmt: skip
        pipe.send(server.get_port())
        await asyncio.to_thread(pipe.recv)

    uvloop.run(main())


# -- the ways to poll them


def kept(poller: SshPoller, load: Load, channel: Channel) -> Poll:
    """Return our poll."""
    credential = SshCredential(USER, password=Secret(PASSWORD))
    platform = "cisco_ios" if channel is Channel.SHELL else "linux"
    plan = SshPlan("bench", platform, channel, tuple(Command(line, line) for line in COMMANDS))

    async def poll(address: str) -> None:
        target = Target(address, address, load.port, "bench", "bench", {})
        outcome = await poller.poll(target, plan, credential, asyncio.get_running_loop().time() + 120)
        assert outcome.status is Status.OK, outcome.error

    return poll


def anew(load: Load, channel: Channel) -> Poll:
    """Return a poll that makes a connection each time, in the fewest lines asyncssh needs."""

    async def poll(address: str) -> None:
        options = {"username": USER, "password": PASSWORD, "known_hosts": None, "config": None, "client_keys": None}
        async with asyncssh.connect(address, load.port, **options) as connection:
            if channel is Channel.EXEC:
                for line in COMMANDS:
                    assert (await connection.run(line, encoding=None)).exit_status == 0
                return
            async with connection.create_process(term_type="vt100", encoding=None) as process:
                for line in ("terminal width 511", "terminal length 0", *COMMANDS):
                    await process.stdout.readuntil(PROMPT)
                    process.stdin.write(line.encode() + b"\n")
                await process.stdout.readuntil(PROMPT)

    return poll


async def cycle(load: Load, poll: Poll) -> tuple[float, float]:
    """Poll every device once, so many at a time; seconds by the clock and of this process's CPU."""
    waiting = iter(load.addresses())

    async def lane() -> None:
        for address in waiting:
            await poll(address)

    began, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(load.at_once):
            group.create_task(lane())
    return time.perf_counter() - began, time.process_time() - cpu


async def measure(load: Load) -> dict[str, Any]:
    """Run each way on both kinds of channel."""
    found: dict[str, Any] = {}
    for channel in WANTED:
        with tempfile.TemporaryDirectory(prefix="streampoll-bench-") as directory:
            poller = SshPoller(SshSettings(known_hosts=str(Path(directory) / "known_hosts"), connect_timeout_s=60.0))
            poll = kept(poller, load, channel)
            await asyncio.gather(*map(poll, load.addresses()[:1]))  # imports
            before = _rss_bytes()
            first = await cycle(load, poll)
            each = (_rss_bytes() - before) / (load.devices - 1)
            reused = await _median(load, poll)
            await poller.close()
        new = await _median(load, anew(load, channel))
        ways = {ANEW: new, "kept, first cycle": first, KEPT: reused}
        found[channel] = {name: _figures(load, *took) for name, took in ways.items()}
        progress(f"{channel}: {found[channel][KEPT]['cpu_ms_per_poll']} ms of CPU a poll")
        if channel is Channel.SHELL:  # later, memory that was let go is used again
            found["session_kb"] = round(each / 1024)
    return found


async def _median(load: Load, poll: Poll) -> tuple[float, float]:
    found = [await cycle(load, poll) for _ in range(load.cycles)]
    wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
    return wall, cpu


def _figures(load: Load, wall_s: float, cpu_s: float) -> dict[str, float]:
    return {
        "polls_per_s": round(load.devices / wall_s, 1), "cpu_ms_per_poll": round(cpu_s / load.devices * 1e3, 3),
        "share_of_core": round(cpu_s / wall_s, 2),
    }  # fmt: skip


def report_of(found: dict[str, Any], load: Load) -> Report:
    """Put the ways side by side; `ratio` is how many times as much a new connection takes."""
    columns = ("channel", "", "polls/s", "CPU ms a poll", "of its core")
    rows = [(channel, name, *of.values()) for channel in WANTED for name, of in found[channel].items()]
    against = {
        channel: {
            "polls_per_s": ratio(found[channel][KEPT]["polls_per_s"], found[channel][ANEW]["polls_per_s"]),
            "cpu": ratio(found[channel][ANEW]["cpu_ms_per_poll"], found[channel][KEPT]["cpu_ms_per_poll"]),
        }
        for channel in WANTED
    }
    title = f"{load.devices} devices, {load.at_once} at once, 3 commands; a kept session: {found['session_kb']} KB"
    won = [(channel, of["polls_per_s"], of["cpu"], WANTED[channel]) for channel, of in against.items()]
    tables = [Table(title, columns, rows), Table("kept is", ("", "times the polls/s", "by CPU", "wanted"), won)]
    return Report("ssh", {**found, "ratio": against}, tables)


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def main(argv: list[str]) -> int:
    """Start the devices in a child on another core, and measure; 1 if sessions gain less CPU than is wanted."""
    parser = parser_of(__doc__)
    parser.add_argument("--devices", type=int, default=500, help="(default 500)")
    parser.add_argument("--at-once", type=int, default=100, help="polls at a time (default 100)")
    parser.add_argument("--cycles", type=int, default=5, help="of each way (default 5)")
    chosen = parser.parse_args(argv)
    ours, theirs = [*sorted(os.sched_getaffinity(0)), None, None][:2]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=serve, args=(there, theirs), daemon=True)
    child.start()
    load = Load(chosen.devices, chosen.at_once, chosen.cycles, here.recv())
    _pin(ours)
    report = report_of(uvloop.run(measure(load)), load)
    here.send(None)
    child.join(5)
    emit(report, chosen)
    return int(any(report.metrics["ratio"][channel]["cpu"] < wanted for channel, wanted in WANTED.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
