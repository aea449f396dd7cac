"""Interactive shells, on devices that page, are slow, colourful, silent or refuse."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streampoll.config.secret import Secret
from streampoll.model import Status
from streampoll.ssh.plan import Channel
from tests.ssh_support import ENABLE, LOGIN, PASSWORD, USER, Device, bench, plan_of, served

LONG = "\n".join(f"interface {number} is up" for number in range(40))
VERSION = "Cisco IOS Software, Version 15.2(4)E7"


async def raw(tmp_path: Path, device: Device, platform: str, *lines: str) -> Any:
    """Poll once; the outcome."""
    async with served(device), bench(tmp_path) as polls:
        return await polls.poll(device, plan_of(platform, *lines))


async def test_output_stands_without_echo_and_prompt(tmp_path: Path) -> None:
    device = Device({"show version": VERSION, "show clock": "12:00:00"})
    outcome = await raw(tmp_path, device, "cisco_ios", "show version", "show clock")

    assert (outcome.status, outcome.error) == (Status.OK, "")
    assert outcome.values == {"show version": VERSION, "show clock": "12:00:00"}
    assert (outcome.requests, outcome.at > 0) == (2, True)


async def test_width_and_paging_are_set_before_the_first_command(tmp_path: Path) -> None:
    device = Device({"show x": LONG}, page_lines=10)
    outcome = await raw(tmp_path, device, "cisco_ios", "show x")

    assert outcome.values["show x"] == LONG
    assert [line for line in device.typed if line] == ["terminal width 511", "terminal length 0", "show x"]


@pytest.mark.parametrize(
    ("platform", "pager", "wipe", "newline"),
    [
        ("fortinet", "--More-- ", "\r         \r", "\r\n"),
        ("fortinet", "  ---- More ----", "\x1b[16D                \x1b[16D", "\r\n"),
        ("fortinet", "<--- More --->", "\r              \r", "\r\r\n"),
        ("fortinet", "---(more 42%)---", "\r\x1b[K", "\r\n"),
        ("fortinet", "--More--", "\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\b", "\n"),
        ("fortinet", "Press any key to continue (Q to quit)", "\r\n", "\r\n"),
    ],
)
async def test_a_pager_is_answered_and_wiped_away(
    tmp_path: Path, platform: str, pager: str, wipe: str, newline: str
) -> None:
    device = Device({"get system status": LONG}, page_lines=7, pager=pager, wipe=wipe, newline=newline, prompt="FG #")
    outcome = await raw(tmp_path, device, platform, "get system status")

    assert outcome.values["get system status"] == LONG


async def test_a_prompt_that_comes_late_is_waited_for_and_a_banner_is_none(tmp_path: Path) -> None:
    device = Device({"show clock": "12:00"}, pause_s=0.4, banner="\r\nKeep out! #")
    outcome = await raw(tmp_path, device, "cisco_ios", "show clock")

    assert outcome.values == {"show clock": "12:00"}


async def test_colours_and_a_redrawn_line_are_no_output(tmp_path: Path) -> None:
    device = Device({"show clock": "\x1b[1;31m12:00\x1b[0m\x1b[K"}, prompt="\x1b[01;32mR1\x1b[0m\x1b[K> ")
    outcome = await raw(tmp_path, device, "arista_eos", "show clock")

    assert outcome.values == {"show clock": "12:00"}


async def test_a_device_that_does_not_echo_is_understood(tmp_path: Path) -> None:
    device = Device({"show clock": "12:00", "show version": VERSION}, echo=False)
    outcome = await raw(tmp_path, device, "cisco_ios", "show clock", "show version")

    assert outcome.values == {"show clock": "12:00", "show version": VERSION}


async def test_the_prompt_of_junos_brings_a_line_of_its_own(tmp_path: Path) -> None:
    device = Device({"show version": "Junos: 21.4R3"}, prompt="\r\n{master:0}\r\npoller@mx1> ")
    outcome = await raw(tmp_path, device, "juniper_junos", "show version")

    assert outcome.values == {"show version": "Junos: 21.4R3"}


async def test_a_prompt_that_counts_commands_is_learned(tmp_path: Path) -> None:
    count = iter(range(1, 100))

    def say(device: Device, line: str, process: Any) -> bool:
        process.stdout.write(f"{device.answers.get(line, '')}\r\n* X440.{next(count)} # ".encode())
        return True

    device = Device({"show version": "ExtremeXOS 31.7"}, prompt="* X440.0 # ", on_command=say)
    outcome = await raw(tmp_path, device, "extreme_exos", "show version")

    assert outcome.values == {"show version": "ExtremeXOS 31.7"}


async def test_what_came_late_for_one_command_is_not_the_next_ones(tmp_path: Path) -> None:
    """A prompt-like line at the end of a packet ends a command early; its rest must not reach the next."""

    def say(device: Device, line: str, process: Any) -> bool:
        if line != "show log":
            return False
        process.stdout.write(b"first line\r\nR1>")
        asyncio.get_running_loop().call_later(0.15, process.stdout.write, b" was typed\r\nsecond line\r\nR1>")
        return True

    device = Device({"show clock": "12:00"}, on_command=say)
    outcome = await raw(tmp_path, device, "cisco_ios", "show log", "show clock")

    assert outcome.values["show clock"] == "12:00"


async def test_a_syslog_line_between_polls_is_no_output(tmp_path: Path) -> None:
    device = Device({"show clock": "12:00"})
    plan = plan_of("cisco_ios", "show clock")
    sessions: list[Any] = []
    device.on_command = lambda _, line, process: bool(sessions.append(process))  # type: ignore[func-returns-value]
    async with served(device), bench(tmp_path) as polls:
        await polls.poll(device, plan)
        sessions[-1].stdout.write(b"\r\n*Nov 23 12:00:00: %LINK-3-UPDOWN: Gi0/1 down\r\nR1>")
        outcome = await polls.poll(device, plan)

    assert outcome.values == {"show clock": "12:00"}


@pytest.mark.parametrize(
    ("platform", "said"),
    [
        ("cisco_ios", "          ^\n% Invalid input detected at '^' marker."),
        ("cisco_ios", "% Incomplete command."),
        ("cisco_ios", "Command authorization failed."),
        ("cisco_asa", "ERROR: % Invalid input detected at '^' marker."),
        ("huawei_vrp", "        ^\nError: Unrecognized command found at '^' position."),
        ("hp_comware", " % Unrecognized command found at '^' position."),
        ("juniper_junos", "               ^\nunknown command."),
        ("juniper_junos", "error: command is not valid on the mx960"),
        ("alcatel_sros", "Error: Bad command."),
        ("mikrotik_routeros", "bad command name foo (line 1 column 1)"),
        ("fortinet", "Command fail. Return code -61"),
        ("paloalto_panos", "Unknown command: foo"),
    ],
)
async def test_a_refusal_is_a_failure_of_its_command(tmp_path: Path, platform: str, said: str) -> None:
    device = Device({"show good": "fine", "show bad": said})
    outcome = await raw(tmp_path, device, platform, "show bad", "show good")

    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"show good": "fine"})
    assert said.strip().split("\n")[-1].strip() in outcome.missing["show bad"] or "^" in outcome.missing["show bad"]


async def test_a_log_that_tells_of_a_refusal_is_output(tmp_path: Path) -> None:
    log = "%SYS-5-CONFIG_I: Configured from console\n" + "\n".join(["a line"] * 9 + ["% Invalid input detected"])
    outcome = await raw(tmp_path, Device({"show log": log}), "cisco_ios", "show log")

    assert (outcome.status, outcome.values["show log"]) == (Status.OK, log)


async def test_a_device_that_refuses_everything_is_refused(tmp_path: Path) -> None:
    outcome = await raw(tmp_path, Device(), "cisco_ios", "show a", "show b")

    assert (outcome.status, outcome.values) == (Status.REFUSED, {})
    assert "% Invalid input" in outcome.error


async def test_privileged_mode_is_entered_once_a_session(tmp_path: Path) -> None:
    device = Device({"show run": "hostname R1"}, secret=ENABLE)
    plan = plan_of("cisco_ios", "show run", enable=True)
    async with served(device), bench(tmp_path) as polls:
        outcomes = [await polls.poll(device, plan) for _ in range(2)]

    assert [outcome.values for outcome in outcomes] == [{"show run": "hostname R1"}] * 2
    assert (device.typed.count("enable"), device.shells) == (1, 1)


@pytest.mark.parametrize(("secret", "said"), [("another", "not accepted"), ("", "no `enable`")])
async def test_a_wrong_secret_of_privileged_mode_is_said(tmp_path: Path, secret: str, said: str) -> None:
    device = Device({"show run": "hostname R1"}, secret=ENABLE)
    async with served(device), bench(tmp_path) as polls:
        login = replace(LOGIN, enable=Secret(secret))
        outcome = await polls.poll(device, plan_of("cisco_ios", "show run", enable=True), login)
        assert polls.poller.kept == 0

    assert (outcome.status, said in outcome.error, outcome.values) == (Status.AUTH, True, {})


async def test_a_device_that_asks_for_the_login_in_its_shell_gets_it(tmp_path: Path) -> None:
    device = Device({"show sysinfo": "AIR-CT5508"}, prompt="", banner="\r\nUser: ", on_command=_wlc)
    outcome = await raw(tmp_path, device, "cisco_wlc_ssh", "show sysinfo")

    assert outcome.values == {"show sysinfo": "AIR-CT5508"}
    assert device.typed[:2] == [USER, PASSWORD]


def _wlc(device: Device, line: str, process: Any) -> bool:
    """Hold the login dialogue of a Cisco WLC, which follows SSH's."""
    asked = {1: "Password: ", 2: ""}.get(len(device.typed))
    said = asked or f"{device.answers.get(line, '')}\r\n(Cisco Controller) >"
    process.stdout.write(said.encode())
    return True


