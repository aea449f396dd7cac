"""Rules applied to samples: which events open, change and close, and who is told. Pure.

    sample -> how the device stands -> each rule's condition, row by row -> pending -> open -> cleared

What a rule holds on a row is an `Alert`. It is pending while its condition holds and `for` has not passed, then open.
One that is open while people are not to be told (maintenance, a parent that is down, flapping) is suppressed: stored,
told when that ends, and closed in silence if it never does. A sample that is late or repeated changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streampoll.analysis.expression import Cell, Column, Expression
from streampoll.analysis.port import Facts, Judgement, Sample
from streampoll.analysis.rule import DEVICE_NAMES, Rule, RuleSet, Window, any_open, filled
from streampoll.analysis.standing import DeviceState, Look, Standing, stand
from streampoll.analysis.view import Past, View
from streampoll.model import Change, Event, Severity, event_id, labels_of

_MOST_ALERTS: Final = 10_000  # of one device: no rule on a table of any size takes more than that of Redis
_MOST_KNOWN: Final = 100_000  # devices whose rules are remembered


@dataclass(slots=True)
class Alert:
    """What a rule holds on one row."""

    since: int  # the slot its condition holds since
    opened: int = 0  # 0: pending
    severity: int = 0
    suppressed: str = ""
    told: bool = False
    clear_since: int = 0  # the slot since which it would close; 0: it would not

    def packable(self) -> list[Any]:
        """Return it as plain data."""
        return [self.since, self.opened, self.severity, self.suppressed, self.told, self.clear_since]


class RuleJudge:
    """`Judge` by the rules of rules.toml. `windows` are those set by hand; they may be replaced at any time."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.windows: Sequence[Window] = ()
        self._of_device: dict[tuple[str, ...], tuple[Rule, ...]] = {}

    def use(self, rules: RuleSet) -> None:
        """Judge by other rules from now on."""
        self.rules = rules
        self._of_device.clear()

    def judge(self, sample: Sample, state: Mapping[str, Any]) -> Judgement:
        """Say what a sample means, given the state that the last one left."""
        kept = _Kept.unpack(state)
        before = kept.device
        if sample.slot <= kept.slots.get(sample.job, 0):
            return Judgement(dict(state), before.standing.value, before.above)
        kept.slots[sample.job] = sample.slot
        look = Look(sample.job, sample.slot, sample.interval_s, sample.outcome.status, sample.lag_s, sample.parent)
        kept.device = stand(before, look, self.rules.state)
        turn = _Turn(sample, kept, self._why_quiet(sample, kept.device))
        rules = self._rules_for(sample.facts)
        for rule in rules:
            turn.apply(rule)
        turn.end_of_others(rules)
        return Judgement(
            kept.packable(), kept.device.standing.value, kept.device.above, turn.changes, turn.notify, turn.runs
        )

    def _rules_for(self, facts: Facts) -> tuple[Rule, ...]:
        key = (facts.name, facts.address, facts.site, facts.role, facts.vendor, *facts.groups, "", *facts.tags)
        found = self._of_device.get(key)
        if found is None:
            if len(self._of_device) >= _MOST_KNOWN:
                self._of_device.clear()
            found = tuple(rule for rule in self.rules.rules if rule.selector.matches(facts))  # type: ignore[arg-type]
            self._of_device[key] = found
        return found

    def _why_quiet(self, sample: Sample, device: DeviceState) -> str:
        """Say why nobody is told of this device now; "": they are."""
        if any_open(self.rules.windows, sample.facts, sample.slot) or any_open(self.windows, sample.facts, sample.slot):
            return "maintenance"
        fails = sample.parent is not None and sample.parent.failing
        if device.standing is Standing.UNREACHABLE or (fails and device.standing is not Standing.UP):
            return "parent"
        return "flapping" if device.flapping else ""


