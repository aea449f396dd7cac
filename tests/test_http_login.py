"""Who we are: fixed proofs, logins that are made once, renewed once and ended, against a real server."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from urllib.request import parse_http_list, parse_keqv_list

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from streampoll.config.secret import Secret
from streampoll.http.credential import LOCATION, ApiKey, Basic, Bearer, Digest, HttpCredential, Login, Logout
from streampoll.http.plan import FormBody, JsonBody
from streampoll.model import Status
from streampoll.pollers.http import HttpPoller
from tests.http_support import Device, credential, json_page, plan, poll, polling, serving
from tests.waiting import eventually_async

WORD = "pass & wörd"
TWO = """
tls = false
[requests.a]
path = "/a"
scalars = { a = "v" }
[requests.b]
path = "/b"
scalars = { b = "v" }
"""
ONE = TWO.partition("[requests.b]")[0]
JSON_LOGIN = Login(
    "poller", Secret(WORD), "/login", JsonBody('{"u": "{user}", "p": "{password}"}'), token="data.token",
    logout=Logout("/logout"),
)  # fmt: skip
FORM_LOGIN = Login(
    "poller", Secret(WORD), "/login", FormBody((("u", "{user}"), ("p", "{password}"))), cookie="SESSION",
    logout=Logout("/logout", "GET"),
)  # fmt: skip


@pytest_asyncio.fixture
async def device() -> AsyncIterator[Device]:
    async with serving(Device()) as device:
        yield device


@dataclass
class Sessions:
    """A device's own idea of who is logged in."""

    device: Device
    word: str = WORD
    live: set[str] = field(default_factory=set)
    logins: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        for path in ("/a", "/b"):
            self.device.on(path, self.data)
        self.device.on("/login", self.login)
        self.device.on("/logout", self.logout)

    async def login(self, request: Request) -> Response:
        given = await request.json() if "json" in request.headers["content-type"] else parse_form(await request.body())
        if given != {"u": "poller", "p": self.word}:
            self.refused += 1
            return Response("no", 401)
        self.logins += 1
        token = f"token-{self.logins}"
        self.live.add(token)
        answer = json_page({"data": {"token": token}}, location="/sessions/1", **{"x-auth-token": token})
        answer.set_cookie("SESSION", token)
        return answer

    def token(self, request: Request) -> str:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return bearer or request.headers.get("x-auth-token", "") or request.cookies.get("SESSION", "")

    def data(self, request: Request) -> Response:
        return json_page({"v": 1}) if self.token(request) in self.live else Response("", 401)

    def logout(self, request: Request) -> Response:
        self.live.discard(self.token(request))
        return Response("", 204)


def parse_form(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


# -- fixed proofs


@pytest.mark.parametrize(
    ("scheme", "header", "value"),
    [
        (Basic("poller", Secret(WORD)), "authorization", "Basic cG9sbGVyOnBhc3MgJiB3w7ZyZA=="),
        (Bearer(Secret("t0ken")), "authorization", "Bearer t0ken"),
        (ApiKey("X-API-Key", Secret("k3y")), "x-api-key", "k3y"),
    ],
)
async def test_a_fixed_proof_goes_with_every_request(device: Device, scheme: Any, header: str, value: str) -> None:
    for path in ("/a", "/b"):
        device.on(path, json_page({"v": 1}))

    async with polling() as poller:
        outcome = await poll(poller, device, plan(TWO), credential(scheme))

    assert outcome.status is Status.OK
    assert [each.headers[header] for each in device.asked] == [value, value]
    assert all(value not in f"{each.path}?{each.query}" for each in device.asked)


def digest_server(algorithm: str = "SHA-256", word: str = WORD) -> Any:
    """Answer only with the digest of RFC 7616, 3.4.1."""

    def answer(request: Request) -> Response:
        given = parse_keqv_list(parse_http_list(request.headers.get("authorization", "").removeprefix("Digest ")))
        hashed = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}.get(algorithm, hashlib.sha1)

        def h(text: str) -> str:
            return hashed(text.encode()).hexdigest()

        proof = (
            h(f"poller:ups:{word}")
            + f":n1:{given.get('nc')}:{given.get('cnonce')}:auth:"
            + h(f"GET:{request.url.path}")
        )
        if given.get("response") == h(proof):
            return json_page({"v": 1})
        challenge = f'Digest realm="ups", nonce="n1", qop="auth", algorithm={algorithm}'
        return Response("x" * 100, 401, {"www-authenticate": challenge})

    return answer


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_is_challenged_once(device: Device, algorithm: str) -> None:
    for path in ("/a", "/b"):
        device.on(path, digest_server(algorithm))

    async with polling() as poller:
        outcomes = [await poll(poller, device, plan(TWO), credential(Digest("poller", Secret(WORD)))) for _ in range(2)]

    assert [(each.status, each.requests) for each in outcomes] == [(Status.OK, 3), (Status.OK, 2)]


