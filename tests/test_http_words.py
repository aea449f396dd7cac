"""The pure parts of HTTP polling: templates, waits, values, pages."""

import jmespath
import pytest

from streampoll.http.convert import to_value
from streampoll.http.expression import compile_expression
from streampoll.http.pages import elsewhere, next_page
from streampoll.http.plan import FormBody, JsonBody, Kind, PageBy, Paging
from streampoll.http.port import Answer, Ask, Failure
from streampoll.http.retry_after import wait_asked
from streampoll.http.template import Unfilled, fill_body, fill_path, names_in
from streampoll.model import Value


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a/{x}/b", "/a/1%2F2%3F%26/b"),
        ("/{{x}}/{n}", "/{x}/7"),
        ("/{t}", "/true"),
        ("/{u}", "/%C3%B6"),
    ],
)
def test_a_value_is_escaped_for_a_path(text: str, path: str) -> None:
    assert fill_path(text, {"x": "1/2?&", "n": 7, "t": True, "u": "ö"}) == path


@pytest.mark.parametrize("value", ["", ".", "..", None, b"x"])
def test_a_value_that_makes_another_path_is_refused(value: Value) -> None:
    with pytest.raises(Unfilled):
        fill_path("/{x}/y", {"x": value})


@pytest.mark.parametrize("text", ["{", "}", "{a b}", "{a.b}", "{0}", "{a!r}", "{}"])
def test_a_template_has_names_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="a lone"):
        names_in(text)


def test_bodies_are_escaped_by_their_kind() -> None:
    known: dict[str, Value] = {"x": 'a"&=', "n": 7}

    assert fill_body(JsonBody('{"a": "{n}", "b": ["<{x}>"]}'), known)[0] == b'{"a": 7, "b": ["<a\\"&=>"]}'
    assert fill_body(FormBody((("p q", "{x}"),)), known)[0] == b"p%20q=a%22%26%3D"


DOCUMENT = {"a": {"b": [1], "c": "x", "b c": 2}, "n": None, "_x1": 0}


@pytest.mark.parametrize("text", ["a", "a.b", "a.c", "a.b.c", "a.c.d", "n", "n.a", "none", "_x1", "a.none.x", "_x1.a"])
@pytest.mark.parametrize("document", [DOCUMENT, [DOCUMENT], "text", 5, None])
def test_names_are_looked_up_as_jmespath_does(text: str, document: object) -> None:
    assert compile_expression(text)(document) == jmespath.search(text, document)


@pytest.mark.parametrize(("text", "found"), [("a.b[0]", 1), ('a."b c"', 2), ("length(n)", None), ("keys(a)[0]", "b")])
def test_what_is_more_than_names_is_jmespath(text: str, found: object) -> None:
    assert compile_expression(text)(DOCUMENT) == found


@pytest.mark.parametrize("text", ["", "a..b", "a[", "nofunction(@)", "a[?b[].none(@)]", "a b"])
def test_what_is_not_jmespath_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        compile_expression(text)


MOMENT = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "١"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": MOMENT}, 37.0),
        ({"retry-after": MOMENT, "date": "Sun, 06 Nov 1994 08:49:27 GMT"}, 10.0),
        ({"retry-after": MOMENT, "date": "Sun, 06 Nov 1994 09:49:27 GMT"}, 0.0),
    ],
)
def test_a_wait_is_seconds_or_a_date_by_the_devices_own_clock(headers: dict[str, str], wait_s: float | None) -> None:
    assert wait_asked(headers, 784111740.0) == wait_s  # 08:49:00


@pytest.mark.parametrize(
    ("found", "kind", "value"),
    [
        (True, Kind.AUTO, True),
        ("12", Kind.AUTO, "12"),
        ("12", Kind.INTEGER, 12),
        (12.0, Kind.INTEGER, 12),
        (12.5, Kind.INTEGER, None),
        ("-1", Kind.COUNTER, None),
        (str(2**64 - 1), Kind.COUNTER, 2**64 - 1),
        ("1e3", Kind.NUMBER, 1000.0),
        ("inf", Kind.NUMBER, None),
        ("9" * 5000, Kind.NUMBER, None),
        ("12 %", Kind.NUMBER, None),
        (12, Kind.TEXT, "12"),
        ("off", Kind.BOOLEAN, False),
        (1, Kind.BOOLEAN, True),
        ("perhaps", Kind.BOOLEAN, None),
        ([], Kind.AUTO, None),
        ({}, Kind.TEXT, None),
        (None, Kind.TEXT, None),
        (float("nan"), Kind.AUTO, None),
    ],
)
def test_a_value_is_of_its_kind_or_missing_with_a_reason(found: object, kind: Kind, value: Value) -> None:
    made, reason = to_value(found, kind)

    assert (made, type(made)) == (value, type(value))
    assert bool(reason) == (value is None)


@pytest.mark.parametrize(
    ("address", "path", "query"),
    [
        ("?page=2", "/a/list", (("page", "2"),)),
        ("more", "/a/more", ()),
        ("https://192.0.2.9:99/b?x=&y=1", "/b", (("x", ""), ("y", "1"))),
        ("http://device//evil.example/x", "//evil.example/x", ()),
        ("https://user:word@evil.example", "/", ()),
    ],
)
def test_a_next_address_never_leaves_the_device(address: str, path: str, query: object) -> None:
    there = elsewhere(Ask("GET", "/a/list", (("old", "1"),)), address)

    assert (there.path, there.query) == (path, query)


def test_an_address_that_is_none_is_a_failure() -> None:
    with pytest.raises(Failure, match="an address that is none"):
        elsewhere(Ask("GET", "/"), "http://[::")


@pytest.mark.parametrize(
    ("header", "query"),
    [
        ('<?p=2>; rel="next"', (("p", "2"),)),
        ("<?p=2>; rel=next; title=x", (("p", "2"),)),
        ('<?p=9>; rel="prev", <?p=2>; rel="last next"', (("p", "2"),)),
        ('<?p=9>; rel="nextish"', None),
        ('<?p=9>; title="rel=next"', None),
        ("nonsense", None),
    ],
)
def test_the_link_to_the_next_page_is_found(header: str, query: object) -> None:
    answer = Answer(200, {"link": header}, b"", 0.0)
    following = next_page(Ask("GET", "/"), Paging(PageBy.LINK), {}, answer, 1)

    assert (following.query if following else None) == query
