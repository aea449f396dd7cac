"""Sessions that are kept: reused, replaced when they died, and closed when they are no longer wanted."""

import asyncio
import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from streampoll.config.secret import Secret
from streampoll.model import Status
from streampoll.ssh.channels import ExecSession
from streampoll.ssh.port import Endpoint
from tests.ssh_support import LOGIN, PASSWORD, Device, bench, plan_of, served
from tests.waiting import eventually_async

IOS = plan_of("cisco_ios", "show clock")
LINUX = plan_of("linux", "uptime")


def device(**options: Any) -> Device:
    """A device that knows the commands of both plans."""
    return Device({"show clock": "12:00", "uptime": "up 1 day\n"}, **options)


@pytest.mark.parametrize("plan", [IOS, LINUX])
async def test_the_second_poll_uses_the_connection_of_the_first(tmp_path: Path, plan: Any) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        outcomes = [await polls.poll(r1, plan) for _ in range(3)]

    assert [outcome.status for outcome in outcomes] == [Status.OK] * 3
    assert (r1.logins, r1.shells) == (1, plan is IOS)


@pytest.mark.parametrize("plan", [IOS, LINUX])
async def test_a_session_that_died_between_polls_is_replaced_within_the_poll(tmp_path: Path, plan: Any) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        await polls.poll(r1, plan)
        r1.connections[0].abort()
        outcome = await polls.poll(r1, plan)

    assert (outcome.status, r1.logins) == (Status.OK, 2)
    assert 0 < outcome.asked.first <= outcome.first_reply <= outcome.asked.last_reply


@pytest.mark.parametrize("plan", [IOS, LINUX])
async def test_a_session_that_is_silent_between_polls_is_replaced_too(tmp_path: Path, plan: Any) -> None:
    """As behind a firewall that forgot the connection: what is written gets no answer."""
    async with served(device()) as r1, bench(tmp_path, command_timeout_s=0.5) as polls:
        await polls.poll(r1, plan)
        r1.connections[0]._transport.pause_reading()
        outcome = await polls.poll(r1, plan)

    assert (outcome.status, r1.logins, outcome.asked.retries) == (Status.OK, 2, 1)


@pytest.mark.parametrize("platform", ["cisco_ios", "linux"])
async def test_a_command_that_is_only_slow_is_not_run_twice(tmp_path: Path, platform: str) -> None:
    def echo_and_hang(r1: Device, line: str, process: Any) -> bool:
        return line in ("show tech", "ps")

    slow = plan_of(platform, "show tech" if platform == "cisco_ios" else "ps")
    async with served(device(on_command=echo_and_hang)) as r1, bench(tmp_path, command_timeout_s=0.5) as polls:
        await polls.poll(r1, plan_of(platform, "show clock" if platform == "cisco_ios" else "uptime"))
        outcome = await polls.poll(r1, slow)

    assert (outcome.status, r1.logins, r1.typed.count(slow.commands[0].line)) == (Status.TIMEOUT, 1, 1)


async def test_a_session_is_replaced_only_once_a_poll(tmp_path: Path) -> None:
    def drop(r1: Device, line: str, process: Any) -> bool:
        if line == "show clock" and dropping:
            r1.connections[-1].abort()
        return False

    dropping: list[bool] = []
    async with served(device(on_command=drop)) as r1, bench(tmp_path) as polls:
        await polls.poll(r1, IOS)
        dropping.append(True)
        outcome = await polls.poll(r1, IOS)

    assert (outcome.status, r1.logins) == (Status.REFUSED, 2)
    assert "closed the connection" in outcome.error


async def test_a_new_session_that_drops_is_not_tried_again(tmp_path: Path) -> None:
    def drop(r1: Device, line: str, process: Any) -> bool:
        r1.connections[-1].abort()
        return True

    async with served(device(on_command=drop)) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, IOS)

    assert (outcome.status, r1.logins) == (Status.REFUSED, 1)