async def test_a_wrong_digest_is_not_accepted(device: Device) -> None:
    device.on("/a", digest_server())

    async with polling() as poller:
        outcome = await poll(poller, device, plan(TWO), credential(Digest("poller", Secret("other"))))

    assert (outcome.status, outcome.requests) == (Status.AUTH, 2)


STRANGE = [
    "Digest realm=x",
    'Digest realm="x", nonce="y", algorithm=TIGER',
    'Digest realm="x", nonce="y", qop="auth-int"',
    "Digest ,,=",
]


@pytest.mark.parametrize("challenge", STRANGE)
async def test_a_strange_challenge_is_a_failure_and_forgotten(device: Device, challenge: str) -> None:
    """httpx keeps a challenge before it knows whether it can answer it, and failed at every request after it."""
    device.on("/a", Response("", 401, {"www-authenticate": challenge}), digest_server())

    async with polling() as poller:
        who = credential(Digest("poller", Secret(WORD)))
        first, second = [await poll(poller, device, plan(ONE), who) for _ in range(2)]

    assert (first.status, "Digest" in first.error) == (Status.AUTH, True)
    assert second.status is Status.OK


async def test_a_challenge_with_a_huge_body_is_bounded(device: Device) -> None:
    challenge = 'Digest realm="x", nonce="y", qop="auth"'
    device.on("/a", Response("x" * 5000, 401, {"www-authenticate": challenge}))

    async with polling(max_body_bytes=1024) as poller:
        outcome = await poll(poller, device, plan(ONE), credential(Digest("poller", Secret(WORD))))

    assert outcome.error == "a: longer than http.max_body_bytes (1,024)"


# -- logins

HEADER_LOGIN = Login(
    "poller", Secret(WORD), "/login", JSON_LOGIN.body, token_header="X-Auth-Token", header="X-Auth-Token", prefix=""
)


@pytest.mark.parametrize("login", [JSON_LOGIN, FORM_LOGIN, HEADER_LOGIN], ids=["json", "form", "header"])
async def test_one_login_serves_all_polls(device: Device, login: Login) -> None:
    sessions = Sessions(device)

    async with polling() as poller:
        outcomes = [await poll(poller, device, plan(TWO), credential(login)) for _ in range(3)]

    assert [outcome.status for outcome in outcomes] == [Status.OK] * 3
    assert [outcome.requests for outcome in outcomes] == [3, 2, 2]
    assert sessions.logins == 1


@pytest.mark.parametrize("login", [JSON_LOGIN, FORM_LOGIN], ids=["json", "form"])
async def test_the_device_sees_the_logout_at_the_end(device: Device, login: Login) -> None:
    sessions = Sessions(device)

    async with polling() as poller:
        await poll(poller, device, plan(TWO), credential(login))
        assert sessions.live == {"token-1"}

    assert (sessions.live, device.asked[-1].path) == (set(), "/logout")


