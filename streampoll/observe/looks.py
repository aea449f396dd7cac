"""How the values of a profile are shown, found by its name where something is drawn."""

from collections.abc import Callable, Mapping

from streampoll.config.profile_port import PollPlan
from streampoll.results.render import Look, as_it_is
from streampoll.snmp.display import Looks, looks_of
from streampoll.snmp.plan import CollectPlan, Kind


def look_by_profile(profiles: Mapping[str, PollPlan]) -> Callable[[str], Look]:
    """Return what finds a profile's look; that of one that is not known, or says nothing, shows values as they are."""
    known: dict[str, Looks] = {}

    def find(profile: str) -> Look:
        plan = profiles.get(profile)
        if not isinstance(plan, CollectPlan):
            return as_it_is
        if profile not in known:
            known[profile] = looks_of(plan)
        return known[profile].of

    return find


def counters_by_profile(profiles: Mapping[str, PollPlan]) -> Callable[[str], Mapping[tuple[str, str], str]]:
    """Return what finds the counters in a profile's tables: (table, column) -> unit, "" where it names none."""

    def find(profile: str) -> Mapping[tuple[str, str], str]:
        plan = profiles.get(profile)
        tables = plan.tables if isinstance(plan, CollectPlan) else ()
        return {
            (table.name, column.name): column.unit
            for table in tables
            for column in table.columns
            if column.kind is Kind.COUNTER and column.keep and column.change is None
        }

    return find
