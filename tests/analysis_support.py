"""What tests of rules are made of: a device, its polls, and a judge that goes through them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgpack

from streampoll.analysis.judge import RuleJudge
from streampoll.analysis.port import Judgement, Sample, TableRates
from streampoll.analysis.rule import RuleSet
from streampoll.config.report import Report
from streampoll.config.rules import read_rules
from streampoll.model import ColumnRows, Device, Outcome, Status, Table, Value

START = 1_700_000_040  # a slot
DEVICE = Device("core-1", "10.0.0.1", site="zurich", role="core", groups=("backbone",), parent="edge-1")


def rules_of(text: str, where: Path) -> RuleSet:
    """Read rules as a user writes them; any fault is an error."""
    path = where / "rules.toml"
    path.write_text(text)
    report = Report()
    rules = read_rules(path, "rules.toml", report)
    report.refuse()
    return rules


def interfaces(status: Sequence[Value], names: Sequence[str] = (), complete: bool = True) -> Table:
    """Return an interface table with these states, up being 1."""
    keys = names or [f"eth{n}" for n in range(len(status))]
    rows = ColumnRows([[str(n + 1) for n in range(len(status))], list(keys), list(status)])
    return Table(("ifName", "ifOperStatus"), rows, (), complete, "ifName")


@dataclass
class Story:
    """One device, poll after poll."""

    judge: RuleJudge
    slot: int = START
    every_s: int = 60
    state: Any = None
    facts: Device = DEVICE

    def poll(
        self,
        status: Status = Status.OK,
        values: Mapping[str, Value] | None = None,
        table: Table | None = None,
        job: str = "j",
        **more: Any,
    ) -> Judgement:
        """Let a poll come in; the state goes through msgpack, as it does in Redis."""
        tables = {} if table is None else {"interfaces": table}
        outcome = Outcome(status, "" if status is Status.OK else "no answer", values or {}, tables)
        rates = more.pop("tables", {})
        sample = Sample(self.facts, job, self.slot, self.every_s, outcome, 12, rates, **more)
        found = self.judge.judge(sample, self.state or {})
        self.state = msgpack.unpackb(msgpack.packb(found.state))
        self.slot += self.every_s
        return found

    def silence(self, polls: int = 1, **more: Any) -> Judgement:
        """Let polls go without an answer; return what the last one led to."""
        for _ in range(polls):
            found = self.poll(Status.TIMEOUT, **more)
        return found


def story(text: str, where: Path, **changes: Any) -> Story:
    """Begin a story under some rules."""
    return replace(Story(RuleJudge(rules_of(text, where))), **changes)


def rated(rows: Sequence[str], **per_s: Sequence[float | None]) -> Mapping[str, TableRates]:
    """Return rates of the interface table."""
    return {"interfaces": TableRates(rows, per_s, per_s)}


def told(found: Judgement) -> list[tuple[str, str, str]]:
    """Return who is told of what: (rule, row, change)."""
    return [(each.rule, each.row, each.change.value) for each in found.notify]
