"""Who is served, what is refused and how: each refusal is a problem that says what to do instead."""

from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import pytest
from msgspec import Meta

from streampoll.api.actions import ActionRoutes
from streampoll.api.application import Served, application
from streampoll.api.auth import Gate, digest_of
from streampoll.api.route import Asked, Route
from streampoll.config.settings import ApiSettings
from streampoll.errors import RedisUnavailable
from streampoll.results.control import Action, Role, Token
from tests.api_support import HOME, OPERATOR, READER, asking, bearer, tokens


@dataclass(frozen=True, slots=True)
class Sought:
    name: str
    limit: Annotated[int, Meta(ge=1, le=10)] = 5


@dataclass(frozen=True, slots=True)
class Order:
    size: int


async def seen(asked: Asked) -> dict[str, object]:
    return {"by": asked.by, "name": asked.parameters.name, "limit": asked.parameters.limit}


async def made(asked: Asked) -> dict[str, object]:
    return {"by": asked.by, "size": asked.body.size}


async def away(_: Asked) -> None:
    raise RedisUnavailable("Redis at 10.0.0.1:6379: connection refused")


async def broken(_: Asked) -> None:
    raise ZeroDivisionError("community=secret")


ROUTES = [
    Route("GET", "/api/v1/things/{name}", seen, dict[str, Any], "See", "things", parameters=Sought),
    Route("POST", "/api/v1/things", made, dict[str, Any], "Make", "things", body=Order, role=Role.OPERATOR),
    Route("GET", "/api/v1/away", away, dict[str, Any], "Away", "things"),
    Route("GET", "/api/v1/broken", broken, dict[str, Any], "Broken", "things"),
]


