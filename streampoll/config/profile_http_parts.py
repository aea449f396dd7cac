"""The parts of a request in a profile of protocol "http": values, tables, pages, bodies, texts with places."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.overrides import is_secret
from streampoll.config.report import nearest, shorten
from streampoll.http.expression import compile_expression
from streampoll.http.extract import ROW_NAME
from streampoll.http.plan import Body, Field, Format, FormBody, JsonBody, Kind, PageBy, Paging, TableRule
from streampoll.http.prometheus import parse_selector
from streampoll.http.template import names_in_body

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_WAYS = ("link", "next", "cursor", "page", "offset")
_SECRET_HEADERS = ("authorization", "cookie", "x-auth", "api-key", "apikey", "x-csrf", "session")


@dataclass(frozen=True, slots=True)
class _FieldTable:
    value: str
    type: Kind = Kind.AUTO


@dataclass(frozen=True, slots=True)
class _RowsTable:
    columns: Any = field(default_factory=dict)
    rows: str = ""
    key: str = ""
    labels: tuple[str, ...] = ()
    max_rows: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000


@dataclass(frozen=True, slots=True)
class _PagesTable:
    link: bool = False
    next: str = ""
    cursor: str = ""
    page: str = ""
    offset: str = ""
    parameter: str = ""
    first: Annotated[int, Meta(ge=0)] = -1
    size: Annotated[int, Meta(ge=1, le=100_000)] = 0
    size_parameter: str = ""
    most: Annotated[int, Meta(ge=1, le=10_000)] = 20


def read_fields(data: Any, form: Format, place: Place) -> tuple[Field, ...]:
    """Return scalars, columns or extracts; wrong ones are faults."""
    fields = (_field(name, each, form, place.at(name)) for name, each in place.table(data).items())
    return tuple(each for each in fields if each is not None)


def _field(name: str, data: Any, form: Format, place: Place) -> Field | None:
    table = read_table(_FieldTable, {"value": data} if isinstance(data, str) else data, place)
    if table is None:
        return None
    if table.value != ROW_NAME:
        check_expression(table.value, compile_expression if form is Format.JSON else parse_selector, place)
    return Field(name, table.value, table.type)


def check_expression(text: str, parse: Callable[[str], object], place: Place) -> None:
    """Note a fault if a text can't be parsed."""
    try:
        parse(text)
    except ValueError as error:
        place.fault(f"{shorten(text)}: {error}", "see jmespath.org" if parse is compile_expression else "")


def read_rows(name: str, data: Any, form: Format, place: Place) -> TableRule | None:
    """Return the rule of a table, or None with faults."""
    table = read_table(_RowsTable, data, place)
    if table is None:
        return None
    columns = read_fields(table.columns, form, place.at("columns"))
    if not columns:
        place.fault("has no columns", f"name them in [{'.'.join(map(str, place.path))}.columns]")
    names = [*table.labels, *(each.name for each in columns)]
    if table.key and table.key not in names:
        place.at("key").fault(f"'{table.key}' is no column", nearest(table.key, names))
    if form is Format.JSON and not table.rows:
        place.fault("'rows' is missing", 'write where in the answer the rows are, as rows = "data.interfaces"')
    elif form is Format.JSON:
        check_expression(table.rows, compile_expression, place.at("rows"))
    if bool(table.labels) != (form is Format.PROMETHEUS):
        place.fault(*_LABELS[form])
    return TableRule(name, table.rows, columns, table.key, table.labels, table.max_rows)


_LABELS = {
    Format.JSON: ("'labels' is for format = \"prometheus\"", "leave it out"),
    Format.PROMETHEUS: ("'labels' is missing", 'name the labels that make a row, as labels = ["device"]'),
}


def read_pages(data: Any, place: Place) -> Paging | None:
    """Return how the pages of a list are found; None if there are none, or with faults."""
    table = read_table(_PagesTable, data, place) if data is not None else None
    if table is None:
        return None
    ways = [way for way in _WAYS if getattr(table, way)]
    if len(ways) != 1:
        place.fault("does not say in one way where the next page is", f"write one of {', '.join(_WAYS)}")
        return None
    by = PageBy(ways[0])
    word = getattr(table, by.value)
    needed: dict[str, str | int] = {}
    if by in (PageBy.NEXT, PageBy.CURSOR):
        check_expression(word, compile_expression, place.at(by.value))
        needed = {"parameter": table.parameter} if by is PageBy.CURSOR else {}
    else:
        needed = {"size": table.size} if by is PageBy.OFFSET else {}
    for name in (name for name, value in needed.items() if not value):
        place.fault(f"'{name}' is missing", f"{by.value} needs it")
    counts = by in (PageBy.PAGE, PageBy.OFFSET)
    first = table.first if table.first >= 0 else int(by is PageBy.PAGE)
    return Paging(
        by, "" if counts or by is PageBy.LINK else word, word if counts else table.parameter, first,
        table.size, table.size_parameter, table.most,
    )  # fmt: skip


def read_body(data: Mapping[str, Any], place: Place) -> Body | None:
    """Return the body that `json` or `form` say; None without one, or with faults."""
    if "json" in data and "form" in data:
        place.at("form").fault("a request has one body, and there is 'json' too", "leave one of them out")
    body: Body | None = None
    if "form" in data:
        body = FormBody(read_pairs(data["form"], place.at("form")))
    elif "json" in data:
        try:
            body = JsonBody(json.dumps(data["json"]))
        except TypeError:  # a date of TOML
            place.at("json").fault("holds what JSON has no word for", "write dates as texts")
    try:
        names_in_body(body)
    except ValueError as error:
        place.at("form" if "form" in data else "json").fault(
            str(error), "write {name} for a value, {{ and }} for braces"
        )
        return None
    return body


def read_pairs(data: Any, place: Place) -> tuple[tuple[str, str], ...]:
    """Return a table of texts as pairs; numbers and truths are written out."""
    pairs = []
    for name, value in place.table(data).items():
        if isinstance(value, bool):
            pairs.append((name, str(value).lower()))
        elif isinstance(value, str | int | float):
            pairs.append((name, str(value)))
        else:
            place.at(name).fault(f"{shorten(value)} is not a text", "write a text or a number")
    return tuple(pairs)


def is_header(name: str) -> bool:
    """Tell whether a text can be a header's name (RFC 9110, 5.6.2)."""
    return _HEADER.fullmatch(name) is not None


def read_headers(data: Any, place: Place) -> tuple[tuple[str, str], ...]:
    """Return a table of headers as pairs; what can't be one is a fault."""
    pairs = read_pairs(data, place)
    for name, value in pairs:
        if not is_header(name) or not (value.isascii() and value.isprintable()):
            place.at(name).fault("can't be a header", "letters, digits and - in its name; printable ASCII in its value")
    return pairs


def refuse_secrets(pairs: tuple[tuple[str, str], ...], place: Place) -> None:
    """Refuse names of a query or of headers that can only hold a secret."""
    for name, _ in pairs:
        if is_secret(name) or any(word in name.lower().replace("_", "-") for word in _SECRET_HEADERS):
            place.at(name).fault("a secret does not belong in a profile", "put it in credentials.toml")
