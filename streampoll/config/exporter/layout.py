"""A module as a profile: which metrics are scalars, which make a table together, and how it is called."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os.path import commonprefix

from streampoll.config.exporter.columns import columns_of
from streampoll.config.exporter.draft import ProfileDraft, unused
from streampoll.config.exporter.tables import draft_table
from streampoll.config.exporter.words import Index, Lookup, Metric, Module
from streampoll.config.profiles import BUILTIN

_KNOWN = {"1.3.6.1.2.1.2.2.1": "interfaces", "1.3.6.1.2.1.31.1.1.1": "interfaces"}
"""Tables that our own profiles have too, by the OID of their row."""

_ADVICE = {
    "max_repetitions": ("25", "set snmp.max_repetitions under [snmp], or for these devices in the inventory"),
    "retries": ("3", "set snmp.retries under [snmp], or for these devices in the inventory"),
    "timeout": ("5s", "set snmp.timeout_s under [snmp], or for these devices in the inventory"),
    "allow_nonincreasing_oids": ("False", "a walk ends where OIDs do not increase, and is marked as partial"),
    "use_unconnected_udp_socket": ("False", "a reply counts only from the address that was asked"),
}
"""What a profile does not say, with snmp_exporter's default and where streampoll has it."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the metrics of one table have in common."""

    indexes: tuple[Index, ...]
    lookups: tuple[Lookup, ...]
    filters: tuple[int, ...]  # which of the module's
    rows: tuple[str, ...]  # the only instances that are asked; empty for all


def draft_profile(module: Module, name: str) -> ProfileDraft:
    """Return a module's profile; what it can't say is a notice at its place."""
    profile = ProfileDraft(name)
    groups: dict[_Kind, list[Metric]] = {}
    for metric in {each.oid: each for each in module.metrics}.values():  # of two, snmp_exporter has the last
        rows = _rows(module, metric)
        if rows is None:
            metric.place.notice(f"{metric.name} is in no walk and no get, so snmp_exporter never has it", "left out")
        elif metric.indexes:
            kind = _Kind(metric.indexes, metric.lookups, _filters(module, metric), tuple(rows))
            groups.setdefault(kind, []).append(metric)
        else:
            _add_scalar(profile, metric, rows)
    for kind, metrics in groups.items():
        table = unused(_table_name(metrics), {each.name for each in profile.tables})
        filters = [module.filters[index] for index in kind.filters]
        draft = draft_table(table, metrics, filters, kind.rows)
        if any("oid" in column.words and "by" not in column.words for column in draft.columns):
            profile.tables.append(draft)
        else:
            metrics[0].place.notice(f"no value of the table '{table}' is left", "it is left out")
    _advise(module)
    return profile


def _rows(module: Module, metric: Metric) -> Sequence[str] | None:
    """Return the instances of a metric that `get` names if no walk has it all; None if neither has it."""
    oid = metric.oid
    below = [each.strip(".") for each in module.get if _is_under(each.strip("."), oid)]
    if below:
        return [each[len(oid) :].strip(".") for each in below]
    walked = any(_is_under(oid, each.strip(".")) or _is_under(each.strip("."), oid) for each in module.walk)
    return () if walked or not (module.walk or module.get) else None


def _is_under(oid: str, branch: str) -> bool:
    return oid == branch or oid.startswith(f"{branch}.")


def _filters(module: Module, metric: Metric) -> tuple[int, ...]:
    return tuple(
        index
        for index, each in enumerate(module.filters)
        if any(_is_under(metric.oid, target) for target in each.targets)
    )


def _add_scalar(profile: ProfileDraft, metric: Metric, rows: Sequence[str]) -> None:
    """Add a scalar with the instance that is asked, .0 if a walk has it."""
    instance = next(iter(rows), "0")
    oid = f"{metric.oid}.{instance}" if instance else metric.oid
    for column in columns_of(metric, oid):
        column.name = unused(column.name, {each.name for each in profile.scalars})
        profile.scalars.append(column)


def _table_name(metrics: Sequence[Metric]) -> str:
    """Return what the metrics' names begin with, as whole words."""
    for metric in metrics:
        if (row := metric.oid.rpartition(".")[0]) in _KNOWN:
            return _KNOWN[row]
    names = [metric.name for metric in metrics]
    prefix = commonprefix(names)  # noqa: RUF071 - of names, not of paths
    if any(len(name) > len(prefix) and not re.match(r"[A-Z0-9_]", name[len(prefix)]) for name in names):
        prefix = re.sub(r"(?:[A-Z]+[a-z0-9]*|[a-z0-9]+|_)$", "", prefix)
    prefix = prefix.strip("_")
    return prefix if len(prefix) > 2 else metrics[0].indexes[0].label.removesuffix("Index") or "table"


def _advise(module: Module) -> None:
    """Say what belongs elsewhere than in a profile, where it is not what snmp_exporter does anyway."""
    for key, value in module.settings.items():
        default, instead = _ADVICE[key]
        if str(value) != default:
            module.place.at(key).notice(f"{key} = {value} is no matter of a profile", instead)


def profile_names(modules: Iterable[Module]) -> dict[str, str]:
    """Return the profile's name of each module: its own, as far as a file may be called so and no built-in is.

    A file would replace the built-in of its name, also where others extend that.
    """
    built_in = {path.stem for path in BUILTIN.glob("*.toml")}
    names: dict[str, str] = {}
    for module in modules:
        made = re.sub(r"[^A-Za-z0-9_.-]+", "_", module.name)[:50].lstrip("_.-") or "module"
        made = unused(f"{made}_exporter" if made in built_in else made, set(names.values()))
        if made != module.name:
            why = "a built-in one has the module's" if module.name in built_in else "the module's is no file's name"
            module.place.notice(f"the profile is called '{made}'", why)
        names[module.name] = made
    return names
