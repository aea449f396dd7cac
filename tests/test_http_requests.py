"""Requests of a profile against a real server: values, rows, what is used in the next request, what is refused."""

import gzip
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from streampoll.http.collect import NOT_MODIFIED
from streampoll.model import Status
from streampoll.pollers.http import HttpPoller
from tests.http_support import Device, cells, json_page, plan, poll, polling, serving

SYSTEM = """
tls = false
[requests.system]
path = "/system"
scalars = { name = "name", uptime = "uptime.seconds" }
"""
PORTS = """
tls = false
[requests.ports]
path = "/ports"
[requests.ports.tables.ports]
rows = "data"
key = "name"
columns = { name = "name", octets = { value = "rx", type = "counter" } }
"""
LOGIN_PAGE = '<!DOCTYPE html><html><form><input name="p" type="password"></form></html>'


@pytest_asyncio.fixture
async def device() -> AsyncIterator[Device]:
    async with serving(Device()) as device:
        yield device


@pytest_asyncio.fixture
async def poller() -> AsyncIterator[HttpPoller]:
    async with polling() as poller:
        yield poller


async def test_expressions_become_values(device: Device, poller: HttpPoller) -> None:
    device.on("/system", json_page({"name": "edge-1", "uptime": {"seconds": 2**60}}))

    outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, outcome.error, outcome.missing) == (Status.OK, "", {})
    assert outcome.values == {"name": "edge-1", "uptime": 2**60}
    assert outcome.requests == 1
    assert outcome.first_reply <= outcome.at


async def test_a_value_that_is_not_there_is_missing_and_no_zero(device: Device, poller: HttpPoller) -> None:
    device.on("/system", json_page({"name": "edge-1"}))

    outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, outcome.values) == (Status.OK, {"name": "edge-1", "uptime": None})
    assert outcome.missing == {"uptime": "not in the answer"}


async def test_an_answer_with_nothing_of_what_is_asked_is_a_failure(device: Device, poller: HttpPoller) -> None:
    device.on("/system", json_page({"error": "no such command"}))

    outcome = await poll(poller, device, plan(SYSTEM))

    assert outcome.status is Status.DECODE
    assert outcome.error == "system: its answer has nothing of what the profile asks for"


async def test_rows_are_known_by_their_key(device: Device, poller: HttpPoller) -> None:
    device.on(
        "/ports", json_page({"data": [{"name": "eth0", "rx": "18446744073709551615"}, {"name": "eth1", "rx": 7}]})
    )

    outcome = await poll(poller, device, plan(PORTS))

    assert cells(outcome, "ports") == [("eth0", "eth0", 2**64 - 1), ("eth1", "eth1", 7)]
    assert (outcome.tables["ports"].key, outcome.tables["ports"].complete) == ("name", True)
    assert outcome.tables["ports"].times[0].rows == 2


async def test_an_object_of_rows_gives_each_its_name(device: Device, poller: HttpPoller) -> None:
    device.on("/ports", json_page({"data": {"eth0": {"rx": 1}, "eth1": {"rx": 2}}}))
    text = PORTS.replace('name = "name", octets', 'name = "$name", octets')

    outcome = await poll(poller, device, plan(text))

    assert cells(outcome, "ports") == [("eth0", "eth0", 1), ("eth1", "eth1", 2)]


async def test_rows_of_one_key_stay_apart(device: Device, poller: HttpPoller) -> None:
    device.on("/ports", json_page({"data": [{"name": "eth0", "rx": 1}, {"name": "eth0", "rx": 2}, {"rx": 3}]}))

    outcome = await poll(poller, device, plan(PORTS))

    assert [row[0] for row in outcome.tables["ports"].rows] == ["eth0", "eth0#2", "#2"]
    assert outcome.missing == {"ports.name": "not in the answer in some rows"}


async def test_an_empty_list_is_a_table_without_rows(device: Device, poller: HttpPoller) -> None:
    device.on("/ports", json_page({"data": []}))

    outcome = await poll(poller, device, plan(PORTS))

    assert (outcome.status, cells(outcome, "ports")) == (Status.OK, [])


