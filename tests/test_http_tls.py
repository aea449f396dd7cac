"""By what a device is known: authorities, names and fingerprints, against real TLS servers; HTTP/2 against nginx."""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response

from streampoll.config.secret import Secret
from streampoll.http.collect import NOT_MODIFIED
from streampoll.http.credential import Basic, HttpCredential
from streampoll.http.trust import Contexts, Trust, Verify, fingerprint
from streampoll.model import Outcome, Scalar, Status
from tests.http_support import Device, basic, digest_of, json_page, nginx, plan, poll, polling, serving
from tests.security_support import authority

NAMES = """
[requests.system]
path = "/system.json"
scalars = { name = "name" }
"""
VERSION = 'http2 = true\n[requests.version]\npath = "/version"\nscalars = { version = "version" }\n'


@dataclass(frozen=True)
class Files:
    ca: Path
    mine: tuple[Path, Path]  # of 127.0.0.1
    named: tuple[Path, Path]  # of edge-1.example
    other_ca: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    one, two = (authority(tmp_path_factory.mktemp(name)) for name in ("one", "two"))
    return Files(one.certificate, one.issue("mine"), one.issue("named", "DNS:edge-1.example"), two.certificate)


@pytest_asyncio.fixture
async def device(files: Files) -> AsyncIterator[Device]:
    async with serving(Device(), files.mine) as device:
        device.on("/system.json", json_page({"name": "edge-1"}))
        yield device


@pytest_asyncio.fixture
async def named(files: Files) -> AsyncIterator[Device]:
    async with serving(Device(), files.named) as device:
        device.on("/system.json", json_page({"name": "edge-1"}))
        yield device


async def ask(device: Device, who: HttpCredential | None = None, **overrides: Scalar) -> Outcome:
    async with polling() as poller:
        return await poll(poller, device, plan(NAMES), who or basic(), **overrides)


async def test_a_certificate_of_a_known_authority_is_trusted(device: Device, files: Files) -> None:
    outcome = await ask(device, tls_ca=str(files.ca))

    assert (outcome.status, outcome.values) == (Status.OK, {"name": "edge-1"})


@pytest.mark.parametrize("ca", ["", "other"])
async def test_nothing_is_sent_to_a_device_that_is_not_trusted(device: Device, files: Files, ca: str) -> None:
    outcome = await ask(device, tls_ca=str(files.other_ca) if ca else "")

    assert (outcome.status, device.asked) == (Status.REFUSED, [])
    assert "not trusted" in outcome.error


async def test_the_name_in_a_certificate_counts(named: Device, files: Files) -> None:
    refused = await ask(named, tls_ca=str(files.ca))
    accepted = await ask(named, tls_ca=str(files.ca), tls_server_name="edge-1.example")
    unnamed = await ask(named, tls_ca=str(files.ca), tls_verify="chain")

    assert [each.status for each in (refused, accepted, unnamed)] == [Status.REFUSED, Status.OK, Status.OK]
    assert "certificate is not valid for '127.0.0.1'" in refused.error


async def test_a_fingerprint_stands_for_authority_and_name(named: Device, files: Files) -> None:
    pin = digest_of(files.named[0]).upper()

    outcome = await ask(named, tls_fingerprint=":".join(pin[at : at + 2] for at in range(0, 64, 2)))

    assert outcome.status is Status.OK


async def test_another_certificate_than_the_pinned_one_is_refused_before_anything_is_sent(
    device: Device, files: Files
) -> None:
    outcome = await ask(device, tls_fingerprint=digest_of(files.named[0]), tls_ca=str(files.ca))

    assert (outcome.status, device.asked) == (Status.REFUSED, [])
    assert f"fingerprint {digest_of(files.mine[0])}, not the pinned one" in outcome.error


