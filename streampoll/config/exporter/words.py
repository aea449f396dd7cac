"""The nouns of snmp_exporter's snmp.yml, as its generator writes it (generator/FORMAT.md of that project).

Defaults are snmp_exporter's own. Each noun has its place, so that what can't be taken over is named with its line.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from streampoll.config.convert import Place

Enum = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Index:
    """A label made of a part of the index."""

    label: str
    type: str
    fixed_size: int = 0  # 0: the length is in the index
    implied: bool = False
    enum: Enum = ()
    hint: str = ""  # its format_spec, as a DISPLAY-HINT


@dataclass(frozen=True, slots=True)
class Lookup:
    """A label looked up by other labels; without labels, one that is dropped."""

    labels: tuple[str, ...]
    label: str
    oid: str = ""
    type: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Extract:
    """A metric made of another's text by regular expressions, the first that matches."""

    suffix: str  # of the metric's name
    rules: tuple[tuple[str, str], ...]  # (Go regular expression, value with $1)


@dataclass(frozen=True, slots=True)
class Metric:
    """One object, with the labels of its rows."""

    place: Place
    name: str
    oid: str
    type: str
    help: str = ""
    indexes: tuple[Index, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    extracts: tuple[Extract, ...] = ()
    enum: Enum = ()
    hint: str = ""
    scale: float = 1.0
    offset: float = 0.0
    datetime_pattern: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows of some objects that are collected only where another object of the row has one of some values."""

    place: Place
    oid: str
    targets: tuple[str, ...]
    values: tuple[str, ...]  # Go regular expressions, searched


@dataclass(frozen=True, slots=True)
class Module:
    """What is collected together."""

    place: Place
    name: str
    walk: tuple[str, ...]
    get: tuple[str, ...]
    metrics: tuple[Metric, ...]
    filters: tuple[Filter, ...]
    settings: Mapping[str, object]  # max_repetitions and the like, as far as the file has them


@dataclass(frozen=True, slots=True)
class Auth:
    """How one asks; secrets are not read, only that there are some."""

    name: str
    version: int = 2
    security_level: str = "noAuthNoPriv"
    username: str = ""
    auth_protocol: str = "MD5"
    priv_protocol: str = "DES"
    context_name: str = ""


@dataclass(frozen=True, slots=True)
class Exporter:
    """A whole snmp.yml."""

    modules: tuple[Module, ...]
    auths: tuple[Auth, ...]
