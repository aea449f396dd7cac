"""Plans with conditions: what is asked first to decide them, and which part of the plan then is for the device.

Agents of one sort take one branch, so each branch is compiled once, like a plan without conditions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from streampoll.model import Value
from streampoll.snmp.condition import test_of
from streampoll.snmp.plan import CollectPlan, Condition, Kind, Metric, TableSpec
from streampoll.snmp.shape import is_asked
from streampoll.snmp.steps import WHOLE_INDEX
from streampoll.snmp.transform import factors_of

When = tuple[Condition, ...]

WELL_KNOWN: Final = {
    "sysObjectID": Metric("sysObjectID", (1, 3, 6, 1, 2, 1, 1, 2, 0), Kind.OID, keep=False),
    "sysDescr": Metric("sysDescr", (1, 3, 6, 1, 2, 1, 1, 1, 0), Kind.TEXT, keep=False),
}
"""Scalars that a condition may name without the profile having them; they are not stored then."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What is left of a plan for some devices."""

    plan: CollectPlan  # without conditions; its scalars are those not asked yet
    scalars: tuple[Metric, ...]  # all, those asked before included
    absent: tuple[str, ...]  # scalars and tables that are not for these devices


class Branches:
    """A plan's conditions, and the plan that each answer to them leaves."""

    def __init__(self, plan: CollectPlan, whens: Sequence[When]) -> None:
        self._plan = plan
        self._whens = whens
        scalars = {metric.name: metric for metric in plan.scalars if not metric.when}
        named = {condition.name for when in whens for condition in when}
        hidden = [metric for name, metric in WELL_KNOWN.items() if name in named and name not in scalars]
        known = scalars | {metric.name: metric for metric in hidden}
        self.trunk = CollectPlan(plan.profile, (*scalars.values(), *hidden))
        self._tests = [[(each.name, test_of(each, known[each.name])) for each in when] for when in whens]

    def held(self, values: Mapping[str, Value] | None) -> tuple[bool, ...]:
        """Tell for each condition whether it holds of these scalars (None: it is taken to)."""
        if values is None:
            return (True,) * len(self._tests)
        return tuple(all(test(values.get(name)) for name, test in tests) for tests in self._tests)

    def take(self, held: Sequence[bool]) -> Branch:
        """Return what these answers leave of the plan."""
        holds = {(): True} | dict(zip(self._whens, held, strict=True))
        later = _unconditional([metric for metric in self._plan.scalars if metric.when and holds[metric.when]])
        scalars = _usable((*self.trunk.scalars, *later))
        absent = [each.name for each in self._plan.scalars if each.name not in {metric.name for metric in scalars}]
        tables = []
        for spec in self._plan.tables:
            columns = _usable([metric for metric in spec.columns if holds[metric.when]], spec)
            if holds[spec.when] and any(map(is_asked, columns)):
                tables.append(replace(spec, columns=columns, when=()))
            else:
                absent.append(spec.name)
        rest = tuple(metric for metric in later if metric in scalars)
        return Branch(CollectPlan(self._plan.profile, rest, tuple(map(_without_whens, tables))), scalars, tuple(absent))


def branches_of(plan: CollectPlan) -> Branches | None:
    """Return a plan's branches; None if it has no conditions."""
    metrics = chain(plan.scalars, *(spec.columns for spec in plan.tables))
    whens = [*(metric.when for metric in metrics), *(spec.when for spec in plan.tables)]
    given = tuple(dict.fromkeys(when for when in whens if when))
    return Branches(plan, given) if given else None


def _usable(metrics: Sequence[Metric], spec: TableSpec | None = None) -> tuple[Metric, ...]:
    """Leave out what is made from a metric that is not there."""
    parts = spec.index if spec else ()
    names = {WHOLE_INDEX, *(metric.name for metric in metrics), *(part.metric.name for part in parts)}
    left = tuple(metric for metric in metrics if names.issuperset(_needs(metric)))
    return left if len(left) == len(metrics) else _usable(left, spec)


def _needs(metric: Metric) -> list[str]:
    names = [each for each in metric.by if isinstance(each, str)]
    return [*filter(None, [metric.source]), *names, *factors_of(metric.change)]


def _unconditional(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    return tuple(replace(metric, when=()) for metric in metrics)


def _without_whens(spec: TableSpec) -> TableSpec:
    return replace(spec, columns=_unconditional(spec.columns))