@dataclass(slots=True)
class _Kept:
    """A device's state, taken apart."""

    device: DeviceState
    slots: dict[str, int]  # job -> the last slot judged
    alerts: dict[str, dict[str, Alert]]  # rule -> row -> alert
    past: Past
    seen: dict[str, str]  # rule -> the job whose polls bring what it looks at

    @classmethod
    def unpack(cls, state: Mapping[str, Any]) -> "_Kept":
        alerts = {
            rule: {row: Alert(*alert) for row, alert in rows.items()} for rule, rows in state.get("alerts", {}).items()
        }
        return cls(
            DeviceState.unpack(state.get("device")), dict(state.get("slots", {})), alerts,
            dict(state.get("past", {})), dict(state.get("seen", {})),
        )  # fmt: skip

    def packable(self) -> dict[str, Any]:
        alerts = {
            rule: {row: alert.packable() for row, alert in rows.items()} for rule, rows in self.alerts.items() if rows
        }
        return {
            "device": self.device.packable(), "slots": self.slots, "alerts": alerts, "past": self.past,
            "seen": self.seen,
        }  # fmt: skip


class _Turn:
    """One sample on its way through the rules."""

    def __init__(self, sample: Sample, kept: _Kept, quiet: str) -> None:
        self._sample = sample
        self._kept = kept
        self._quiet = quiet
        self._views: dict[str, View] = {}
        self._given: dict[str, Cell] = {
            "state": kept.device.standing.value,
            "status": sample.outcome.status.word,
            "duration_ms": sample.duration_ms,
        }
        self.changes: list[Event] = []
        self.notify: list[Event] = []
        self.runs: list[Event] = []

    def apply(self, rule: Rule) -> None:
        """Apply a rule, if this poll has to do with it."""
        if (rule.jobs and self._sample.job not in rule.jobs) or not self._concerns(rule):
            return
        view = self._view(rule.table)
        held = rule.when.evaluate(view.fetch, len(view.rows))
        alerts = self._kept.alerts.get(rule.name)
        if not alerts and True not in held:  # which is how nearly every rule ends, nearly always
            return
        alerts = self._kept.alerts.setdefault(rule.name, {})
        rows = _Rows(rule, view, alerts)
        for place, row in enumerate(view.rows):
            if row in alerts or held[place] is True:
                self._step(rows, place, row, held[place])
        if rule.table and self._sample.outcome.tables[rule.table].complete:
            self._close_gone(rule, alerts, view.rows)
        if not alerts:
            del self._kept.alerts[rule.name]

    def end_of_others(self, rules: Iterable[Rule]) -> None:
        """Close what rules hold that are not for this device any more, or are gone."""
        theirs = {rule.name for rule in rules}
        for name in [name for name in self._kept.alerts if name not in theirs]:
            for row, alert in self._kept.alerts.pop(name).items():
                if alert.opened:
                    text = f"{name}: the rule is gone, or not for this device"
                    self._emit(_Said(name, row, alert, Change.CLOSED, text))

    def _concerns(self, rule: Rule) -> bool:
        """Tell whether this poll brings what the rule looks at; once it did, its absence says something too."""
        if rule.table:
            return rule.table in self._sample.outcome.tables
        names = {name for each in rule.expressions for _, name in each.names} - DEVICE_NAMES.keys()
        if not names:
            return True
        if not names.isdisjoint(self._sample.outcome.values):
            self._kept.seen[rule.name] = self._sample.job
            return True
        return self._kept.seen.get(rule.name) == self._sample.job

    def _view(self, table: str) -> View:
        view = self._views.get(table)
        if view is None:
            view = self._views[table] = View(self._sample, table, self._given, self._kept.past)
        return view

    def _step(self, rows: "_Rows", place: int, row: str, holds: Cell) -> None:
        """Take one row a step on: pending, open, changed, closed."""
        rule, slot = rows.rule, self._sample.slot
        alert = rows.alerts.get(row)
        if alert is None:
            if len(rows.alerts) >= _MOST_ALERTS:
                return
            alert = rows.alerts[row] = Alert(slot)
        if not alert.opened:
            self._pending(rows, place, row, holds, alert)
        elif rows.clears(place, holds):
            alert.clear_since = alert.clear_since or slot
            if slot - alert.clear_since >= rule.clear_for_s:
                del rows.alerts[row]
                self._emit(_Said(rule, row, alert, Change.CLOSED, *rows.said(self._places(row), place)))
        else:
            if holds is True:
                alert.clear_since = 0
            self._update(rows, place, row, alert)

    def _pending(self, rows: "_Rows", place: int, row: str, holds: Cell, alert: Alert) -> None:
        rule, slot = rows.rule, self._sample.slot
        if holds is False:
            del rows.alerts[row]
        elif holds is True and slot - alert.since >= rule.for_s:
            alert.opened, alert.severity, alert.suppressed = slot, rows.severity(place), self._quiet
            self._emit(_Said(rule, row, alert, Change.OPENED, *rows.said(self._places(row), place)))

    def _update(self, rows: "_Rows", place: int, row: str, alert: Alert) -> None:
        """Note another severity, or that people are to be told from now on."""
        severity = rows.severity(place)
        if severity == alert.severity and self._quiet == alert.suppressed:
            return
        worse = severity > alert.severity
        alert.severity, alert.suppressed = severity, self._quiet
        said = rows.said(self._places(row), place)
        self._emit(_Said(rows.rule, row, alert, Change.UPDATED, *said), tell=worse)

    def _close_gone(self, rule: Rule, alerts: dict[str, Alert], rows: Sequence[str]) -> None:
        """Close what was open on rows that the device has no more."""
        there = set(rows)
        for row in [row for row in alerts if row not in there]:
            alert = alerts.pop(row)
            if alert.opened:
                self._emit(_Said(rule, row, alert, Change.CLOSED, f"{rule.name}: {row} is gone"))

    def _places(self, row: str) -> dict[str, Any]:
        facts = self._sample.facts
        return {
            "device": facts.name, "row": row, "site": facts.site, "role": facts.role, "vendor": facts.vendor,
            "address": facts.address, "state": self._given["state"], "error": self._sample.outcome.error,
        }  # fmt: skip

    def _emit(self, said: "_Said", tell: bool = True) -> None:
        """Make an event of what became of an alert; decide who hears of it."""
        alert, device = said.alert, self._sample.facts.name
        name, run = (said.rule.name, said.rule.run) if isinstance(said.rule, Rule) else (said.rule, "")
        own = said.rule.labels if isinstance(said.rule, Rule) else {}
        labels = {**labels_of(self._sample.facts), **own}
        event = Event(
            event_id(name, device, said.row, alert.opened), name, device, said.row, Severity(alert.severity), labels,
            alert.opened, self._sample.slot, said.change, said.value, said.text, run, alert.suppressed,
        )  # fmt: skip
        self.changes.append(event)
        first = not alert.told and not alert.suppressed
        if said.change is Change.CLOSED:
            if alert.told:
                self.notify.append(event)
        elif not alert.suppressed and (tell or first):
            alert.told = True
            self.notify.append(event)
            if run and first:
                self.runs.append(event)


