"""What only shows when an SNMP profile is put together: names that are none, circles, transforms that fit no type."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Final

from streampoll.config.convert import Place
from streampoll.config.report import nearest
from streampoll.snmp.branches import WELL_KNOWN
from streampoll.snmp.plan import Change, CollectPlan, Form, Kind, Metric, Oid, TableSpec
from streampoll.snmp.shape import is_asked
from streampoll.snmp.steps import WHOLE_INDEX, CircleError, steps_of

_RESERVED: Final = frozenset({WHOLE_INDEX, "shown"})  # what rows have beside their columns where they are shown
_OCTETS: Final = frozenset({Kind.AUTO, Kind.BYTES, Kind.MAC, Kind.IP, Kind.TEXT, Kind.BITS, Kind.DATETIME})
_FITTING: Final[Mapping[Form, frozenset[Kind]]] = {
    Form.MAC: _OCTETS,
    Form.IP: frozenset({Kind.AUTO, Kind.BYTES, Kind.IP}),
    Form.HEX: _OCTETS,
    Form.SECONDS: frozenset({Kind.AUTO, Kind.TICKS, Kind.INTEGER}),
    Form.EPOCH: frozenset({Kind.DATETIME, Kind.BYTES}),
    Form.UNSIGNED: _OCTETS,
}


def check_plan(plan: CollectPlan, place: Place) -> None:
    """Refuse a plan that can't be collected as it stands; each mistake is a fault."""
    if not plan.scalars and not plan.tables:
        place.fault("collects nothing", "name at least one scalar or table, or a profile to extend")
    here = place.at("scalars")
    _check_metrics(plan.scalars, {metric.name for metric in plan.scalars}, here)
    for metric in plan.scalars:
        if metric.by:
            here.at(metric.name, "by").fault("a scalar has no row to look up", "only columns have by")
    _check_order(plan.scalars, (), here)
    _check_whens(plan, place)
    for spec in plan.tables:
        _check_table(spec, place.at("tables", spec.name))


def _check_table(spec: TableSpec, place: Place) -> None:
    """Check a table's columns, key, index and filter."""
    if not spec.columns:
        place.fault("has no columns", f"name them in [tables.{spec.name}.columns]")
        return
    if not any(map(is_asked, spec.columns)):
        place.fault("has no column that is walked", "one at least must have neither by nor from")
    parts = [part.metric for part in spec.index]
    metrics = (*parts, *spec.columns)
    names = {metric.name for metric in metrics}
    kept = {metric.name for metric in metrics if metric.keep}
    if spec.key and spec.key not in kept:
        what = "is not kept" if spec.key in names else "is no column"
        place.at("key").fault(f"'{spec.key}' {what}", nearest(spec.key, kept))
    for twice in {part.name for part in parts if [each.name for each in metrics].count(part.name) > 1}:
        place.at("index").fault(
            f"'{twice}' is there twice", "give the columns and the parts of the index names of their own"
        )
    for name in sorted(names & _RESERVED):
        place.at("columns", name).fault(f"'{name}' has another meaning in rows", "choose another name")
    for condition in spec.where:
        if condition.name not in names:
            place.at("where", condition.name).fault("is no column", nearest(condition.name, names))
    _check_metrics(metrics, names, place.at("columns"))
    _check_order(metrics, [part.name for part in parts], place)


def _check_metrics(metrics: Sequence[Metric], names: Collection[str], place: Place) -> None:
    """Check what metrics name, and that their transforms fit their types."""
    for metric in metrics:
        here = place.at(metric.name)
        if metric.change is not None:
            _check_change(metric, metric.change, here)
        for word, name in _named(metric):
            if name not in names:
                here.at(word).fault(f"'{name}' is not there", nearest(name, names))
    _check_twice(metrics, place)


def _named(metric: Metric) -> list[tuple[str, str]]:
    """Return the metrics that a metric names, with the word that names each."""
    by = [("by", each) for each in metric.by if isinstance(each, str) and each != WHOLE_INDEX]
    change = metric.change or Change()
    words = [("from", metric.source), ("times", change.times)]
    words += [("sensor", change.sensor_scale), ("sensor", change.sensor_precision)]
    return [*((word, name) for word, name in words if name), *by]


def _check_change(metric: Metric, change: Change, place: Place) -> None:
    """Refuse arithmetic on counters, and forms that a type does not have."""
    if metric.kind is Kind.COUNTER:
        given = {"divide": change.divide, "scale": change.scale, "offset": change.offset}
        words = [word for word, value in given.items() if value is not None]
        words += ["times"] if change.times else []
        words += ["sensor"] if change.sensor_scale or change.sensor_precision else []
        for word in words:
            place.at(word).fault("a counter is kept exact", 'scale its rate, or give it type = "integer"')
    if change.form is None:
        return
    fitting = _FITTING.get(change.form)
    word = change.form.name.lower()
    if fitting and (change.extract or metric.kind not in fitting):
        what = "what was extracted is text" if change.extract else f"not for type {metric.kind.name.lower()}"
        types = ", ".join(sorted(kind.name.lower() for kind in fitting))
        place.at("as").fault(f"'{word}' does not fit: {what}", f"it is for {types}")


def _check_order(metrics: Sequence[Metric], parts: Sequence[str], place: Place) -> None:
    """Refuse metrics that need each other."""
    names = {metric.name for metric in metrics} | {WHOLE_INDEX}
    needed = chain.from_iterable(_named(metric) for metric in metrics)
    if not names.issuperset(name for _, name in needed):
        return  # said already
    given = [*parts, *(metric.name for metric in metrics if is_asked(metric))]
    try:
        steps_of(metrics, given, ())
    except CircleError as circle:
        place.at("columns" if parts or place.path[:1] == ("tables",) else str(circle)).fault(
            f"'{circle}' needs itself", "break the circle of from, by, times and sensor"
        )


def _check_whens(plan: CollectPlan, place: Place) -> None:
    """Refuse conditions on what is not asked for first."""
    known = {metric.name for metric in plan.scalars if is_asked(metric) and not metric.when} | WELL_KNOWN.keys()
    places = [(place.at("scalars", metric.name, "when"), metric.when) for metric in plan.scalars]
    for spec in plan.tables:
        here = place.at("tables", spec.name)
        places.append((here.at("when"), spec.when))
        places += [(here.at("columns", metric.name, "when"), metric.when) for metric in spec.columns]
    unknown = {each.name: where.at(each.name) for where, when in places for each in when if each.name not in known}
    for name, where in unknown.items():
        where.fault(f"'{name}' is no scalar that is asked of every device", nearest(name, known))


def _check_twice(metrics: Sequence[Metric], place: Place) -> None:
    """Refuse a column that is asked for twice (by other keys, or under another condition, it is another one)."""
    names: dict[tuple[Oid, object, object], str] = {}
    for metric in metrics:
        if not metric.oid:
            continue
        asked = metric.oid, metric.by, metric.when
        if asked in names:
            place.at(metric.name).fault(
                f"has the OID of '{names[asked]}'", f'leave one out, or write from = "{names[asked]}"'
            )
        names.setdefault(asked, metric.name)