def detail(answer: httpx.Response, status: int) -> str:
    """The detail of a problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    return answer.json()["detail"]


async def test_this_host_may_ask_and_act_without_a_token() -> None:
    async with asking(ROUTES) as client:
        assert (await client.get("/api/v1/things/a?limit=7")).json() == {"by": "loopback", "name": "a", "limit": 7}
        assert (await client.post("/api/v1/things", json={"size": 3})).json() == {"by": "loopback", "size": 3}


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
async def test_what_a_proxy_of_this_host_forwards_is_not_of_this_host(header: str) -> None:
    async with asking(ROUTES) as client:
        detail(await client.get("/api/v1/things/a", headers={header: "203.0.113.9"}), 401)


async def test_another_host_needs_a_token() -> None:
    async with asking(ROUTES, tokens(), source="192.0.2.7") as client:
        answer = await client.get("/api/v1/things/a")
        assert "streampoll token create" in detail(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert (await client.get("/api/v1/things/a", headers=bearer(READER))).json()["by"] == "wall"
        detail(await client.get("/api/v1/things/a", headers=bearer("sp_guess")), 401)
        detail(await client.get("/api/v1/things/a", headers={"authorization": "Basic eDp5"}), 401)


async def test_this_host_needs_one_too_if_it_is_not_trusted() -> None:
    async with asking(ROUTES, tokens(), trust_loopback=False) as client:
        detail(await client.get("/api/v1/things/a"), 401)


async def test_who_may_read_may_not_act() -> None:
    async with asking(ROUTES, tokens(), source="192.0.2.7") as client:
        refused = await client.post("/api/v1/things", json={"size": 3}, headers=bearer(READER))
        assert "operator" in detail(refused, 403)
        assert (await client.post("/api/v1/things", json={"size": 3}, headers=bearer(OPERATOR))).json()["by"] == "ops"


async def test_who_asks_is_told_who_that_is_and_what_they_may_do() -> None:
    async with asking(ActionRoutes(_NoActions()).routes(), tokens()) as client:
        said = [(await client.get("/api/v1/whoami", headers=bearer(each))).json() for each in (READER, OPERATOR)]
        assert said == [{"name": "wall", "role": "read"}, {"name": "ops", "role": "operator"}]
        assert (await client.get("/api/v1/whoami")).json() == {"name": "loopback", "role": "operator"}
        detail(await client.get("/api/v1/whoami", headers=bearer("sp_guess")), 401)


class _NoActions:
    async def actions(self, since: int, limit: int) -> list[Action]:
        return []


async def test_a_token_that_has_expired_is_none() -> None:
    old = [Token(1, "old", Role.READ, digest_of(READER), 0, expires=999)]
    async with asking(ROUTES, old, source="192.0.2.7") as client:
        detail(await client.get("/api/v1/things/a", headers=bearer(READER)), 401)


async def test_before_the_tokens_could_be_read_nobody_else_is_served() -> None:
    served = Served(ApiSettings(), Gate(trust_loopback=True, now=lambda: 0.0), ROUTES)
    transport = httpx.ASGITransport(application(served), client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
        detail(await client.get("/api/v1/things/a", headers=bearer(READER)), 503)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "a@127.0.0.1", "[::1", ""]
)
async def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    async with asking(ROUTES) as client:
        assert "api.allowed_hosts" in detail(await client.get("/api/v1/things/a", headers={"host": host}), 421)


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1", "[::1]:5000", "192.0.2.1:80", "poller.example:5000"])
async def test_our_names_and_all_addresses_are_ours(host: str) -> None:
    async with asking(ROUTES, allowed_hosts=("Poller.example",)) as client:
        assert (await client.get("/api/v1/things/a", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"origin": HOME, "sec-fetch-site": "same-origin"}, 200),
    ],
)
async def test_a_page_of_another_origin_can_not_act(headers: dict[str, str], status: int) -> None:
    async with asking(ROUTES) as client:
        sent = {"content-type": "application/json"} | headers
        answer = await client.post("/api/v1/things", content=b'{"size": 1}', headers=sent)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"", "not JSON"), (b"{", "not JSON"), (b"\xff", "not JSON"), (b"[]", "object"), (b'{"size": "x"}', "size")],
)
async def test_a_wrong_body_is_said_to_be(body: bytes, said: str) -> None:
    async with asking(ROUTES) as client:
        answer = await client.post("/api/v1/things", content=body, headers={"content-type": "application/json"})
        assert said in detail(answer, 400)


async def test_a_body_is_bounded() -> None:
    async with asking(ROUTES, max_body_bytes=2048) as client:
        assert "api.max_body_bytes" in detail(
            await client.post("/api/v1/things", json={"size": 1, "x": "y" * 3000}), 413
        )


@pytest.mark.parametrize(
    ("query", "said"),
    [("limit=0", "limit"), ("limit=x", "limit"), ("nonsense=1", "there are limit"), ("limit=1&limit=2", "twice"),
     ("name=b", "path")],
)  # fmt: skip
async def test_a_wrong_parameter_is_said_to_be(query: str, said: str) -> None:
    async with asking(ROUTES) as client:
        assert said in detail(await client.get(f"/api/v1/things/a?{query}"), 400)


async def test_a_server_that_is_away_is_a_503_with_its_name() -> None:
    async with asking(ROUTES) as client:
        answer = await client.get("/api/v1/away")
        assert "10.0.0.1:6379" in detail(answer, 503)
        assert answer.headers["retry-after"]


async def test_a_bug_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    async with asking(ROUTES) as client:
        answer = await client.get("/api/v1/broken")
        assert "secret" not in detail(answer, 500)
        assert "ZeroDivisionError" in caplog.text


async def test_who_asks_too_much_is_told_when_to_come_again() -> None:
    async with asking(ROUTES, rate_per_s=1) as client:
        answers = [await client.get("/api/v1/things/a") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert answers[-1].headers["retry-after"] == "1"


async def test_unknown_paths_and_methods_are_problems() -> None:
    async with asking(ROUTES) as client:
        detail(await client.get("/api/v1/none"), 404)
        detail(await client.delete("/api/v1/things/a", headers={"content-type": "application/json"}), 405)


async def test_no_other_origin_is_let_in_and_every_answer_is_guarded() -> None:
    async with asking(ROUTES) as client:
        for path in ("/api/v1/things/a", "/api/v1/none", "/api/v1/openapi.json"):
            headers = (await client.get(path, headers={"origin": "http://evil.example"})).headers
            assert "access-control-allow-origin" not in headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
