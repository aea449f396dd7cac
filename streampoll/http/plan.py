"""What to ask of one device over HTTP, compiled once from a profile and shared by every poll.

Requests are sent in order. Expressions are kept as text and compiled where they are first used, so that a plan is plain
data; the reader of profiles has tried each.
"""

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """What an answer's body is."""

    JSON = "json"
    PROMETHEUS = "prometheus"  # the text format of exporters; OpenMetrics where the device sends that


class Kind(StrEnum):
    """What a value is to be, whatever the device wrapped it in."""

    AUTO = "auto"  # as JSON has it: number, text, true or false
    INTEGER = "integer"  # a whole number, also from text
    COUNTER = "counter"  # an exact whole number of at least 0, also from text (JSON ends at 2**53 for many)
    NUMBER = "number"  # a number, also from text
    TEXT = "text"  # text; numbers are written out
    BOOLEAN = "boolean"  # true or false, also from "true", "yes", "on", 1


class PageBy(StrEnum):
    """How the next page of a list is found."""

    LINK = "link"  # header Link with rel="next" (RFC 8288)
    NEXT = "next"  # an expression gives the next page's address
    CURSOR = "cursor"  # an expression gives a text that goes into a parameter
    PAGE = "page"  # a parameter counts pages, until one has no rows
    OFFSET = "offset"  # a parameter counts rows, until a page is not full


@dataclass(frozen=True, slots=True)
class Field:
    """One value: a scalar, a column of a table, or what a later request uses."""

    name: str
    expression: str  # JMESPath; in Prometheus' format a metric's name, with labels to choose by
    kind: Kind = Kind.AUTO


@dataclass(frozen=True, slots=True)
class TableRule:
    """How an answer becomes rows."""

    name: str
    rows: str  # JMESPath of a list, or of an object whose values are the rows; "" in Prometheus' format
    columns: tuple[Field, ...]  # JMESPath relative to the row; `$name` is the row's name in an object
    key: str = ""  # the column that names a row; "": its name in the object, else its position
    labels: tuple[str, ...] = ()  # Prometheus: the labels that make up a row's key
    max_rows: int = 10_000  # a longer table is cut and marked incomplete


@dataclass(frozen=True, slots=True)
class Paging:
    """How a list that comes in pages is read to its end."""

    by: PageBy
    expression: str = ""  # of NEXT and CURSOR
    parameter: str = ""  # of the query: of CURSOR, PAGE and OFFSET
    first: int = 0  # what the parameter begins with
    size: int = 0  # rows a page, of PAGE and OFFSET; 0 (PAGE only): until a page has none
    size_parameter: str = ""  # the parameter that asks for `size`; "": not asked for
    most: int = 20  # pages; what is behind them is left, and the tables are marked incomplete


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A body of JSON; texts in it are templates."""

    text: str


@dataclass(frozen=True, slots=True)
class FormBody:
    """A body of a form; values are templates."""

    fields: tuple[tuple[str, str], ...]


Body = JsonBody | FormBody


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what its answer holds. `{name}` in path, query and body is what an earlier one extracted."""

    name: str
    path: str
    method: str = "GET"
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Body | None = None
    format: Format = Format.JSON
    content_types: tuple[str, ...] = ()  # accepted besides those of the format
    scalars: tuple[Field, ...] = ()
    tables: tuple[TableRule, ...] = ()
    extracts: tuple[Field, ...] = ()
    metrics: tuple[str, ...] = ()  # Prometheus: names (with * and ?) that are taken over as they are
    paging: Paging | None = None
    conditional: bool = False  # ask with If-None-Match and If-Modified-Since; 304 means "as before"
    redirects: int = 0  # followed at most, on the same device only

    @property
    def gives(self) -> tuple[str, ...]:
        """The names of the scalars and tables that this request is for."""
        return (*(each.name for each in self.scalars), *(each.name for each in self.tables))


@dataclass(frozen=True, slots=True)
class HttpPlan:
    """One profile, ready to be collected."""

    profile: str
    requests: tuple[Request, ...]
    tls: bool = True
    port: int = 0  # 0: 443, or 80 without TLS
    http2: bool = False  # speak HTTP/2 where the device does
