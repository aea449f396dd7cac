"""Profiles and credentials of protocol "http": what is wrong is said with its line."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from streampoll.config.convert import Place
from streampoll.config.credential_http import read_http
from streampoll.config.lines import toml_line
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.config.source import Source
from streampoll.http.credential import ApiKey, Basic, Bearer, Digest, HttpCredential, Login, Logout
from streampoll.http.plan import HttpPlan, PageBy
from tests.http_support import faults_of, plan

SYSTEM = '[requests.system]\npath = "/system"\nscalars = { name = "name" }\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "test.toml: asks nothing; write [requests.NAME]"),
        ('[requests.a]\nscalars = { a = "b" }', "test.toml:1: requests.a: 'path' is missing"),
        ('[requests.a]\npath = "a"\nscalars = { a = "b" }', "test.toml:2: requests.a.path: 'a' is not a path"),
        (
            '[requests.a]\npath = "/a?b=c"\nscalars = { a = "b" }',
            "test.toml:2: requests.a.path: '/a?b=c' is not a path",
        ),
        (SYSTEM.replace('"name" }', '"a..b" }'), "test.toml:3: requests.system.scalars.name: 'a..b': Expecting"),
        (SYSTEM.replace("/system", "/{site"), "test.toml:2: requests.system.path: a lone {"),
        (SYSTEM.replace("/system", "/{site}"), "uses {site}, which no request before it extracts"),
        (SYSTEM + 'method = "PUT"\n', "test.toml:4: requests.system.method: 'PUT' is not allowed"),
        (SYSTEM + "json = {}\n", "requests.system.method: a GET has no body"),
        (SYSTEM + 'query = { api_key = "x" }\n', "a secret does not belong in a profile"),
        (SYSTEM + 'headers = { Authorization = "x" }\n', "a secret does not belong in a profile"),
        (SYSTEM + 'headers = { "X Y" = "x" }\n', "can't be a header"),
        (SYSTEM + 'headers = { X = "a\\nb" }\n', "can't be a header"),
        (SYSTEM + "pages = { link = true }\n", "a request without tables has no pages"),
        (SYSTEM + 'conditional = true\nmethod = "POST"\n', "only a GET without pages can be asked so"),
        (SYSTEM + 'metrics = ["a"]\n', 'is for format = "prometheus"'),
        (SYSTEM + 'format = "prometheus"\nextract = { a = "b" }\n', 'is not for format = "prometheus"'),
        ('[requests.a]\npath = "/a"', "asks and takes nothing from the answer"),
        (SYSTEM + SYSTEM.replace("requests.system", "requests.other"), "'name' is also given by request 'system'"),
        (SYSTEM + "tables = { t = { rows = 'x' } }\n", "has no columns"),
        (SYSTEM + "tables = { t = { columns = { a = 'b' } } }\n", "'rows' is missing"),
        (SYSTEM + "tables = { t = { rows = 'x', key = 'b', columns = { a = 'b' } } }\n", "'b' is no column"),
    ],
)
def test_a_mistake_in_a_profile_is_named(text: str, fault: str) -> None:
    assert any(fault in each for each in faults_of(text)), faults_of(text)


@pytest.mark.parametrize(
    ("pages", "fault"),
    [
        ("{}", "does not say in one way where the next page is"),
        ('{ link = true, page = "p" }', "does not say in one way where the next page is"),
        ('{ cursor = "c" }', "'parameter' is missing; cursor needs it"),
        ('{ offset = "o" }', "'size' is missing; offset needs it"),
        ('{ next = "a[" }', "pages.next: 'a['"),
        ('{ page = "p", most = 0 }', "most: 0 is not allowed"),
    ],
)
def test_a_mistake_in_pages_is_named(pages: str, fault: str) -> None:
    text = f"{SYSTEM}pages = {pages}\ntables = {{ t = {{ rows = 'x', columns = {{ a = 'b' }} }} }}\n"

    assert any(fault in each for each in faults_of(text)), faults_of(text)


def test_pages_count_from_one_and_offsets_from_zero() -> None:
    tables = "tables = { t = { rows = 'x', columns = { a = 'b' } } }\n"
    by_page = plan(SYSTEM + 'pages = { page = "p" }\n' + tables).requests[0].paging
    by_offset = plan(SYSTEM + 'pages = { offset = "o", size = 5 }\n' + tables).requests[0].paging

    assert by_page is not None
    assert by_offset is not None
    assert (by_page.by, by_page.first, by_page.most) == (PageBy.PAGE, 1, 20)
    assert (by_offset.by, by_offset.first, by_offset.size) == (PageBy.OFFSET, 0, 5)


def test_a_profile_extends_another_request_by_request(tmp_path: Path) -> None:
    head = 'protocol = "http"\n'
    (tmp_path / "base.toml").write_text(
        head + "tls = false\n" + SYSTEM + SYSTEM.replace("system", "o").replace("name", "n")
    )
    (tmp_path / "more.toml").write_text(head + 'extends = ["base"]\nport = 81\n' + SYSTEM.replace("name }", "x }"))
    report = Report()

    more = read_profiles(tmp_path, "profiles", report)["more"]

    assert not report.faults
    assert isinstance(more, HttpPlan)
    assert ([each.name for each in more.requests], more.tls, more.port) == (["system", "o"], False, 81)


# -- credentials


def recipe(text: str) -> tuple[Any, list[str]]:
    report = Report()
    place = Place(Source("credentials.toml", text, None, toml_line), report)
    made = read_http(tomllib.loads(text), place)
    return made, list(map(str, report.faults))


USER = 'user = "poller"\npassword = { env = "P" }\n'
POST = 'login = { path = "/login", form = { u = "{user}", p = "{password}" } }\n'


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ('scheme = "basic"\n' + USER, Basic("poller", Secret("word"))),
        ('scheme = "digest"\n' + USER, Digest("poller", Secret("word"))),
        ('scheme = "bearer"\ntoken = { env = "T" }\n', Bearer(Secret("word"))),
        ('scheme = "api_key"\nheader = "X-Key"\nkey = { env = "K" }\n', ApiKey("X-Key", Secret("word"))),
    ],
)
def test_a_fixed_proof_is_read(text: str, scheme: object) -> None:
    made, faults = recipe(text)

    assert not faults
    assert made.make({key: Secret("word") for key in made.secrets}) == HttpCredential(scheme)  # type: ignore[arg-type]


def test_a_login_is_read() -> None:
    made, faults = recipe(
        'scheme = "login"\n' + USER + POST + 'token = "data.token"\nlogout = { path = "/bye", method = "DELETE" }\n'
    )

    login = made.make({"password": Secret("word")}).scheme

    assert not faults
    assert isinstance(login, Login)
    assert (login.header, login.prefix, login.logout) == ("Authorization", "Bearer ", Logout("/bye", "DELETE"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (USER, "credentials.toml: scheme: 'scheme' is missing; known: api_key, basic, bearer, digest, login"),
        ('scheme = "basik"\n' + USER, "credentials.toml:1: scheme: no scheme 'basik'; did you mean 'basic'?"),
        ('scheme = "basic"\nuser = "a"\n', "'password' is missing"),
        ('scheme = "login"\n' + USER + POST, "does not say in one way what a login gives"),
        ('scheme = "login"\ncookie = "S"\n' + USER + 'login = { path = "/l" }', "has no body"),
        ('scheme = "login"\ncookie = "S"\n' + USER + POST.replace("{password}", "x"), "does not send the password"),
        ('scheme = "login"\ncookie = "S"\n' + USER + POST.replace("{user}", "{name}"), "a login knows {user} and"),
        ('scheme = "login"\ncookie = "S"\n' + USER + POST.replace("/login", "/l?p={password}"), "is not a path"),
        ('scheme = "login"\ntoken = "a..b"\n' + USER + POST, "'a..b': Expecting"),
        ('scheme = "login"\ncookie = "S"\nlogout = { path = "x" }\n' + USER + POST, "'x' is not a path"),
        ('scheme = "api_key"\nheader = "X Key"\nkey = "k"\n', "'X Key' is not a header's name"),
        ('scheme = "basic"\ntls_fingerprint = "ab"\n' + USER, "not a SHA-256 fingerprint"),
        ('scheme = "basic"\ntls_ca = "ca.pem"\n' + USER, "'ca.pem' is not an absolute path"),
    ],
)
def test_a_mistake_in_a_credential_is_named(text: str, fault: str) -> None:
    made, faults = recipe(text)

    assert made is None
    assert any(fault in each for each in faults), faults
