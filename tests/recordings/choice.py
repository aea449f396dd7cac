"""Which profiles a recorded device is polled with, and which of its objects they ask for."""

from collections.abc import Iterable, Iterator, Mapping

from streampoll.config.profile_port import PollPlan
from streampoll.snmp.plan import CollectPlan, Oid
from tests.recordings.catalogue import Recording

GENERIC = (
    "system", "interfaces", "hostresources", "entity", "entity-sensor", "lldp", "bgp4", "ups", "printer",
)  # fmt: skip


def plans_for(recording: Recording, profiles: Mapping[str, PollPlan]) -> list[CollectPlan]:
    """Return the generic profiles, and all that suit its sysObjectID."""
    return [
        plan
        for name, plan in profiles.items()
        if isinstance(plan, CollectPlan) and (name in GENERIC or _suits(plan, recording.object_id))
    ]


def _suits(plan: CollectPlan, object_id: Oid) -> bool:
    return any(object_id[: len(prefix)] == prefix for prefix in plan.suits)


def asked_for(plans: Iterable[CollectPlan]) -> list[Oid]:
    """Return the columns and scalars that plans can ask for, and the system group."""
    return sorted({(1, 3, 6, 1, 2, 1, 1), *(oid for plan in plans for oid in _oids(plan))})


def _oids(plan: CollectPlan) -> Iterator[Oid]:
    for metric in (*plan.scalars, *(metric for spec in plan.tables for metric in spec.columns)):
        yield from filter(None, (metric.oid, metric.fallback))