async def test_a_session_is_ended_at_its_own_address(device: Device) -> None:
    sessions = Sessions(device)
    device.on("/sessions/1", sessions.logout)
    redfish = Login(
        "poller", Secret(WORD), "/login", JSON_LOGIN.body, token_header="X-Auth-Token", header="X-Auth-Token",
        prefix="", logout=Logout(LOCATION, "DELETE"),
    )  # fmt: skip

    async with polling() as poller:
        await poll(poller, device, plan(TWO), credential(redfish))

    assert (device.asked[-1].method, device.asked[-1].path, sessions.live) == ("DELETE", "/sessions/1", set())


async def test_a_session_whose_address_is_none_is_left(device: Device) -> None:
    Sessions(device)
    device.on("/login", json_page({"data": {"token": "a"}}, location="http://[::"))
    login = Login("poller", Secret(WORD), "/login", JSON_LOGIN.body, "data.token", logout=Logout(LOCATION, "DELETE"))

    async with polling() as poller:
        await poll(poller, device, plan(ONE), credential(login))

    assert device.paths() == ["/login", "/a"]


async def test_an_expired_session_is_renewed_within_the_poll(device: Device) -> None:
    sessions = Sessions(device)

    async with polling() as poller:
        await poll(poller, device, plan(TWO), credential(JSON_LOGIN))
        sessions.live.clear()
        outcome = await poll(poller, device, plan(TWO), credential(JSON_LOGIN))

    assert (outcome.status, sessions.logins) == (Status.OK, 2)
    assert device.paths()[3:7] == ["/a", "/login", "/a", "/b"]


async def test_a_session_is_renewed_once_a_poll(device: Device) -> None:
    sessions = Sessions(device)

    async with polling() as poller:
        await poll(poller, device, plan(TWO), credential(JSON_LOGIN))
        sessions.live.clear()
        device.on("/a", Response("", 401))
        outcome = await poll(poller, device, plan(TWO), credential(JSON_LOGIN))

    assert (outcome.status, sessions.logins) == (Status.AUTH, 2)
    assert outcome.error == "a: not let in after a login: HTTP 401 Unauthorized"


@pytest.mark.parametrize(
    "over", [RedirectResponse("/login?next=/a"), Response('<html><input type="password">', media_type="text/html")]
)
async def test_the_way_to_a_login_means_that_the_session_is_over(device: Device, over: Response) -> None:
    sessions = Sessions(device)

    async with polling() as poller:
        await poll(poller, device, plan(TWO), credential(FORM_LOGIN))
        device.on("/a", over, sessions.data)
        outcome = await poll(poller, device, plan(TWO), credential(FORM_LOGIN))

    assert (outcome.status, sessions.logins) == (Status.OK, 2)


async def test_two_polls_that_find_a_session_expired_log_in_once(device: Device) -> None:
    sessions = Sessions(device)

    async with polling(connections=4) as poller:
        await poll(poller, device, plan(ONE), credential(JSON_LOGIN))
        sessions.live.clear()
        polls = [poll(poller, device, plan(ONE), credential(JSON_LOGIN)) for _ in range(4)]
        outcomes = await asyncio.gather(*polls)

    assert [outcome.status for outcome in outcomes] == [Status.OK] * 4
    assert sessions.logins == 2


async def test_a_refused_login_is_tried_once_for_all_who_wait(device: Device) -> None:
    sessions = Sessions(device, word="changed")

    async with polling(connections=4) as poller:
        outcomes = await asyncio.gather(*[poll(poller, device, plan(TWO), credential(JSON_LOGIN)) for _ in range(4)])

    assert {outcome.status for outcome in outcomes} == {Status.AUTH}
    assert outcomes[0].error == "a: login refused: HTTP 401 Unauthorized"
    assert sessions.refused == 1


