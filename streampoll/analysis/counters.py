"""Which metrics of a profile are counters, and what stands beside them: made once a profile, asked for every poll."""

from collections.abc import Mapping
from dataclasses import dataclass

from streampoll.config.profile_port import PollPlan
from streampoll.snmp.plan import CollectPlan, Kind, Metric

_JUMPED = "CounterDiscontinuityTime"
_SPEEDS = (("ifHighSpeed", 1_000_000.0), ("ifSpeed", 1.0))  # the first that says more than 0, in bit/s


@dataclass(frozen=True, slots=True)
class TableCounters:
    """The counters of a table."""

    names: frozenset[str]
    jumped: str = ""  # the column that says when its counters last jumped; "": there is none
    speeds: tuple[tuple[str, float], ...] = ()  # columns that say how fast a row can be, with their unit in bit/s


@dataclass(frozen=True, slots=True)
class ProfileCounters:
    """The counters of a profile."""

    scalars: frozenset[str] = frozenset()
    tables: Mapping[str, TableCounters] | None = None


NO_COUNTERS = ProfileCounters()
_NONE = TableCounters(frozenset())


class Counters:
    """The counters of all profiles; `profiles` may change under way, as files do."""

    def __init__(self, profiles: Mapping[str, PollPlan]) -> None:
        self._profiles = profiles
        self._known: dict[str, tuple[PollPlan, ProfileCounters]] = {}

    def of(self, profile: str) -> ProfileCounters:
        """Return the counters of a profile; none of one that is not known."""
        plan = self._profiles.get(profile)
        if plan is None:
            return NO_COUNTERS
        known = self._known.get(profile)
        if known is None or known[0] is not plan:
            known = self._known[profile] = plan, counters_of(plan)
        return known[1]


def counters_of(plan: PollPlan) -> ProfileCounters:
    """Find the counters of a plan: what the device sends as one, and the profile does not make into something else."""
    if not isinstance(plan, CollectPlan):
        return NO_COUNTERS
    tables = {}
    for table in plan.tables:
        names = [metric.name for metric in table.columns]
        tables[table.name] = TableCounters(
            frozenset(metric.name for metric in table.columns if _counts(metric)),
            next((name for name in names if name.endswith(_JUMPED)), ""),
            tuple((name, unit) for name, unit in _SPEEDS if name in names),
        )
    return ProfileCounters(frozenset(metric.name for metric in plan.scalars if _counts(metric)), tables)


def of_table(counters: ProfileCounters, table: str) -> TableCounters:
    """Return the counters of one table."""
    return (counters.tables or {}).get(table, _NONE)


def _counts(metric: Metric) -> bool:
    return metric.kind is Kind.COUNTER and metric.change is None and metric.keep
