"""Rule 35 over HTTP: everything at DEBUG, every way to fail, and no secret in what is logged, said or kept."""

import base64
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from streampoll.config.secret import Secret
from streampoll.http.credential import ApiKey, Basic, Bearer, Digest, HttpCredential, Login, Logout, Scheme
from streampoll.http.plan import FormBody
from streampoll.model import Outcome, Status
from tests.http_support import Device, credential, json_page, nginx, plan, poll, polling, serving
from tests.security_support import authority
from tests.test_http_login import digest_server

WORD = "Zq7-Quartz-vermilion"
TOKEN = "Tk9-granted-by-device"
PREFIX = 6  # characters by which a secret is recognised

SYSTEM = """
tls = false
[requests.system]
path = "/system"
scalars = { name = "name" }
"""
LOGIN = Login(
    "poller", Secret(WORD), "/login", FormBody((("u", "{user}"), ("p", "{password}"))), token="token",
    logout=Logout("/logout"),
)  # fmt: skip
COOKIE = Login("poller", Secret(WORD), "/login", LOGIN.body, cookie="SESSION", logout=Logout("/logout"))
SCHEMES = [
    Basic("poller", Secret(WORD)),
    Digest("poller", Secret(WORD)),
    Bearer(Secret(WORD)),
    ApiKey("X-Key", Secret(WORD)),
    LOGIN,
    COOKIE,
]


@pytest_asyncio.fixture
async def device() -> AsyncIterator[Device]:
    async with serving(Device()) as device:
        device.on("/login", login)
        yield device


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything at DEBUG, the loggers of the libraries by name too."""
    for name in ("", *(name for name in logging.root.manager.loggerDict if name.startswith(("http", "h", "anyio")))):
        caplog.set_level(logging.DEBUG, logger=name or None)
    return caplog


def login(_: Request) -> Response:
    answer = json_page({"token": TOKEN})
    answer.set_cookie("SESSION", TOKEN)
    return answer


def echo(status: int) -> object:
    """Answer with all that was asked, as a careless device does."""

    def answer(request: Request) -> Response:
        said = " ".join(f"{name}={value}" for name, value in request.headers.items())
        kept = {name: value for name, value in request.headers.items() if name in ("authorization", "cookie", "x-key")}
        return Response(f"{said} {WORD} {TOKEN}", status, {f"x-{name}": value for name, value in kept.items()})

    return answer


ANSWERS = {
    "401": echo(401),
    "500": echo(500),
    "text": echo(200),
    "redirect": lambda request: RedirectResponse(f"/x?word={WORD}&token={TOKEN}"),
    "not-json": Response(WORD + TOKEN, media_type="application/json"),
    "digest": digest_server(word="another"),
    "wait": Response(WORD, 429, {"retry-after": "100"}),
}


def traces(text: str) -> list[str]:
    """Return what of the secrets stands in a text: their first characters, also as Basic sends them."""
    sent = base64.b64encode(f"poller:{WORD}".encode()).decode()
    return [each for each in (WORD[:PREFIX], TOKEN[:PREFIX], sent[:12]) if each in text]


def everything(outcome: Outcome, logged: pytest.LogCaptureFixture) -> str:
    return f"{outcome!r} {logged.text} {[vars(record) for record in logged.records]}"


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
@pytest.mark.parametrize("answer", ANSWERS)
async def test_no_failure_shows_a_secret(
    device: Device, logged: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], scheme: Scheme, answer: str
) -> None:
    device.on("/system", ANSWERS[answer])  # type: ignore[arg-type]

    async with polling() as poller:
        outcome = await poll(poller, device, plan(SYSTEM), credential(scheme))

    assert outcome.status not in (Status.OK, Status.PARTIAL)
    assert traces(everything(outcome, logged) + "".join(capfd.readouterr())) == []
    assert all(traces(f"{each.path}?{each.query}") == [] for each in device.asked)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
async def test_nobody_there_shows_no_secret(logged: pytest.LogCaptureFixture, scheme: Scheme) -> None:
    async with polling() as poller:
        outcome = await poll(poller, Device(port=1), plan(SYSTEM), credential(scheme))

    assert (outcome.status, traces(everything(outcome, logged))) == (Status.REFUSED, [])


async def test_http2_shows_no_secret(logged: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    made = authority(tmp_path)
    text = 'http2 = true\n[requests.system]\npath = "/guarded.json"\nscalars = { name = "name" }\n'
    who = HttpCredential(Basic("poller", Secret(WORD)), tls_ca=str(made.certificate))

    with nginx(tmp_path, made.issue("mine")) as port:
        async with polling() as poller:
            outcome = await poll(poller, Device(port=port), plan(text), who)

    assert (outcome.status, traces(everything(outcome, logged))) == (Status.AUTH, [])


async def test_the_search_would_find_them(device: Device, logged: pytest.LogCaptureFixture) -> None:
    """What is searched for is what was really sent, and a log line with it is seen."""
    device.on("/system", json_page({"name": "edge-1"}))
    async with polling() as poller:
        await poll(poller, device, plan(SYSTEM), credential(Basic("poller", Secret(WORD))))
        await poll(poller, device, plan(SYSTEM), credential(LOGIN))

    logging.getLogger("streampoll.test").debug("%s", device.asked[0].headers)
    sent = " ".join(f"{each.headers} {each.body!r}" for each in device.asked)
    assert len(traces(sent)) == 3
    assert re.search(r"authorization", logged.text)
    assert traces(logged.text) != []