async def test_a_table_ends_at_its_cap(device: Device, poller: HttpPoller) -> None:
    device.on("/ports", json_page({"data": [{"name": f"eth{n}", "rx": n} for n in range(9)]}))

    outcome = await poll(poller, device, plan(PORTS.replace('key = "name"', 'key = "name"\nmax_rows = 3')))

    assert (outcome.status, len(cells(outcome, "ports")), outcome.tables["ports"].complete) == (
        Status.PARTIAL,
        3,
        False,
    )
    assert outcome.missing["ports"] == "more than 3 rows"


# -- several requests

CHAIN = """
tls = false
[requests.sites]
path = "/sites"
extract = { site = "sites[0].id", zone = "zone" }
[requests.detail]
path = "/sites/{site}/detail"
query = { zone = "{zone}", of = "{device}" }
scalars = { name = "name" }
[requests.ask]
path = "/rpc"
method = "POST"
json = { id = "{zone}", params = ["site {site}"] }
scalars = { answer = "answer" }
"""


async def test_a_value_of_one_request_is_used_in_the_next(device: Device, poller: HttpPoller) -> None:
    device.on("/sites", json_page({"sites": [{"id": "a/../b c"}], "zone": 7}))
    device.on("/sites/a%2F..%2Fb%20c/detail", json_page({"name": "n"}))
    device.on("/rpc", json_page({"answer": 42}))

    outcome = await poll(poller, device, plan(CHAIN))

    assert (outcome.status, outcome.values) == (Status.OK, {"name": "n", "answer": 42})
    assert device.asked[1].query == "zone=7&of=device-1"
    assert device.asked[2].body == b'{"id": 7, "params": ["site a/../b c"]}'


async def test_what_one_request_did_not_give_costs_only_those_that_need_it(device: Device, poller: HttpPoller) -> None:
    device.on("/sites", json_page({"sites": [], "zone": 7}))
    device.on("/rpc", json_page({"answer": 42}))

    outcome = await poll(poller, device, plan(CHAIN.replace("site {site}", "x")))

    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"answer": 42})
    assert outcome.missing == {"name": "not asked: 'site' was not in an earlier answer"}


async def test_a_value_that_climbs_is_not_put_into_a_path(device: Device, poller: HttpPoller) -> None:
    device.on("/sites", json_page({"sites": [{"id": ".."}], "zone": 7}))

    outcome = await poll(poller, device, plan(CHAIN))

    assert "/sites/../detail" not in device.paths()
    assert "can't stand in a path" in outcome.missing["name"]


async def test_one_request_that_is_refused_leaves_the_others(device: Device, poller: HttpPoller) -> None:
    device.on("/sites", json_page({"sites": [{"id": 1}], "zone": 7}))
    device.on("/sites/1/detail", Response("secret words of the device", 500))
    device.on("/rpc", json_page({"answer": 42}))

    outcome = await poll(poller, device, plan(CHAIN))

    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"answer": 42})
    assert outcome.error == "detail: HTTP 500 Internal Server Error"


# -- what is no data


@pytest.mark.parametrize(
    ("answer", "status", "cause"),
    [
        (Response("{}", 404), Status.REFUSED, "HTTP 404 Not Found"),
        (Response("{}", 403), Status.AUTH, "HTTP 403 Forbidden"),
        (Response("{}", 401), Status.AUTH, "HTTP 401 Unauthorized"),
        (Response("", 204), Status.REFUSED, "HTTP 204 No Content"),
        (Response("{}", 206, media_type="application/json"), Status.REFUSED, "HTTP 206 Partial Content"),
        (Response("{}", 503), Status.REFUSED, "HTTP 503 Service Unavailable"),
        (Response("", 304), Status.REFUSED, "HTTP 304 Not Modified"),
        (Response(LOGIN_PAGE, media_type="text/html"), Status.AUTH, "a login page came instead of data"),
        (Response(LOGIN_PAGE, media_type="application/json"), Status.AUTH, "a login page came instead of data"),
        (Response("<p>hello", media_type="text/html"), Status.DECODE, "content type text/html, not application/json"),
        (
            Response('{"name": 1}', media_type="text/plain"),
            Status.DECODE,
            "content type text/plain, not application/json",
        ),
        (Response("{", media_type="application/json"), Status.DECODE, "not JSON"),
        (Response("", media_type="application/json"), Status.DECODE, "an empty answer, not JSON"),
        (Response("[" * 200_000, media_type="application/json"), Status.DECODE, "JSON that is nested too deep"),
    ],
)
async def test_what_is_no_data_is_a_failure(
    device: Device, poller: HttpPoller, answer: Response, status: Status, cause: str
) -> None:
    device.on("/system", answer)

    outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, outcome.error, outcome.values) == (status, f"system: {cause}", {})
    assert outcome.missing == {"name": cause, "uptime": cause}


