"""In which order values are made from one another: what is derived, looked up, transformed and filtered when.

A profile names its metrics in any order; each may need others (`from`, `by`, `times`, a filter). The order is worked
out once. Filters stand as early as they can, before the look-ups that they save.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from streampoll.snmp.plan import Condition, Metric, TableSpec
from streampoll.snmp.transform import factors_of

WHOLE_INDEX = "index"  # in `by`: all of the row's index


class CircleError(Exception):
    """Metrics need each other; the argument is the name of one."""


class Do(Enum):
    """What a step does."""

    DERIVE = auto()  # a metric's value is that of another, as the device sent it
    FINISH = auto()  # a metric's value is transformed
    FETCH = auto()  # columns of other tables are asked for, together
    FILTER = auto()  # rows are dropped


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `metrics` for the first three, `conditions` for a filter."""

    do: Do
    metrics: tuple[Metric, ...] = ()
    conditions: tuple[Condition, ...] = ()


def needs_steps(metric: Metric) -> bool:
    """Tell whether a metric's value is not simply what the device answers."""
    return metric.change is not None or bool(metric.source) or bool(metric.by) or not metric.keep


def steps_of(metrics: Sequence[Metric], given: Collection[str], where: Sequence[Condition]) -> tuple[Step, ...]:
    """Order the steps for metrics of which those in `given` have their raw values already.

    Raises:
        CircleError: some need each other, or what there is not.
    """
    return _Order(metrics, given, where).steps()


def deciding(spec: TableSpec) -> tuple[tuple[Metric, ...], tuple[Condition, ...]]:
    """Return the conditions on rows that need no look-up, with the columns that they are decided by."""
    metrics = {metric.name: metric for metric in (*(part.metric for part in spec.index), *spec.columns)}
    made_from = {each.name: _made_from(each.name, metrics) for each in spec.where}
    local = {
        name
        for name, names in made_from.items()
        if names <= metrics.keys() and not any(metrics[each].by for each in names)
    }
    where = tuple(each for each in spec.where if each.name in local)
    names: set[str] = set().union(*(made_from[each.name] for each in where))
    return tuple(metric for metric in spec.columns if metric.name in names), where


def _made_from(name: str, metrics: Mapping[str, Metric]) -> set[str]:
    """Return a metric with all that it is made from."""
    found: set[str] = set()
    left = [name]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            metric = metrics.get(each)
            left += [*filter(None, [metric.source]), *factors_of(metric.change)] if metric else []
    return found


class _Order:
    """What has been made so far, and what is left."""

    def __init__(self, metrics: Sequence[Metric], given: Collection[str], where: Sequence[Condition]) -> None:
        self._raw = set(given)  # values as the device sent them
        self._made = {WHOLE_INDEX}  # values as they will be stored
        self._left = list(metrics)
        self._where = list(where)
        self._steps: list[Step] = []

    def steps(self) -> tuple[Step, ...]:
        """Go on until all is made."""
        while self._left or self._where:
            self._make_all()
            self._filter()
            if not self._left:
                break
            if not self._fetch():
                raise CircleError(self._left[0].name)
        return tuple(self._steps)

    def _make_all(self) -> None:
        """Make everything that can be made without asking the device."""
        while ready := [metric for metric in self._left if self._ready(metric)]:
            for metric in ready:
                if metric.name not in self._raw:
                    self._steps.append(Step(Do.DERIVE, (metric,)))
                    self._raw.add(metric.name)
                if self._made.issuperset(factors_of(metric.change)):
                    if metric.change is not None:
                        self._steps.append(Step(Do.FINISH, (metric,)))
                    self._made.add(metric.name)
                    self._left.remove(metric)

    def _ready(self, metric: Metric) -> bool:
        """Tell whether a metric's raw value is there or can be copied, and it can go on."""
        if metric.name in self._raw:
            return self._made.issuperset(factors_of(metric.change))
        return bool(metric.source) and metric.source in self._raw

    def _filter(self) -> None:
        ready = tuple(condition for condition in self._where if condition.name in self._made)
        if ready:
            self._steps.append(Step(Do.FILTER, conditions=ready))
            self._where = [condition for condition in self._where if condition not in ready]

    def _fetch(self) -> bool:
        """Ask for all columns whose keys are there; False if there are none."""
        ready = tuple(
            metric
            for metric in self._left
            if metric.by and metric.name not in self._raw and self._made.issuperset(_names(metric.by))
        )
        if ready:
            self._steps.append(Step(Do.FETCH, ready))
            self._raw.update(metric.name for metric in ready)
        return bool(ready)


def _names(by: Sequence[str | int]) -> set[str]:
    return {each for each in by if isinstance(each, str)}
