"""A profile of protocol "http": requests in order, compiled to an `HttpPlan`. docs/http.md has all words.

protocol = "http"
tls = true                                   # https

[requests.sites]
path = "/api/v1/sites"
extract = { site = "sites[0].id" }           # {site} in what comes after

[requests.ports]
path = "/api/v1/sites/{site}/ports"
pages = { next = "links.next" }
scalars = { total = { value = "meta.total", type = "integer" } }

[requests.ports.tables.ports]
rows = "data"
key = "name"
columns = { name = "name", in_octets = { value = "stats.rx", type = "counter" } }
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.profile_http_parts import (
    read_body,
    read_fields,
    read_headers,
    read_pages,
    read_pairs,
    read_rows,
    refuse_secrets,
)
from streampoll.config.report import nearest
from streampoll.http.plan import Format, HttpPlan, Request
from streampoll.http.template import is_place, names_in, names_in_body

SEEDS = ("device", "address")  # what a template knows before the first answer


@dataclass(frozen=True, slots=True)
class _HttpTable:
    requests: Any = field(default_factory=dict)
    tls: bool = True
    port: Annotated[int, Meta(ge=1, le=65535)] = 0
    http2: bool = False


@dataclass(frozen=True, slots=True)
class _RequestTable:
    path: str
    method: Literal["GET", "POST"] = "GET"
    format: Format = Format.JSON
    query: Any = field(default_factory=dict)
    headers: Any = field(default_factory=dict)
    json: Any = None
    form: Any = None
    content_types: tuple[str, ...] = ()
    scalars: Any = field(default_factory=dict)
    tables: Any = field(default_factory=dict)
    extract: Any = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    pages: Any = None
    conditional: bool = False
    redirects: Annotated[int, Meta(ge=0, le=10)] = 0


@dataclass(frozen=True, slots=True)
class HttpDraft:
    """The HTTP part of one file, before `extends` is followed."""

    settings: Mapping[str, Any]  # tls, port, http2, as far as the file says them
    requests: Mapping[str, Request]


class HttpProfiles:
    """Reads and compiles profiles of protocol "http"."""

    def read(self, data: Mapping[str, Any], place: Place) -> HttpDraft | None:
        """Return one file's draft, or None with faults."""
        before = len(place.report.faults)
        table = read_table(_HttpTable, data, place)
        if table is None:
            return None
        tables = place.at("requests").table(table.requests)
        requests = {name: _request(name, each, place.at("requests", name)) for name, each in tables.items()}
        if len(place.report.faults) > before:
            return None
        settings = {key: getattr(table, key) for key in ("tls", "port", "http2") if key in data}
        return HttpDraft(settings, {name: each for name, each in requests.items() if each is not None})

    def compile(self, name: str, drafts: Sequence[HttpDraft], place: Place) -> HttpPlan | None:
        """Return the plan of drafts, each over those before it; a request of the same name takes the other's place."""
        before = len(place.report.faults)
        requests: dict[str, Request] = {}
        settings: dict[str, Any] = {}
        for draft in drafts:
            requests.update(draft.requests)
            settings.update(draft.settings)
        plan = HttpPlan(name, tuple(requests.values()), **settings)
        _check_plan(plan, place)
        return plan if len(place.report.faults) == before else None


def _request(name: str, data: Any, place: Place) -> Request | None:
    """Return one request, or None with faults."""
    table = read_table(_RequestTable, data, place)
    if table is None:
        return None
    form = table.format
    tables = place.at("tables").table(table.tables)
    rules = [read_rows(each, rows, form, place.at("tables", each)) for each, rows in tables.items()]
    request = Request(
        name=name,
        path=table.path,
        method=table.method,
        query=read_pairs(table.query, place.at("query")),
        headers=read_headers(table.headers, place.at("headers")),
        body=read_body({key: data[key] for key in ("json", "form") if key in data}, place),
        format=form,
        content_types=tuple(kind.lower() for kind in table.content_types),
        scalars=read_fields(table.scalars, form, place.at("scalars")),
        tables=tuple(rule for rule in rules if rule is not None),
        extracts=read_fields(table.extract, form, place.at("extract")),
        metrics=table.metrics,
        paging=read_pages(table.pages, place.at("pages")),
        conditional=table.conditional,
        redirects=table.redirects,
    )
    _check_request(request, place)
    return request


def _check_request(request: Request, place: Place) -> None:
    """Refuse what can't be sent, what goes together badly, and secrets."""
    is_path = request.path.startswith("/") and not any(mark in request.path for mark in "?#")
    if not is_path and not is_place(request.path):
        place.at("path").fault(f"'{request.path}' is not a path", 'it begins with "/"; what follows ? goes into query')
    for key, texts in (("path", [request.path]), ("query", [value for _, value in request.query])):
        for text in texts:
            _check_template(text, place.at(key))
    refuse_secrets(request.query, place.at("query"))
    refuse_secrets(request.headers, place.at("headers"))
    if request.body and request.method == "GET":
        place.at("method").fault("a GET has no body", 'write method = "POST"')
    if request.conditional and (request.paging or request.method != "GET"):
        place.at("conditional").fault("only a GET without pages can be asked so", "leave it out")
    if request.paging and not request.tables:
        place.at("pages").fault("a request without tables has no pages", "leave it out, or name a table")
    _check_format(request, place)


def _check_format(request: Request, place: Place) -> None:
    """Refuse what only the other format has, and a request that is for nothing."""
    if request.format is Format.PROMETHEUS:
        for key, given in (("extract", request.extracts), ("pages", request.paging)):
            if given:
                place.at(key).fault('is not for format = "prometheus"', "leave it out")
    elif request.metrics:
        place.at("metrics").fault('is for format = "prometheus"', "leave it out, or set format")
    if not (request.gives or request.extracts or request.metrics):
        metrics = ', metrics = ["*"] for all' if request.format is Format.PROMETHEUS else ", or extract"
        place.fault("asks and takes nothing from the answer", f"name scalars or tables{metrics}")


def _check_template(text: str, place: Place) -> None:
    try:
        names_in(text)
    except ValueError as error:
        place.fault(str(error), "write {name} for a value, {{ and }} for braces")


def _check_plan(plan: HttpPlan, place: Place) -> None:
    """Refuse a plan that asks nothing, names two things alike, or uses what nothing before gives."""
    if not plan.requests:
        place.fault("asks nothing", "write [requests.NAME] with a path, or extend a profile")
    known = set(SEEDS)
    given: dict[str, str] = {}
    for request in plan.requests:
        here = place.at("requests", request.name)
        for name in sorted(_uses(request) - known):
            here.fault(f"uses {{{name}}}, which no request before it extracts", nearest(name, known))
        known |= {each.name for each in request.extracts}
        for name in request.gives:
            if name in given:
                here.fault(f"'{name}' is also given by request '{given[name]}'", "rename one of them")
            given[name] = request.name


def _uses(request: Request) -> set[str]:
    """Return the names in a request's templates."""
    return set().union(names_in(request.path), names_in_body(request.body), *(names_in(v) for _, v in request.query))