async def test_a_profile_may_accept_another_content_type(device: Device, poller: HttpPoller) -> None:
    device.on("/system", Response('{"name": "edge-1"}', media_type="text/plain"))

    outcome = await poll(poller, device, plan(SYSTEM + 'content_types = ["text/plain"]\n'))

    assert outcome.values["name"] == "edge-1"


async def test_a_device_that_refuses_who_we_are_is_not_asked_the_rest(device: Device, poller: HttpPoller) -> None:
    device.on("/sites", Response("", 401))

    outcome = await poll(poller, device, plan(CHAIN))

    assert device.paths() == ["/sites"]
    assert outcome.missing["answer"] == "not asked after auth"


# -- redirects


async def test_a_redirect_is_not_followed(device: Device, poller: HttpPoller) -> None:
    device.on("/system", RedirectResponse("/elsewhere"))

    outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, device.paths()) == (Status.REFUSED, ["/system"])
    assert "redirects are not followed" in outcome.error


async def test_redirects_that_a_profile_allows_stay_on_the_device(device: Device, poller: HttpPoller) -> None:
    device.on("/system", RedirectResponse("http://192.0.2.99:1/v2/system?a=b"))
    device.on("/v2/system", json_page({"name": "edge-1"}))

    outcome = await poll(poller, device, plan(SYSTEM + "redirects = 1\n"))

    assert (outcome.values["name"], device.asked[1].query) == ("edge-1", "a=b")


async def test_redirects_in_a_circle_end(device: Device, poller: HttpPoller) -> None:
    device.on("/system", RedirectResponse("/system"))

    outcome = await poll(poller, device, plan(SYSTEM + "redirects = 3\n"))

    assert (outcome.status, len(device.asked)) == (Status.REFUSED, 4)


# -- pages


def rows(first: int, count: int) -> list[dict[str, object]]:
    return [{"name": f"eth{n}", "rx": n} for n in range(first, first + count)]


def numbered(pages: int, size: int) -> object:
    def answer(request: Request) -> Response:
        page = int(request.query_params["page"])
        return json_page({"data": rows((page - 1) * size, size) if page <= pages else []})

    return answer


@pytest.mark.parametrize(
    ("pages", "asked", "answers"),
    [
        ('{ next = "next" }', ["", "page=2"], [{"next": "http://192.0.2.99/ports?page=2"}, {}]),
        ('{ cursor = "more", parameter = "after" }', ["", "after=x%2Fy"], [{"more": "x/y"}, {"more": ""}]),
        ('{ page = "p", size = 2 }', ["p=1", "p=2"], [{}, {}]),
        ('{ offset = "o", size = 2, size_parameter = "n" }', ["o=0&n=2", "n=2&o=2"], [{}, {}]),
    ],
)
async def test_a_list_is_read_page_by_page(
    device: Device, poller: HttpPoller, pages: str, asked: list[str], answers: list[dict[str, object]]
) -> None:
    bodies = [{"data": rows(0, 2)} | answers[0], {"data": rows(2, 1)} | answers[1]]
    device.on("/ports", *map(json_page, bodies))

    outcome = await poll(poller, device, plan(PORTS.replace('path = "/ports"', f'path = "/ports"\npages = {pages}')))

    assert [each.query for each in device.asked] == asked
    assert [row[0] for row in outcome.tables["ports"].rows] == ["eth0", "eth1", "eth2"]
    assert outcome.status is Status.OK


async def test_the_next_page_may_be_in_a_header(device: Device, poller: HttpPoller) -> None:
    link = '</ports?page=9>; rel="last", </ports?page=2>; title="x"; rel="next"'
    device.on("/ports", json_page({"data": rows(0, 1)}, link=link), json_page({"data": rows(1, 1)}))

    outcome = await poll(
        poller, device, plan(PORTS.replace('path = "/ports"', 'path = "/ports"\npages = {link = true}'))
    )

    assert (device.asked[1].query, len(outcome.tables["ports"].rows)) == ("page=2", 2)
    assert [run.rows for run in outcome.tables["ports"].times] == [1, 1]