@dataclass(slots=True)
class _Said:
    """What became of an alert, on its way to an event."""

    rule: Rule | str  # a name: the rule is gone
    row: str
    alert: Alert
    change: Change
    text: str
    value: float | None = None


class _Rows:
    """A rule's other expressions on a view, evaluated when the first row needs them."""

    def __init__(self, rule: Rule, view: View, alerts: dict[str, Alert]) -> None:
        self.rule = rule
        self.alerts = alerts
        self._view = view
        self._columns: dict[int, Column] = {}

    def _column(self, expression: Expression) -> Column:
        column = self._columns.get(id(expression))
        if column is None:
            column = self._columns[id(expression)] = expression.evaluate(self._view.fetch, len(self._view.rows))
        return column

    def clears(self, place: int, holds: Cell) -> bool:
        """Tell whether an open alert's row is well again."""
        clear = self.rule.clear
        return holds is False if clear is None else self._column(clear)[place] is True

    def severity(self, place: int) -> int:
        """Return how bad a row is."""
        critical = self.rule.critical
        if critical is not None and self._column(critical)[place] is True:
            return Severity.CRITICAL
        return self.rule.severity

    def said(self, places: dict[str, Any], place: int) -> tuple[str, float | None]:
        """Return the text of an event on a row, and the value it shows."""
        if self.rule.value is not None:
            value = self._column(self.rule.value)[place]
        else:
            names = self.rule.when.names
            value = self._view.fetch(*names[0])[place] if names else None
        text = filled(self.rule.text, {**places, "rule": self.rule.name, "value": value})
        return text, float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