async def test_the_menu_of_a_ups_is_walked_by_numbers(tmp_path: Path) -> None:
    screens = {
        "": "1- Device Manager\r\n2- Logout",
        "1": "Status : On Line\r\nCapacity : 100 %",
        "\x1b": "1- Device Manager\r\n2- Logout",
    }

    def say(device: Device, line: str, process: Any) -> bool:
        process.stdout.write(f"\x1b[2J\x1b[H------- Menu -------\r\n{screens[line]}\r\n\r\n> ".encode())
        return True

    device = Device(prompt="> ", banner="APC\r\n", on_command=say)
    outcome = await raw(tmp_path, device, "menu", "\x1b", "1")

    assert outcome.status is Status.OK
    assert "Capacity : 100 %" in outcome.values["1"]


async def test_a_command_that_does_not_end_times_out_and_takes_the_session_with_it(tmp_path: Path) -> None:
    device = Device({"show a": "a"}, on_command=lambda device, line, process: line == "show hang")
    async with served(device), bench(tmp_path, command_timeout_s=0.4) as polls:
        outcome = await polls.poll(device, plan_of("cisco_ios", "show a", "show hang", "show b"))
        assert polls.poller.kept == 0

    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"show a": "a"})
    assert "within 0.4 s" in outcome.missing["show hang"]
    assert outcome.missing["show b"].startswith("not asked after")
    assert "show b" not in device.typed