async def test_what_came_before_a_drop_is_kept(tmp_path: Path) -> None:
    def drop(r1: Device, line: str, process: Any) -> bool:
        if line == "show bgp":
            r1.connections[-1].abort()
        return False

    async with served(device(on_command=drop)) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, plan_of("cisco_ios", "show clock", "show bgp"))

    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"show clock": "12:00"})


async def test_an_idle_session_is_closed(tmp_path: Path) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        await polls.poll(r1, IOS, idle_s=0.05)
        await eventually_async(lambda: r1.open == 0)

    assert polls.poller.kept == 0


async def test_a_poll_in_between_keeps_a_session_from_being_idle(tmp_path: Path) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        for _ in range(4):
            await polls.poll(r1, LINUX, idle_s=0.6)
            await asyncio.sleep(0.2)

        assert r1.logins == 1


async def test_a_device_with_no_line_to_spare_is_left_after_each_poll(tmp_path: Path) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        await polls.poll(r1, IOS, max_sessions=0)
        await eventually_async(lambda: r1.open == 0)
        await polls.poll(r1, IOS, max_sessions=0)

    assert r1.logins == 2


async def test_the_sessions_of_a_device_are_capped_whoever_logs_in(tmp_path: Path) -> None:
    most: list[int] = []
    other = replace(LOGIN, enable=Secret("differs"))

    def count(r1: Device, line: str, process: Any) -> bool:
        most.append(r1.open)
        return False

    async with served(device(on_command=count)) as r1, bench(tmp_path) as polls:
        for login in (LOGIN, other, LOGIN):
            await polls.poll(r1, LINUX, login)
            await eventually_async(lambda: r1.open == 1)
        assert (max(most), r1.logins) == (1, 3)

        for login in (LOGIN, other, LOGIN):
            await polls.poll(r1, LINUX, login, max_sessions=2)
        assert (r1.open, r1.logins) == (2, 4)


async def test_a_session_is_not_used_with_another_secret_than_it_was_opened_with(tmp_path: Path) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        await polls.poll(r1, LINUX)
        outcome = await polls.poll(r1, LINUX, replace(LOGIN, password=Secret("rotated-and-wrong")))

    assert outcome.status is Status.AUTH


async def test_a_process_keeps_no_more_than_it_may(tmp_path: Path) -> None:
    async with (
        served(device()) as r1, served(device()) as r2, served(device()) as r3, bench(tmp_path, max_kept=2) as polls,
    ):  # fmt: skip
        for each in (r1, r2, r3) * 3:
            await polls.poll(each, LINUX)
        await eventually_async(lambda: r3.open == 0)

        assert (r1.logins, r2.logins, r3.logins) == (1, 1, 3)


async def test_one_command_at_a_time_runs_on_a_device(tmp_path: Path) -> None:
    running: list[int] = [0]
    most: list[int] = []

    def slow(r1: Device, line: str, process: Any) -> bool:
        running[0] += 1
        most.append(running[0])
        asyncio.get_running_loop().call_later(0.05, done, process)
        return True

    def done(process: Any) -> None:
        running[0] -= 1
        process.stdout.write(b"up\n")
        process.exit(0)

    async with served(device(on_command=slow)) as r1, bench(tmp_path) as polls, asyncio.TaskGroup() as group:
        tasks = [group.create_task(polls.poll(r1, LINUX)) for _ in range(4)]

    assert [task.result().status for task in tasks] == [Status.OK] * 4
    assert (max(most), r1.logins) == (1, 1)


async def test_a_poll_that_waits_too_long_for_another_says_so(tmp_path: Path) -> None:
    async with served(device(on_command=lambda r1, line, process: line == "hang")) as r1, bench(tmp_path) as polls:
        first = asyncio.create_task(polls.poll(r1, plan_of("linux", "hang"), limit_s=1.0))
        await eventually_async(lambda: "hang" in r1.typed)
        outcome = await polls.poll(r1, LINUX, limit_s=0.1)
        await first

    assert (outcome.status, "time was over" in outcome.error) == (Status.TIMEOUT, True)


