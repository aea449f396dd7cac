"""The record of host keys: many processes, one file, nothing lost, never half a line."""

import asyncio
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from streampoll.model import Status
from streampoll.ssh.hostkeys import KnownHostsFile
from streampoll.ssh.port import SshFailure, Trust, known_name

KEY, OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB"


def record_many(path: Path, process: int, start: Any) -> None:
    """What one process does: it records hosts of its own, and one that all record with different keys."""

    async def main() -> None:
        keys = KnownHostsFile(path)
        for number in range(20):
            await keys.record(f"p{process}-{number}", KEY)
        await keys.record("shared", f"ssh-ed25519 KEY{process}")

    start.wait(30)
    asyncio.run(main())


def test_no_process_drops_what_another_recorded(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("kept-as-it-is ssh-rsa AAAA comment\n")
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(3)
    processes = [spawn.Process(target=record_many, args=(path, number, start)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)

    lines = path.read_text().splitlines()
    assert lines[0] == "kept-as-it-is ssh-rsa AAAA comment"
    assert len(lines) == len(set(lines)) == 1 + 3 * 20 + 1
    assert sum(line.startswith("shared ") for line in lines) == 1


async def test_whoever_comes_second_gets_the_key_of_the_first(tmp_path: Path) -> None:
    first, second = (KnownHostsFile(tmp_path / "known_hosts") for _ in range(2))
    assert await second.trust("r1") == Trust()
    await first.record("r1", KEY)

    assert (await second.record("r1", OTHER)).keys == {KEY}


async def test_keys_that_come_in_at_once_share_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    from streampoll.ssh import hostkeys

    replace = hostkeys._replace
    monkeypatch.setattr(hostkeys, "_replace", lambda path, text: (writes.append(1), replace(path, text)))
    keys = KnownHostsFile(tmp_path / "known_hosts")
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(keys.record(f"r{number}", KEY))

    assert len((tmp_path / "known_hosts").read_text().splitlines()) == 200
    assert len(writes) < 10


async def test_whoever_asks_while_the_file_is_read_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("".join(f"r{number} {KEY}\n" for number in range(100)))
    keys = KnownHostsFile(path)  # as at a worker's start: all devices at once, none of them known yet
    found = await asyncio.gather(*(keys.trust(f"r{number}") for number in range(100)))

    assert found == [Trust(keys=frozenset({KEY}))] * 100


async def test_a_file_that_can_not_be_looked_at_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SshFailure, match=r"set ssh\.known_hosts to a file"):
        await KnownHostsFile(tmp_path / "file" / "known_hosts").trust("r1")


async def test_a_missing_end_of_line_is_made_good(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"r1 {KEY}")
    await KnownHostsFile(path).record("r2", OTHER)

    assert path.read_text() == f"r1 {KEY}\nr2 {OTHER}\n"


async def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    path, real = tmp_path / "known_hosts", tmp_path / "real"
    path.symlink_to(real)
    await KnownHostsFile(path).record("r1", KEY)

    assert (path.is_symlink(), real.read_text()) == (True, f"r1 {KEY}\n")


async def test_one_failed_write_is_told_to_each_that_waits_and_loses_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "later"
    keys = KnownHostsFile(directory / "known_hosts")
    failures = await asyncio.gather(*(keys.record(f"r{n}", KEY) for n in range(3)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [SshFailure] * 3
    assert all(failure.status is Status.ERROR for failure in failures if isinstance(failure, SshFailure))

    directory.mkdir()
    assert (await keys.record("r1", KEY)).keys == {KEY}


async def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"\n# r1 {OTHER}\nr1\n@unknown r1 {OTHER}\n|1|bad\nr1 {KEY}\n!r1,* {OTHER}\n")
    trust = await KnownHostsFile(path).trust("r1")

    assert trust == Trust(keys=frozenset({KEY}))


def test_a_port_stands_beside_the_host_unless_it_is_the_usual() -> None:
    assert (known_name("r1", 22), known_name("::1", 2222)) == ("r1", "[::1]:2222")