async def test_a_credential_may_pin_and_a_device_may_say_otherwise(device: Device, files: Files) -> None:
    pinned = HttpCredential(Basic("poller", Secret("x")), tls_fingerprint=digest_of(files.named[0]))
    by_ca = HttpCredential(Basic("poller", Secret("x")), tls_ca=str(files.ca))

    outcomes = [await ask(device, pinned), await ask(device, pinned, tls_ca=str(files.ca)), await ask(device, by_ca)]

    assert [outcome.status for outcome in outcomes] == [Status.REFUSED, Status.OK, Status.OK]


async def test_verification_can_be_switched_off_for_a_device(device: Device) -> None:
    assert (await ask(device, tls_verify="none")).status is Status.OK


async def test_a_device_that_wants_a_certificate_of_us_is_said(files: Files) -> None:
    async with serving(Device(), files.mine, client_ca=files.ca) as strict:
        outcome = await ask(strict, tls_ca=str(files.ca))

    reset = "system: connection reset"  # if the device's reset overtakes its reason
    reasons = {"system: TLS ended by it (TLSV13_ALERT_CERTIFICATE_REQUIRED)", reset}
    assert (outcome.status, outcome.error in reasons) == (Status.REFUSED, True), outcome.error


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_of_authorities_that_is_none_is_a_mistake_of_configuration(
    device: Device, tmp_path: Path, content: str | None
) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content)

    outcome = await ask(device, tls_ca=str(tmp_path / "ca.pem"))

    assert (outcome.status, str(tmp_path) in outcome.error) == (Status.CONFIG, True)


async def test_a_fingerprint_that_is_none_is_a_mistake_of_configuration(device: Device) -> None:
    outcome = await ask(device, tls_fingerprint="abc")

    assert (outcome.status, "SHA-256" in outcome.error) == (Status.CONFIG, True)


async def test_tls_with_a_server_that_has_none_is_said() -> None:
    async with serving(Device()) as plain:
        outcome = await ask(plain, tls_verify="none")

    assert (outcome.status, "no TLS" in outcome.error) == (Status.DECODE, True)


async def test_http_with_a_server_that_wants_tls_is_said(device: Device) -> None:
    async with polling() as poller:
        outcome = await poll(poller, device, plan("tls = false\n" + NAMES))

    assert (outcome.status, outcome.error) in (
        (Status.DECODE, "system: closed the connection without an answer, or does not speak HTTP here"),
        (Status.REFUSED, "system: connection reset"),
    )


def test_all_devices_that_trust_the_same_share_a_context(files: Files) -> None:
    contexts = Contexts()
    first, same = (contexts.get(Trust(Verify.FULL, str(files.ca)), False) for _ in range(2))
    other = contexts.get(Trust(Verify.CHAIN, str(files.ca)), False)

    assert first is same
    assert (first.check_hostname, other.check_hostname) == (True, False)
    assert {first.verify_mode, other.verify_mode} == {ssl.CERT_REQUIRED}