async def test_pages_end_at_their_cap(device: Device, poller: HttpPoller) -> None:
    device.on("/ports", numbered(100, 2))  # type: ignore[arg-type]

    outcome = await poll(
        poller, device, plan(PORTS.replace('path = "/ports"', 'path = "/ports"\npages = { page = "page", most = 3 }'))
    )

    assert (len(device.asked), outcome.status, outcome.tables["ports"].complete) == (3, Status.PARTIAL, False)
    assert outcome.error == "ports is cut: more than 3 pages"


async def test_pages_in_a_circle_end(device: Device, poller: HttpPoller) -> None:
    device.on("/ports", json_page({"data": rows(0, 1), "next": "/ports"}))

    outcome = await poll(
        poller, device, plan(PORTS.replace('path = "/ports"', 'path = "/ports"\npages = {next="next"}'))
    )

    assert (len(device.asked), outcome.missing["ports"]) == (1, "its pages go in a circle")


async def test_a_page_that_fails_leaves_those_before_it(device: Device, poller: HttpPoller) -> None:
    device.on("/ports", json_page({"data": rows(0, 2)}), Response("", 500))

    outcome = await poll(poller, device, plan(PORTS.replace('path = "/ports"', 'path = "/ports"\npages = {page="p"}')))

    assert (outcome.status, len(outcome.tables["ports"].rows)) == (Status.PARTIAL, 2)
    assert outcome.missing["ports"] == "page 2: HTTP 500 Internal Server Error"


# -- conditional requests


def with_etag(request: Request) -> Response:
    if request.headers.get("if-none-match") == '"v1"':
        return Response(status_code=304)
    return json_page({"name": "edge-1", "uptime": {"seconds": 5}}, etag='"v1"')


async def test_not_modified_means_as_before_and_is_said(device: Device, poller: HttpPoller) -> None:
    device.on("/system", with_etag)
    conditional = plan(SYSTEM + "conditional = true\n")

    first, second = [await poll(poller, device, conditional) for _ in range(2)]

    assert first.values == {"name": "edge-1", "uptime": 5, NOT_MODIFIED: ""}
    assert second.values == {"name": "edge-1", "uptime": 5, NOT_MODIFIED: "system"}
    assert second.at > first.at


async def test_a_changed_profile_asks_anew(device: Device, poller: HttpPoller) -> None:
    device.on("/system", with_etag)
    await poll(poller, device, plan(SYSTEM + "conditional = true\n"))

    outcome = await poll(poller, device, plan(SYSTEM.replace("uptime.seconds", "name") + "conditional = true\n"))

    assert outcome.values == {"name": "edge-1", "uptime": "edge-1", NOT_MODIFIED: ""}


async def test_last_modified_is_enough(device: Device, poller: HttpPoller) -> None:
    moment = "Sun, 06 Nov 1994 08:49:37 GMT"
    device.on("/system", json_page({"name": "a"}, **{"last-modified": moment}), Response(status_code=304))
    conditional = plan(SYSTEM + "conditional = true\n")

    outcomes = [await poll(poller, device, conditional) for _ in range(2)]

    assert device.asked[1].headers["if-modified-since"] == moment
    assert outcomes[1].values["name"] == "a"


async def test_a_packed_answer_is_unpacked(device: Device, poller: HttpPoller) -> None:
    packed = gzip.compress(b'{"name": "edge-1"}')
    device.on("/system", Response(packed, headers={"content-encoding": "gzip"}, media_type="application/json"))

    outcome = await poll(poller, device, plan(SYSTEM))

    assert outcome.values["name"] == "edge-1"


async def test_one_connection_serves_all_polls_and_profiles(device: Device, poller: HttpPoller) -> None:
    device.on("/system", json_page({"name": "edge-1"}))
    device.on("/ports", json_page({"data": []}))

    for text in (SYSTEM, PORTS, SYSTEM):
        await poll(poller, device, plan(text))

    assert len({each.client for each in device.asked}) == 1