async def test_everything_is_closed_at_exit(tmp_path: Path) -> None:
    async with served(device()) as r1, served(device()) as r2:
        async with bench(tmp_path) as polls:
            await polls.poll(r1, IOS)
            await polls.poll(r2, LINUX)
        await eventually_async(lambda: r1.open + r2.open == 0)


async def test_a_poll_that_is_cancelled_hangs_up(tmp_path: Path) -> None:
    async with served(device(on_command=lambda r1, line, process: True)) as r1, bench(tmp_path) as polls:
        task = asyncio.create_task(polls.poll(r1, LINUX))
        await eventually_async(lambda: r1.typed)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually_async(lambda: r1.open == 0)


async def test_an_exit_status_is_a_failure_with_the_last_line_that_was_said(tmp_path: Path) -> None:
    def fail(r1: Device, line: str, process: Any) -> bool:
        if line != "df":
            return False
        process.stderr.write(b"df: /mnt: Stale file handle\n")
        process.exit(1)
        return True

    async with served(device(on_command=fail)) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, plan_of("linux", "df", "uptime"))

    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"uptime": "up 1 day\n"})
    assert outcome.missing["df"] == "exit status 1: df: /mnt: Stale file handle"


async def test_what_a_program_grumbles_is_no_part_of_its_output(tmp_path: Path) -> None:
    def grumble(r1: Device, line: str, process: Any) -> bool:
        process.stderr.write(b"warning: locale not found\n")
        process.stdout.write(b'{"up": 1}' if line == "uptime" else b"")
        process.exit(0)
        return True

    async with served(device(on_command=grumble)) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, plan_of("linux", "uptime", "df"))

    assert outcome.values == {"uptime": '{"up": 1}', "df": "warning: locale not found\n"}


async def test_a_device_that_hangs_up_politely_has_not_said_all(tmp_path: Path) -> None:
    def leave(r1: Device, line: str, process: Any) -> bool:
        process.stdout.write(b"half of")
        process.channel.get_connection().disconnect(asyncssh.DISC_BY_APPLICATION, "reload")
        return True

    async with served(device(on_command=leave)) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, plan_of("linux", "uptime"))

    assert (outcome.status, outcome.values) == (Status.REFUSED, {})
    assert "closed the connection" in outcome.error


async def test_a_program_that_is_killed_has_not_said_all(tmp_path: Path) -> None:
    def killed(r1: Device, line: str, process: Any) -> bool:
        process.stdout.write(b"half of")
        process.exit_with_signal("KILL")
        return True

    async with served(device(on_command=killed)) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, plan_of("linux", "uptime"))

    assert (outcome.status, outcome.error, outcome.values) == (Status.REFUSED, "ended by signal KILL", {})


async def test_an_end_that_nobody_waits_for_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    session = ExecSession(Endpoint("192.0.2.1", 22), 1024)
    session.connection_lost(ConnectionResetError())

    del session
    gc.collect()

    assert caplog.text == ""


async def test_an_end_without_an_exit_status_is_one(tmp_path: Path) -> None:
    def plain(r1: Device, line: str, process: Any) -> bool:
        process.stdout.write(b"all of it")
        process.channel.close()
        return True

    async with served(device(on_command=plain)) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, plan_of("linux", "uptime"))

    assert outcome.values == {"uptime": "all of it"}


async def test_an_exec_channel_that_pours_costs_only_its_command(tmp_path: Path) -> None:
    r1 = Device({"dmesg": "x" * 50_000, "uptime": "up\n"})
    async with served(r1), bench(tmp_path, max_output_bytes=4096) as polls:
        outcome = await polls.poll(r1, plan_of("linux", "dmesg", "uptime"))

    assert (outcome.values, r1.logins) == ({"uptime": "up\n"}, 1)
    assert "ssh.max_output_bytes" in outcome.missing["dmesg"]


async def test_a_wrong_password_is_tried_once(tmp_path: Path) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, LINUX, replace(LOGIN, password=Secret("wrong-guess")))

    assert (outcome.status, len(r1.attempts)) == (Status.AUTH, 1)
    assert PASSWORD not in outcome.error