async def test_changed_authorities_are_taken_up_by_the_next_poll(device: Device, files: Files, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    async with polling() as poller:

        async def with_file(text: str | None) -> Status:
            ca.unlink(missing_ok=True)
            if text is not None:
                ca.write_text(text)
            return (await poll(poller, device, plan(NAMES), basic(), tls_ca=str(ca))).status

        one, other = files.ca.read_text(), files.other_ca.read_text()
        statuses = [await with_file(text) for text in (None, other, one, None, "half of it", other)]

    assert statuses == [Status.CONFIG, Status.REFUSED, Status.OK, Status.OK, Status.OK, Status.REFUSED]


def test_a_context_of_a_fingerprint_is_gone_with_its_last_session() -> None:
    contexts = Contexts()
    context = contexts.get(Trust(fingerprint="ab" * 32), False)
    assert contexts.get(Trust(fingerprint="ab" * 32), False) is context

    del context
    gc.collect()

    assert not contexts._of_pins


def test_authorities_of_devices_need_not_be_strict(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_python_3_13(cafile: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_python_3_13)

    assert not Contexts().get(Trust(Verify.FULL, str(files.ca)), False).verify_flags & ssl.VERIFY_X509_STRICT


async def test_polls_that_are_cut_off_leave_a_device_that_can_be_polled(device: Device) -> None:
    async def slow(_: Request) -> Response:
        await asyncio.sleep(0.005)
        return json_page({"name": "edge-1"})

    device.on("/system.json", slow)
    async with polling(tls_verify="none") as poller:
        for number in range(120):  # at whatever point of an exchange
            await poll(poller, device, plan(NAMES), basic(), limit_s=number % 40 / 1000)
        outcome = await poll(poller, device, plan(NAMES), basic(), limit_s=5)

    assert outcome.status is Status.OK


async def test_a_handshake_that_is_cut_off_leaves_no_connection() -> None:
    greeted, ended = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.set()
        await reader.read()  # until the other side has closed it
        writer.close()
        ended.set()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server, polling() as poller:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(poll(poller, Device(port=port), plan(NAMES), basic()))
        await greeted.wait()
        task.cancel()
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_poll_that_is_cut_off_does_not_disturb_another(device: Device) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Response:
        asked.set()
        await answered.wait()
        return json_page({"name": "edge-1"})

    device.on("/system.json", slow)
    async with polling(tls_verify="none", connections=2) as poller:
        other = asyncio.create_task(poll(poller, device, plan(NAMES), basic()))
        await asked.wait()
        cut = await poll(poller, device, plan(NAMES), basic(), limit_s=0.2)
        answered.set()

        assert (cut.status, (await other).status) == (Status.TIMEOUT, Status.OK)


@pytest.mark.parametrize("text", ["ab" * 32, "AB:" * 31 + "AB", "sha256:" + "ab" * 32, " " + "Ab " * 32])
def test_fingerprints_have_one_form(text: str) -> None:
    assert fingerprint(text) == "ab" * 32


# -- nginx


@pytest.fixture(scope="module")
def nginx_port(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with nginx(tmp_path_factory.mktemp("nginx"), files.mine) as port:
        yield port


async def ask_nginx(port: int, text: str, files: Files, times: int = 1, password: str = "a password") -> Outcome:
    async with polling(tls_ca=str(files.ca)) as poller:
        for _ in range(times):
            outcome = await poll(poller, Device(port=port), plan(text), basic(password))
    return outcome


@pytest.mark.parametrize(("http2", "version"), [("true", "HTTP/2.0"), ("false", "HTTP/1.1")])
async def test_http2_is_spoken_where_a_profile_asks_for_it(
    nginx_port: int, files: Files, http2: str, version: str
) -> None:
    outcome = await ask_nginx(nginx_port, VERSION.replace("true", http2), files)

    assert outcome.values == {"version": version}


@pytest.mark.parametrize("http2", ["true", "false"])
async def test_a_file_of_nginx_is_confirmed_and_unpacked(nginx_port: int, files: Files, http2: str) -> None:
    text = f"http2 = {http2}\n{NAMES}conditional = true\n"

    outcome = await ask_nginx(nginx_port, text, files, times=2)

    assert outcome.values == {"name": "edge-1", NOT_MODIFIED: "system"}


@pytest.mark.parametrize(("password", "status"), [("a password", Status.OK), ("another", Status.AUTH)])
async def test_nginx_asks_for_a_password(nginx_port: int, files: Files, password: str, status: Status) -> None:
    outcome = await ask_nginx(nginx_port, NAMES.replace("system.json", "guarded.json"), files, password=password)

    assert outcome.status is status


async def test_a_redirect_of_nginx_is_followed_where_allowed(nginx_port: int, files: Files) -> None:
    text = NAMES.replace("/system.json", "/moved")

    outcomes = [await ask_nginx(nginx_port, text + more, files) for more in ("", "redirects = 1\n")]

    assert [outcome.status for outcome in outcomes] == [Status.REFUSED, Status.OK]
