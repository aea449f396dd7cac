"""A profile that has MIB names into one that has OIDs, once and for all: no MIB is needed where it is used.

The text stays as its author wrote it: order, layout and comments (tomlkit keeps them). A name becomes its OID, and
stands behind it as a comment if there is none. What the profile does not say is filled in from the MIB: type, enum,
display, unit, and the parts of a table's index. What it does say stays, so compiling again changes nothing.
"""

import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from streampoll.config.convert import Place
from streampoll.config.mib.describe import index_words, metric_words
from streampoll.config.mib.resolver import Found, Resolver
from streampoll.config.mib.words import MibObject, Node, Unresolved
from streampoll.config.toml_text import toml_value
from streampoll.errors import ConfigError, Fault
from streampoll.snmp.plan import Oid

Keys = MutableMapping[str, Any]
"""A table of the document; changing it changes the text."""

_NUMBERS = re.compile(r"\.?\d+(?:\.\d+)*")


def compile_profile(place: Place, resolver: Resolver) -> str:
    """Return a profile's text with every name resolved; a name that can't be is a fault of the place's report."""
    document = _parse(place.source.text)
    names = _Names(resolver)
    _prefixes(document, names, place)
    for name, metric in _tables(document, "scalars"):
        found = _scalar(name, metric, names, place.at("scalars", name))
        _rewrite(document["scalars"], name, found)
    for name, table in _tables(document, "tables"):
        _table(table, names, place.at("tables", name))
    text: str = document.as_string()
    return text


def _parse(text: str) -> Any:
    try:
        import tomlkit
    except ImportError:
        fault = Fault("profile compile", "tomlkit is not installed", "pip install 'streampoll[mibs]'")
        raise ConfigError([fault]) from None
    return tomlkit.parse(text)


class _Names:
    """The resolver, with its refusals as faults."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def find(self, name: Any, place: Place) -> Found | None:
        """Return what a name stands for; None for an OID in numbers, and, with a fault, for what stands for nothing."""
        if not isinstance(name, str) or _NUMBERS.fullmatch(name):
            return None
        try:
            return self._resolver.find(name)
        except Unresolved as error:
            place.fault(error.what, error.instead)
            return None


# -- a scalar, a table


def _scalar(name: str, metric: Keys, names: _Names, place: Place) -> Found | None:
    """Fill a scalar in from the MIB, and return what that has of it."""
    found = _metric(name, metric, names, place)
    if found is None:
        return None
    if found.object.node is Node.COLUMN and not found.instance:
        what = f"{found.object.name} is a column of {found.object.table}"
        place.fault(what, f"name a row of it, as {found.object.name}.1, or move it to the columns of a table")
    elif found.object.node not in (Node.SCALAR, Node.COLUMN):
        place.fault(f"{found.object.full_name} has no value", "name a scalar, or a column with its row")
    _fill(metric, found, found.oid if found.instance else (*found.oid, 0))
    return found


def _table(table: Keys, names: _Names, place: Place) -> None:
    _prefixes(table, names, place)
    walked: list[MibObject] = []
    for name, metric in _tables(table, "columns"):
        found = _metric(name, metric, names, place.at("columns", name))
        if found is None:
            continue
        if found.object.node is not Node.COLUMN or found.instance:
            place.at("columns", name).fault(f"{found.object.full_name} is no column", "put it under [scalars]")
        _fill(metric, found, found.oid)
        _rewrite(table["columns"], name, found)
        if "by" not in metric:
            walked.append(found.object)
    _check_index(walked, place)
    if walked and walked[0].index and "index" not in table:
        _describe_index(table, walked[0])


def _check_index(walked: Sequence[MibObject], place: Place) -> None:
    """Refuse columns in one table that are of tables with different indexes: their rows have nothing in common."""
    for each in walked[1:]:
        if each.index and walked[0].index and _parts(each) != _parts(walked[0]):
            what = f"{each.name} is indexed by {_parts(each)}, and {walked[0].name} by {_parts(walked[0])}"
            place.at("columns", each.name).fault(what, 'say by which value to look it up, as by = "ifIndex"')


def _parts(found: MibObject) -> str:
    return ", ".join(part.name for part in found.index)


def _describe_index(table: Keys, found: MibObject) -> None:
    """Write the parts of the index; one that is called as a column is gets another name."""
    columns = {*table.get("columns", {})}
    parts = index_words(found.index)
    for part in parts:
        if part["name"] in columns:
            part["name"] += "Index"
    lines = "".join(f"\n    {toml_value(part)}," for part in parts)
    table["index"] = _value(f"[{lines}\n]" if len(parts) > 1 else toml_value(parts))


# -- a metric


def _metric(name: str, metric: Keys, names: _Names, place: Place) -> Found | None:
    """Return what a metric's name stands for, if it has one; without an OID it is called as in its MIB."""
    _prefixes(metric, names, place)
    other = names.find(metric.get("fallback"), place.at("fallback"))
    if other is not None:
        is_whole = other.instance or other.object.node is not Node.SCALAR
        metric["fallback"] = _dotted(other.oid if is_whole else (*other.oid, 0))
    if "from" in metric:
        return None
    return names.find(metric.get("oid", name), place.at("oid") if "oid" in metric else place)


def _fill(metric: Keys, found: Found, oid: Oid) -> None:
    """Write an OID for its name, and what the MIB knows where the profile says nothing."""
    given = "type" in metric
    metric["oid"] = _dotted(oid)
    for key, value in metric_words(found.object).items():
        if key not in metric and not (given and key == "display"):
            metric[key] = value


def _rewrite(metrics: Keys, name: str, found: Found | None) -> None:
    """Write a metric that was filled in, in a line of even form, with its name behind it."""
    from tomlkit.items import InlineTable

    metric = metrics[name]
    if found is None or not isinstance(metric, InlineTable):
        return
    first = {key: metric[key] for key in ("oid", "type") if key in metric}
    written = _value(toml_value(first | dict(metric.unwrap())))
    written.trivia.indent, written.trivia.comment_ws = metric.trivia.indent, metric.trivia.comment_ws or "  "
    written.trivia.comment, written.trivia.trail = metric.trivia.comment, metric.trivia.trail
    if not written.trivia.comment:
        written.trivia.comment = f"# {'.'.join([found.object.full_name, *map(str, found.instance)])}"
    metrics[name] = written


def _value(text: str) -> Any:
    import tomlkit

    return tomlkit.value(text)


def _prefixes(keys: Keys, names: _Names, place: Place) -> None:
    """Resolve the names of branches: in `suits`, and in what a condition says an OID is `under`."""
    _branches(keys, "suits", names, place)
    for word in ("when", "where"):
        for name, condition in _tables(keys, word):
            _branches(condition, "under", names, place.at(word, name))


def _branches(keys: Keys, key: str, names: _Names, place: Place) -> None:
    value = keys.get(key)
    listed = list(value) if isinstance(value, list) else [value]
    found = [names.find(each, place.at(key)) for each in listed]
    if any(found):
        oids = [_dotted(each.oid) if each else str(listed[at]) for at, each in enumerate(found)]
        keys[key] = oids if isinstance(value, list) else oids[0]


def _tables(keys: Keys, key: str) -> Iterator[tuple[str, Keys]]:
    """Yield the tables in a table by name; what is none is for the loader to refuse."""
    tables = keys.get(key)
    for name, table in list(tables.items()) if isinstance(tables, MutableMapping) else ():
        if isinstance(table, MutableMapping):
            yield name, table


def _dotted(oid: Oid) -> str:
    return ".".join(map(str, oid))