async def test_a_device_that_pours_is_cut_off(tmp_path: Path) -> None:
    device = Device({"show tech": "x" * 20_000})
    async with served(device), bench(tmp_path, max_output_bytes=4096) as polls:
        outcome = await polls.poll(device, plan_of("cisco_ios", "show tech"))

    assert (outcome.status, outcome.values) == (Status.ERROR, {})
    assert "ssh.max_output_bytes" in outcome.error


async def test_no_prompt_is_a_time_out_that_says_so(tmp_path: Path) -> None:
    device = Device(prompt="", banner="One moment please")
    async with served(device), bench(tmp_path, command_timeout_s=0.3) as polls:
        outcome = await polls.poll(device, plan_of("cisco_ios", "show a"))

    assert (outcome.status, "no prompt" in outcome.error) == (Status.TIMEOUT, True)


async def test_the_poll_ends_at_its_deadline(tmp_path: Path) -> None:
    device = Device(on_command=lambda device, line, process: line == "show hang")
    async with served(device), bench(tmp_path) as polls:
        outcome = await polls.poll(device, plan_of("cisco_ios", "show hang"), limit_s=0.8)

    assert outcome.status is Status.TIMEOUT


async def test_the_poll_ends_at_its_deadline_with_what_it_has(tmp_path: Path) -> None:
    device = Device({"show a": "a"}, on_command=lambda device, line, process: line == "show hang")
    async with served(device), bench(tmp_path) as polls:
        outcome = await polls.poll(device, plan_of("cisco_ios", "show a", "show hang", "show b"), limit_s=1.5)

    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"show a": "a"})


async def test_a_shell_may_be_had_of_a_host_too(tmp_path: Path) -> None:
    device = Device({"uptime": "up 1 day"}, prompt="poller@host:~$ ")
    async with served(device), bench(tmp_path) as polls:
        outcome = await polls.poll(device, plan_of("linux", "uptime", channel=Channel.SHELL))

    assert outcome.values == {"uptime": "up 1 day"}
