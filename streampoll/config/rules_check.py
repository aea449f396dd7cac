"""What only shows when rules are seen beside profiles, jobs and inventory.

A rule that names what no profile collects never raises anything, so a person is told. It is no fault: what a custom
poller or a command's parser brings can't be known here.
"""

from collections.abc import Iterable, Mapping, Sequence

from streampoll.analysis.rule import DEVICE_NAMES, Rule, RuleSet
from streampoll.config.jobs import Job
from streampoll.config.profile_port import PollPlan
from streampoll.config.report import Report, nearest
from streampoll.config.rules import FILE
from streampoll.model import Device
from streampoll.snmp.plan import CollectPlan

Known = Mapping[str, frozenset[str]]
"""Table -> its columns, over all profiles; "" -> scalars."""


def check_rules(
    report: Report,
    rules: RuleSet,
    jobs: Sequence[Job],
    devices: Sequence[Device],
    profiles: Mapping[str, PollPlan],
) -> None:
    """Check every rule against what is polled."""
    known, names = known_metrics(profiles.values()), [job.name for job in jobs]
    for rule in rules.rules:
        where = f"{FILE}: rules.{rule.name}"
        for job in rule.jobs:
            if job not in names:
                report.fault(f"{where}.jobs", f"no job '{job}'", nearest(job, names))
        for key, text, hint in rule.selector.strangers(devices):
            report.notice(f"{where}.select.{key}", f"no device has '{text}'", hint)
        _check_names(report, where, rule, known)


def known_metrics(profiles: Iterable[PollPlan]) -> dict[str, frozenset[str]]:
    """Return what SNMP profiles collect."""
    found: dict[str, set[str]] = {"": set()}
    for plan in profiles:
        if isinstance(plan, CollectPlan):
            found[""].update(metric.name for metric in plan.scalars)
            for table in plan.tables:
                columns = (*(part.metric for part in table.index), *table.columns)
                found.setdefault(table.name, set()).update(metric.name for metric in columns)
    return {table: frozenset(names) for table, names in found.items()}


def _check_names(report: Report, where: str, rule: Rule, known: Known) -> None:
    if rule.table and rule.table not in known:
        report.notice(f"{where}.table", f"no SNMP profile has a table '{rule.table}'", nearest(rule.table, known))
        return
    there = known[""] | DEVICE_NAMES.keys() | (known[rule.table] if rule.table else frozenset())
    for name in sorted({name for each in rule.expressions for _, name in each.names} - there):
        report.notice(where, f"no SNMP profile has '{name}'", nearest(name, there))
