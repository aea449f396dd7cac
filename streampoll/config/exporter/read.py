"""snmp.yml into values: the form with `auths` and `modules` (since 0.23), and the classic one, a module a key."""

from pathlib import Path
from typing import Any, Final

from streampoll.config.convert import Place
from streampoll.config.exporter.keys import Keys
from streampoll.config.exporter.words import Auth, Enum, Exporter, Extract, Filter, Index, Lookup, Metric, Module
from streampoll.config.report import Report
from streampoll.config.source import read_yaml

SETTINGS: Final = ("max_repetitions", "retries", "timeout", "allow_nonincreasing_oids", "use_unconnected_udp_socket")

_MODULE = ("walk", "get", "metrics", "filters", "version", "auth", "max_repititions", *SETTINGS)
_METRIC = (
    "name", "oid", "type", "help", "indexes", "lookups", "regex_extracts", "enum_values", "scale", "offset",
    "datetime_pattern", "format_spec",
)  # fmt: skip
_SECRETS = ("community", "password", "priv_password")
_AUTH = (*_SECRETS, "security_level", "username", "auth_protocol", "priv_protocol", "context_name", "version")
_GENERATOR = {"lookups", "overrides"}  # of a module in generator.yml, and of none in snmp.yml


def read_exporter(path: Path, shown: str, report: Report) -> Exporter | None:
    """Return what a file has; None with faults if it is none of snmp_exporter's."""
    source = read_yaml(path, shown, report, "it lists modules, a few levels deep")
    if source is None:
        return None
    place, before = Place(source, report), len(report.faults)
    data = source.data
    if not isinstance(data, dict) or not data:
        place.fault("not an snmp.yml: it has no modules", "give the file that snmp_exporter reads")
        return None
    is_split = isinstance(data.get("modules"), dict) or isinstance(data.get("auths"), dict)
    exporter = _split(data, place) if is_split else _classic(data, place)
    return exporter if len(report.faults) == before else None


def _split(data: Any, place: Place) -> Exporter:
    keys = Keys(data, place, ("auths", "modules", "version"))
    auths = tuple(_auth(name, each, at) for at, name, each in keys.items("auths"))
    return Exporter(tuple(_module(name, each, at) for at, name, each in keys.items("modules")), auths)


def _classic(data: Any, place: Place) -> Exporter:
    """Return modules that say for themselves how one asks; each makes an auth of its own name."""
    modules = tuple(_module(str(name), each, place.at(str(name))) for name, each in data.items())
    auths = []
    for name, each in data.items():
        if isinstance(each, dict) and ("auth" in each or "version" in each):
            inside = each.get("auth") or {}
            version = {"version": each["version"]} if "version" in each else {}
            merged = {**inside, **version} if isinstance(inside, dict) else inside
            auths.append(_auth(str(name), merged, place.at(str(name), "auth")))
    return Exporter(modules, tuple(auths))


def _auth(name: str, data: Any, place: Place) -> Auth:
    keys = Keys(data, place, _AUTH)
    default = Auth(name)
    return Auth(
        name, int(keys.number("version", default.version)),
        keys.text("security_level", default.security_level), keys.text("username"),
        keys.text("auth_protocol", default.auth_protocol), keys.text("priv_protocol", default.priv_protocol),
        keys.text("context_name"),
    )  # fmt: skip


def _module(name: str, data: Any, place: Place) -> Module:
    if isinstance(data, dict) and _GENERATOR & data.keys() and "metrics" not in data:
        place.fault("this is a module of generator.yml", "import the snmp.yml that the generator makes of it")
        data = {}
    keys = Keys(data, place, _MODULE)
    settings = {key: keys.raw(key) for key in SETTINGS if key in keys}
    if "max_repititions" in keys:  # as it was spelt before 0.8
        settings["max_repetitions"] = keys.raw("max_repititions")
    metrics = tuple(_metric(each, at) for at, each in keys.each("metrics"))
    filters = tuple(_filter(each, at) for at, each in keys.each("filters"))
    return Module(place, name, keys.texts("walk"), keys.texts("get"), metrics, filters, settings)


def _metric(data: Any, place: Place) -> Metric:
    keys = Keys(data, place, _METRIC)
    for key in ("name", "oid", "type"):
        if key not in keys:
            place.fault(f"'{key}' is missing")
    return Metric(
        place, keys.text("name"), keys.oid("oid"), keys.text("type"), keys.text("help"),
        tuple(_index(each, at) for at, each in keys.each("indexes")),
        tuple(_lookup(each, at) for at, each in keys.each("lookups")),
        tuple(_extract(suffix, each, at) for at, suffix, each in keys.items("regex_extracts")),
        _enum(keys), _hint(keys), keys.number("scale") or 1.0, keys.number("offset"), keys.text("datetime_pattern"),
    )  # fmt: skip


def _index(data: Any, place: Place) -> Index:
    keys = Keys(data, place, ("labelname", "type", "fixed_size", "implied", "enum_values", "format_spec"))
    size = int(keys.number("fixed_size"))
    return Index(keys.text("labelname"), keys.text("type"), size, keys.flag("implied"), _enum(keys), _hint(keys))


def _lookup(data: Any, place: Place) -> Lookup:
    keys = Keys(data, place, ("labels", "labelname", "oid", "type", "format_spec"))
    oid = keys.oid("oid")
    return Lookup(keys.texts("labels"), keys.text("labelname"), oid, keys.text("type"), _hint(keys))


def _extract(suffix: str, data: Any, place: Place) -> Extract:
    if not isinstance(data, list):
        place.fault("not a list of regex and value")
        return Extract(suffix, ())
    rules = [Keys(each, place.at(index), ("regex", "value")) for index, each in enumerate(data)]
    return Extract(suffix, tuple((keys.text("regex"), keys.text("value", "$1")) for keys in rules))


def _filter(data: Any, place: Place) -> Filter:
    keys = Keys(data, place, ("oid", "targets", "values"))
    targets = tuple(target.strip(".") for target in keys.texts("targets"))
    return Filter(place, keys.oid("oid"), targets, keys.texts("values"))


def _enum(keys: Keys) -> Enum:
    pairs = []
    for place, number, word in keys.items("enum_values"):
        if number.lstrip("-").isdigit():
            pairs.append((int(number), str(word).lower() if isinstance(word, bool) else str(word)))
        else:
            place.fault(f"{number} is not a number")
    return tuple(sorted(pairs))


def _hint(keys: Keys) -> str:
    """Return a format_spec as the DISPLAY-HINT that it was made of (RFC 2579 3.1)."""
    return "".join(_octet_format(each, at) for at, each in keys.each("format_spec"))


def _octet_format(data: Any, place: Place) -> str:
    keys = Keys(data, place, ("take", "star_prefix", "fmt", "sep", "term"))
    star = "*" if keys.flag("star_prefix") else ""
    return f"{star}{int(keys.number('take', 1))}{keys.text('fmt')}{keys.text('sep')}{keys.text('term')}"
