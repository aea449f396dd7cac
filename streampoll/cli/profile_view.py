"""A profile's plan for people and for programs: every key that is not its default, OIDs dotted."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from streampoll.config.profile_port import PollPlan
from streampoll.snmp.plan import Change, CollectPlan, Condition, IndexPart, Metric, TableSpec

_OIDS = frozenset({"oid", "fallback"})
_SPARSE = (CollectPlan, TableSpec, IndexPart, Metric, Change, Condition)
_SHOWN_NAMES = 4  # of an enumeration, in a table
_COLUMNS = ("name", "oid", "type")
_WORDS = {"kind": "type", "source": "from", "form": "as", "equals": "is", "differs": "is_not", "mismatch": "not_match"}
"""What a profile calls the fields of a plan."""


def protocol_of(plan: PollPlan) -> str:
    """Return the protocol of a plan, by its type: "snmp" of a CollectPlan, "ping" of a PingPlan."""
    return "snmp" if isinstance(plan, CollectPlan) else type(plan).__name__.removesuffix("Plan").lower()


def as_json(plan: PollPlan) -> dict[str, Any]:
    """Return a plan as data for JSON."""
    data: dict[str, Any] = plain(plan)
    return {"profile": plan.profile, "protocol": protocol_of(plan), **data}


def plain(value: Any, name: str = "") -> Any:
    """Return a value of a plan as data: dataclasses as objects without what is default, enums as words."""
    if is_dataclass(value) and not isinstance(value, type):
        return {_WORDS.get(each, each): plain(inner, each) for each, inner in _given(value)}
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return _plain_many(tuple(value), name)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _plain_many(values: tuple[Any, ...], name: str) -> Any:
    if name in _OIDS:
        return _dotted(values)
    if name == "suits":
        return [_dotted(each) for each in values]
    if name == "enum":
        return {str(number): word for number, word in values}
    return [plain(each) for each in values]


def _given(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a dataclass; of a metric or table only those that are not what they are by default."""
    for each in fields(value):
        inner = getattr(value, each.name)
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if inner != default or not isinstance(value, _SPARSE):
            yield each.name, inner


def _dotted(oid: tuple[int, ...]) -> str:
    return ".".join(map(str, oid))


# -- for people


def grids(plan: PollPlan) -> Iterator[Table]:
    """Yield what a plan collects as tables for a terminal."""
    data = plain(plan)
    if not isinstance(plan, CollectPlan):
        yield _settings_grid(protocol_of(plan), data)
        return
    if data.get("scalars"):
        yield _metric_grid("scalars", data["scalars"])
    for table in data.get("tables", ()):
        parts = [{**part.pop("metric"), **part} for part in table.get("index", ())]
        yield _metric_grid(_title(table), [*parts, *table["columns"]])


def _title(table: Mapping[str, Any]) -> str:
    known = {key: table[key] for key in ("key", "max_rows", "where", "when") if key in table}
    said = ", ".join(f"{key} {_words(value)}" for key, value in known.items())
    return f"{table['name']}: {said}" if said else str(table["name"])


def _metric_grid(title: str, metrics: list[dict[str, Any]]) -> Table:
    grid = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("name", no_wrap=True)
    grid.add_column("OID", no_wrap=True)
    grid.add_column("type", no_wrap=True)
    grid.add_column("", overflow="fold")
    for metric in metrics:
        rest = {key: value for key, value in metric.items() if key not in _COLUMNS}
        oid = metric.get("oid") or (f"from {rest.pop('from')}" if "from" in rest else "(index)")
        cells = (metric["name"], oid, metric.get("type", "auto"), _rest(rest))
        grid.add_row(*map(Text, cells))
    return grid


def _settings_grid(title: str, data: Mapping[str, Any]) -> Table:
    grid = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    for key, value in data.items():
        grid.add_row(Text(key), Text(_words(value)))
    return grid


def _rest(keys: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_words(value)}" for key, value in keys.items())


def _words(value: Any) -> str:
    """Return data in one short line."""
    if isinstance(value, Mapping):
        shown = [f"{key} {_words(each)}" for key, each in value.items()]
        more = [f"… {len(shown)} in all"] if len(shown) > _SHOWN_NAMES + 1 else []
        return " ".join(["(" + ", ".join(shown[: _SHOWN_NAMES if more else None] + more) + ")"])
    if isinstance(value, list):
        return " ".join(map(_words, value))
    return "yes" if value is True else "no" if value is False else str(value)