@pytest.mark.parametrize(
    ("login", "answer", "cause"),
    [
        (JSON_LOGIN, json_page({"data": {}}), "login refused: its answer has no token"),
        (JSON_LOGIN, json_page({"data": {"token": "a\nb"}}), "login: the token has characters"),
        (JSON_LOGIN, Response("<html>"), "login: not JSON"),
        (JSON_LOGIN, Response("", 500), "login: HTTP 500 Internal Server Error"),
        (FORM_LOGIN, Response("try again"), "login refused: no cookie 'SESSION' was set"),
    ],
)
async def test_a_login_without_its_proof_is_a_failure(
    device: Device, login: Login, answer: Response, cause: str
) -> None:
    device.on("/login", answer)

    async with polling() as poller:
        outcome = await poll(poller, device, plan(TWO), credential(login))

    assert outcome.error.startswith(f"a: {cause}")
    assert device.paths() == ["/login"]


async def test_an_idle_session_is_ended_and_its_connection_closed(device: Device) -> None:
    sessions = Sessions(device)

    async with polling(idle_s=0.05) as poller:
        await poll(poller, device, plan(TWO), credential(JSON_LOGIN))
        await eventually_async(lambda: not sessions.live)
        again = await poll(poller, device, plan(TWO), credential(JSON_LOGIN))

    assert (again.status, sessions.logins) == (Status.OK, 2)
    assert device.asked[0].client != device.asked[-1].client


async def test_a_device_more_than_a_process_keeps_is_left_after_each_poll(device: Device) -> None:
    async with serving(Device()) as kept, polling(max_kept=1) as poller:
        kept.on("/a", json_page({"v": 1}))
        device.on("/a", json_page({"v": 1}))
        for each in (kept, device, kept, device):
            await poll(poller, each, plan(ONE))

    assert len({asked.client for asked in kept.asked}) == 1
    assert len({asked.client for asked in device.asked}) == 2


async def test_a_device_that_invents_cookies_is_not_given_them_all_back(device: Device) -> None:
    count = itertools.count()

    def invent(_: Request) -> Response:
        return json_page({"v": 1}, **{"Set-Cookie": f"visit-{next(count)}=x"})

    device.on("/a", invent)
    async with polling() as poller:
        for _ in range(200):
            await poll(poller, device, plan(ONE))

    assert max(asked.headers.get("cookie", "").count("visit-") for asked in device.asked) <= 64


async def test_a_device_that_does_not_answer_the_logout_is_left(device: Device) -> None:
    Sessions(device)

    async def never(_: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    device.on("/logout", never)
    async with asyncio.timeout(5):
        async with polling(logout_limit_s=0.1) as poller:
            await poll(poller, device, plan(TWO), credential(JSON_LOGIN))

    assert device.asked[-1].path == "/logout"


async def test_another_password_is_another_session(device: Device) -> None:
    sessions = Sessions(device, word="old")
    old, new = [
        credential(Login("poller", Secret(word), "/login", JSON_LOGIN.body, "data.token")) for word in ("old", "new")
    ]

    async with polling() as poller:
        await poll(poller, device, plan(TWO), old)
        sessions.word = "new"
        outcome = await poll(poller, device, plan(TWO), new)

    assert (outcome.status, sessions.logins) == (Status.OK, 2)


def test_a_secret_that_can_not_stand_in_a_header_is_refused_without_showing_it() -> None:
    for make in (lambda: Bearer(Secret("s3cret\n")), lambda: ApiKey("X-Key", Secret("sécret"))):
        with pytest.raises(ValueError, match="can't stand in a header") as refused:
            make()
        assert "cret" not in str(refused.value)


def test_a_credential_shows_no_secret() -> None:
    shown = repr(HttpCredential(JSON_LOGIN)) + repr(HttpCredential(ApiKey("X", Secret("k3y"))))
    assert WORD not in shown
    assert "k3y" not in shown


async def test_a_poller_shows_no_secret(device: Device) -> None:
    Sessions(device)
    poller: HttpPoller
    async with polling() as poller:
        await poll(poller, device, plan(TWO), credential(JSON_LOGIN))
        session = next(iter(poller._sessions._places.values())).session
        shown = f"{vars(poller)} {vars(session)} {vars(session._login)} {vars(session._client)}"  # type: ignore[arg-type]

    assert WORD not in shown
    assert "token-1" not in shown
