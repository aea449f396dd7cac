"""Prometheus' text format (and OpenMetrics) as scalars and tables.

A profile names metrics in two ways. Scalars and tables name them one by one, a table joining several metrics by the
labels that they share. `metrics` takes over whatever has a fitting name: a metric without labels is a scalar, one with
labels a table of its own, whose columns are the labels and `value`. Either way labels become the row's key.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from streampoll.http.convert import ABSENT, to_value
from streampoll.http.findings import Findings, Rows
from streampoll.http.plan import Request, TableRule
from streampoll.http.port import Failure
from streampoll.model import Status, Value

OPENMETRICS: Final = "application/openmetrics-text"
VALUE: Final = "value"  # the column of a table that a metric makes by itself
_SELECTOR: Final = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{(.*)\})?")
_LABEL: Final = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"([^"\\]*)"\s*(?:,|$)')

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric by name, and labels that it must have: `node_cpu_seconds_total{mode="idle"}`."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def fits(self, labels: Labels) -> bool:
        """Tell whether a sample of this name has the labels."""
        return all(labels.get(name) == value for name, value in self.labels)


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the text."""

    name: str
    labels: Labels
    value: Any


@lru_cache(maxsize=10_000)
def parse_selector(text: str) -> Selector:
    """Return what a profile's text selects. Raises ValueError: it is not `name` or `name{label="value", …}`."""
    found = _SELECTOR.fullmatch(text.strip())
    labels = _LABEL.findall(found[2] or "") if found else []
    if found is None or _LABEL.sub("", found[2] or "").strip():
        raise ValueError('not a metric: write name or name{label="value"}')
    return Selector(found[1], tuple(labels))


def read(text: str, content_type: str, request: Request, into: Findings, at: float) -> None:
    """Read a text by a request's rules into `into`.

    Raises:
        Failure: it is not in the format.
    """
    by_name: dict[str, list[Sample]] = {}
    for sample in parse(text, content_type):
        by_name.setdefault(sample.name, []).append(sample)
    for field in request.scalars:
        found = next((each.value for each in _selected(field.expression, by_name)), None)
        into.values[field.name], reason = to_value(found, field.kind)
        if reason:
            into.missing[field.name] = reason
    for rule in request.tables:
        _joined(rule, by_name, into)
    for name in by_name if request.metrics else ():
        if any(fnmatchcase(name, pattern) for pattern in request.metrics):
            _taken_over(name, by_name[name], into)
    for rows in into.tables.values():
        rows.mark(at)


def parse(text: str, content_type: str = "") -> Iterable[Sample]:
    """Return all samples. Raises Failure: it is not in the format."""
    try:
        families = _parser(content_type)(text)
        return [Sample(each.name, each.labels, each.value) for family in families for each in family.samples]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Failure(Status.DECODE, "not in Prometheus' text format") from None


def _parser(content_type: str) -> Callable[[str], Iterable[Any]]:
    if content_type == OPENMETRICS:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

        return open_metrics
    from prometheus_client.parser import text_string_to_metric_families

    return text_string_to_metric_families


def _selected(expression: str, by_name: Mapping[str, list[Sample]]) -> Iterable[Sample]:
    selector = parse_selector(expression)
    return (each for each in by_name.get(selector.name, ()) if selector.fits(each.labels))


def _joined(rule: TableRule, by_name: Mapping[str, list[Sample]], findings: Findings) -> None:
    """Make a table of several metrics: a row for each set of values that its labels have."""
    grid: dict[tuple[str, ...], dict[str, Value]] = {}
    for column in rule.columns:
        for sample in _selected(column.expression, by_name):
            value, reason = to_value(sample.value, column.kind)
            labels = tuple(sample.labels.get(label, "") for label in rule.labels)
            if reason:
                findings.missing.setdefault(f"{rule.name}.{column.name}", f"{reason} in some rows")
            grid.setdefault(labels, {}).setdefault(column.name, value)
    if not grid:
        findings.missing[rule.name] = ABSENT
        return
    names = tuple(column.name for column in rule.columns)
    rows = findings.tables[rule.name] = Rows(rule, (*rule.labels, *names), rule.key or _only(rule.labels))
    for labels, cells in grid.items():
        for name in names:
            if name not in cells:
                findings.missing.setdefault(f"{rule.name}.{name}", f"{ABSENT} in some rows")
        if not rows.add(row_key(dict(zip(rule.labels, labels, strict=True))), [*labels, *map(cells.get, names)]):
            break


def _taken_over(name: str, samples: list[Sample], findings: Findings) -> None:
    """Take a metric as it is: a scalar without labels, else a table."""
    labels = tuple(sorted({label for sample in samples for label in sample.labels}))
    if not labels:
        findings.values[name], reason = _plain(samples[0].value)
        if reason:
            findings.missing[name] = reason
        return
    rows = findings.tables[name] = Rows(TableRule(name, "", ()), (*labels, VALUE), _only(labels))
    for sample in samples:
        value, reason = _plain(sample.value)
        if reason:
            findings.missing.setdefault(f"{name}.{VALUE}", f"{reason} in some rows")
        if not rows.add(row_key(sample.labels), [*(sample.labels.get(label) for label in labels), value]):
            break


def row_key(labels: Labels) -> str:
    """Return labels as a row's key: the value of an only one, else `cpu="0",mode="idle"` in order of their names."""
    if len(labels) == 1:
        return next(iter(labels.values()))
    return ",".join(f'{name}="{labels[name]}"' for name in sorted(labels))


def _only(labels: tuple[str, ...]) -> str:
    return labels[0] if len(labels) == 1 else ""


def _plain(value: Any) -> tuple[Value, str]:
    """Return a sample's value; NaN and the infinities, which rows can't hold, as None with their name."""
    return (None, str(value)) if isinstance(value, float) and not math.isfinite(value) else (value, "")
