"""Who a device is: host keys at first use, known, changed, revoked, certified; old algorithms; addresses that fail."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from streampoll.embedded.places import free_port
from streampoll.model import Status
from tests.ssh_support import HOST_KEY, OTHER_KEY, Device, bench, plan_of, served

PLAN = plan_of("linux", "uptime")


def device(**options: Any) -> Device:
    return Device({"uptime": "up\n"}, server_options=options)


def public(key: Any) -> str:
    return " ".join(key.export_public_key("openssh").decode().split()[:2])


async def test_the_first_key_is_recorded_for_its_port(tmp_path: Path) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, PLAN)

    assert outcome.status is Status.OK
    assert polls.known_hosts.read_text() == f"[127.0.0.1]:{r1.port} {public(HOST_KEY)}\n"


async def test_a_changed_key_is_refused_before_anything_is_proved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path) as polls:
        async with served(device()) as r1:
            await polls.poll(r1, PLAN)
        async with served(device(), OTHER_KEY, r1.port) as impostor:
            outcome = await polls.poll(impostor, PLAN)
            await polls.poll(impostor, PLAN)

    assert (outcome.status, impostor.attempts) == (Status.REFUSED, [])
    assert sum("host key has changed" in line for line in caplog.messages) == 1
    assert "host key has changed" in outcome.error
    assert f"ssh-keygen -R '[127.0.0.1]:{r1.port}'" in outcome.error


async def test_a_key_of_another_type_is_a_changed_key(tmp_path: Path) -> None:
    async with bench(tmp_path) as polls:
        async with served(device()) as r1:
            await polls.poll(r1, PLAN)
        async with served(device(), asyncssh.generate_private_key("ecdsa-sha2-nistp256"), r1.port) as impostor:
            outcome = await polls.poll(impostor, PLAN)

    assert (outcome.status, "host key has changed" in outcome.error) == (Status.REFUSED, True)


async def test_a_device_with_several_keys_shows_the_one_that_is_known(tmp_path: Path) -> None:
    async with served(device(), [HOST_KEY, RSA_KEY]) as r1, bench(tmp_path, host_keys="known") as polls:
        polls.known_hosts.write_text(f"[127.0.0.1]:{r1.port} {public(RSA_KEY)}\n")
        outcome = await polls.poll(r1, PLAN)

    assert (outcome.status, outcome.error) == (Status.OK, "")


async def test_once_its_line_is_removed_a_new_key_is_recorded(tmp_path: Path) -> None:
    async with bench(tmp_path) as polls:
        async with served(device()) as r1:
            await polls.poll(r1, PLAN)
        await asyncio.to_thread(
            subprocess.run, ["ssh-keygen", "-R", f"[127.0.0.1]:{r1.port}", "-f", polls.known_hosts], check=True,
            capture_output=True,
        )  # fmt: skip
        async with served(device(), OTHER_KEY, r1.port) as again, bench(tmp_path) as later:
            outcome = await later.poll(again, PLAN)

    assert outcome.status is Status.OK


async def test_where_keys_must_be_known_a_new_device_is_refused_with_its_fingerprint(tmp_path: Path) -> None:
    async with served(device()) as r1, bench(tmp_path, host_keys="known") as polls:
        outcome = await polls.poll(r1, PLAN)

    assert (outcome.status, r1.attempts, polls.known_hosts.exists()) == (Status.REFUSED, [], False)
    assert HOST_KEY.get_fingerprint() in outcome.error


@pytest.mark.parametrize("pattern", ["127.0.0.*", "[127.0.0.1]:*", "10.0.0.1,[127.0.0.1]:PORT", "hashed"])
async def test_a_key_is_known_as_openssh_writes_it(tmp_path: Path, pattern: str) -> None:
    async with served(device()) as r1, bench(tmp_path, host_keys="known") as polls:
        name = f"[127.0.0.1]:{r1.port}"
        names = {"hashed": name, "127.0.0.*": f"[127.0.0.*]:{r1.port}"}.get(
            pattern, pattern.replace("PORT", str(r1.port))
        )
        polls.known_hosts.write_text(f"# a comment\n{names} {public(HOST_KEY)} remark\n")
        if pattern == "hashed":
            argv = ["ssh-keygen", "-H", "-f", polls.known_hosts]
            await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True)
            assert name not in polls.known_hosts.read_text()
        outcome = await polls.poll(r1, PLAN)

    assert (outcome.status, outcome.error) == (Status.OK, "")


async def test_a_revoked_key_is_refused_though_its_certificate_is_trusted(tmp_path: Path) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_host_certificate(HOST_KEY, "r1", principals=["127.0.0.1"])
    async with served(device(), (HOST_KEY, certificate)) as r1, bench(tmp_path) as polls:
        polls.known_hosts.write_text(f"@cert-authority * {public(authority)}\n@revoked * {public(HOST_KEY)}\n")
        outcome = await polls.poll(r1, PLAN)

    assert (outcome.status, r1.attempts, "revoked" in outcome.error) == (Status.REFUSED, [], True)


async def test_a_record_that_cannot_be_read_is_no_trust(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").mkdir()
    async with served(device()) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, PLAN)

    assert (outcome.status, r1.attempts) == (Status.ERROR, [])


async def test_a_revoked_key_is_refused(tmp_path: Path) -> None:
    async with served(device()) as r1, bench(tmp_path) as polls:
        polls.known_hosts.write_text(f"@revoked * {public(HOST_KEY)}\n")
        outcome = await polls.poll(r1, PLAN)

    assert (outcome.status, r1.attempts, "revoked" in outcome.error) == (Status.REFUSED, [], True)


@pytest.mark.parametrize(("signer", "status"), [("ca", Status.OK), ("stranger", Status.REFUSED)])
async def test_a_certified_host_key_is_trusted_by_its_authority(tmp_path: Path, signer: str, status: Status) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    signs = authority if signer == "ca" else OTHER_KEY
    certificate = signs.generate_host_certificate(HOST_KEY, "r1", principals=["127.0.0.1"])
    r1 = device(server_host_certs=[])
    async with served(r1, (HOST_KEY, certificate)), bench(tmp_path, host_keys="known") as polls:
        polls.known_hosts.write_text(f"@cert-authority [127.0.0.1]:{r1.port} {public(authority)}\n")
        outcome = await polls.poll(r1, PLAN)

    assert outcome.status is status


@pytest.mark.parametrize("keyboard", [True, False])
async def test_nothing_is_proved_before_the_first_key_is_on_record(tmp_path: Path, keyboard: bool) -> None:
    async with served(Device(keyboard=keyboard)) as r1, bench(tmp_path / "not-there") as polls:
        outcome = await polls.poll(r1, PLAN)

    assert (outcome.status, r1.attempts) == (Status.ERROR, [])
    assert "ssh.known_hosts" in outcome.error


RSA_KEY = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
OLD = {"kex_algs": ["diffie-hellman-group14-sha1"], "encryption_algs": ["aes128-cbc"]}
OLDEST = {
    "kex_algs": ["diffie-hellman-group1-sha1"], "encryption_algs": ["3des-cbc"], "mac_algs": ["hmac-md5"],
}  # fmt: skip
CBC = {"encryption_algs": ["aes256-cbc"]}
MD5 = {"encryption_algs": ["aes128-ctr"], "mac_algs": ["hmac-md5"]}


@pytest.mark.parametrize("algorithms", [OLD, OLDEST, CBC, MD5])
async def test_an_old_device_is_refused_with_the_way_out_and_polled_with_it(
    tmp_path: Path, algorithms: dict[str, Any]
) -> None:
    async with served(device(**algorithms), RSA_KEY) as r1, bench(tmp_path) as polls:
        refused = await polls.poll(r1, PLAN)
        allowed = await polls.poll(r1, PLAN, legacy=True)

    assert (refused.status, allowed.status) == (Status.REFUSED, Status.OK)
    assert "ssh.legacy = true" in refused.error


async def test_a_closed_port_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as polls:
        outcome = await polls.poll(free_port(), PLAN)

    assert (outcome.status, "is closed" in outcome.error) == (Status.REFUSED, True)


async def test_what_is_no_ssh_is_said_to_be_none(tmp_path: Path) -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n" * 2000)
        await reader.read(100)
        writer.close()

    async with await asyncio.start_server(http, "127.0.0.1", 0) as server, bench(tmp_path) as polls:
        outcome = await polls.poll(server.sockets[0].getsockname()[1], PLAN)

    assert (outcome.status, "does not speak SSH" in outcome.error) == (Status.DECODE, True)


async def test_a_device_that_says_nothing_times_out_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with (
        await asyncio.start_server(mute, "127.0.0.1", 0) as server,
        served(device()) as r1,
        bench(tmp_path, logins=1, connect_timeout_s=2.5) as polls,
    ):
        port = server.sockets[0].getsockname()[1]
        dead = asyncio.create_task(polls.poll(port, PLAN))
        await asyncio.sleep(0)
        outcome = await polls.poll(r1, PLAN)
        assert (outcome.status, dead.done()) == (Status.OK, False)
        silent = await dead

    assert (silent.status, "login within" in silent.error) == (Status.TIMEOUT, True)
