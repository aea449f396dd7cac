"""What one poll has brought, and how it is summed up: the status, and the reason where it isn't ok."""

from collections.abc import Iterable

import msgspec

from streampoll.model import Outcome, Status, Table, Value
from streampoll.snmp.compiled import CompiledTable
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.convert import NONEXISTENT, NOT_FOR_DEVICE
from streampoll.snmp.engine import Failure
from streampoll.snmp.join import Known
from streampoll.snmp.plain_values import PlainValues
from streampoll.snmp.plan import CollectPlan
from streampoll.snmp.scalars import narrow


class Harvest(msgspec.Struct, gc=False):
    """What a poll has brought so far."""

    values: dict[str, Value] = msgspec.field(default_factory=dict)
    tables: dict[str, Table] = msgspec.field(default_factory=dict)
    missing: dict[str, str] = msgspec.field(default_factory=dict)
    troubles: list[str] = msgspec.field(default_factory=list)  # why it is not complete
    answered: int = 0  # scalars with a value
    at: float = 0.0
    failure: Failure | None = None  # what ended it early
    counter32: tuple[str, ...] = ()
    half_wrap_s: float = 0.0
    _known: Known | None = None

    def open(self, keys: tuple[str, ...], plain: PlainValues, at: float) -> None:
        """Take the scalars of a first reply that has all of them."""
        self.values = dict(zip(keys, plain.values, strict=True))
        self.answered = len(keys)
        self.counter32 = narrow(keys, plain)
        self.at = at

    def miss(self, name: str, reason: str, holes: int = 0, rows: int = 0) -> None:
        """Note why a value is missing, and whether that is trouble; of a column, in how many of its rows."""
        if reason not in NONEXISTENT:
            self.troubles.append(f"{name}: {reason}")
        self.missing[name] = f"{reason} in {holes} of {rows} rows" if holes < rows else reason

    def add(self, compiled: CompiledTable, table: Table) -> None:
        """Take a table, and note how soon its counters wrap where they are of 32 bits."""
        self.tables[compiled.spec.name] = table
        if table.counter32 and compiled.octets is not None:
            half_s = compiled.octets.half_wrap_s(table)
            self.half_wrap_s = min(filter(None, (self.half_wrap_s, half_s)), default=0.0)

    def leave_out(self, names: Iterable[str]) -> None:
        """Note scalars and tables whose condition does not hold of this device."""
        for name in names:
            self.missing[name] = NOT_FOR_DEVICE

    def order_tables(self, names: Iterable[str]) -> None:
        """Put tables into the order of the profile, whatever the order they were walked in."""
        self.tables = {name: self.tables[name] for name in names if name in self.tables}

    @property
    def known(self) -> Known:
        """What this poll knows of columns; made when the first table looks something up."""
        if self._known is None:
            self._known = Known()
        return self._known

    @property
    def empty(self) -> bool:
        """True if not one value came."""
        return self.answered == 0 and not any(table.rows for table in self.tables.values())


def sum_up(talk: Conversation, harvest: Harvest, plan: CollectPlan) -> Outcome:
    """Sum a poll up."""
    status, error = _verdict(harvest, plan)
    replied = talk.first_reply > 0.0
    return Outcome(
        status,
        error,
        harvest.values if replied else {},
        harvest.tables if replied else {},
        harvest.missing if replied else {},
        harvest.at,
        talk.first_reply,
        talk.requests,
        talk.varbinds,
        plan.profile,
        harvest.counter32,
        harvest.half_wrap_s,
        asked=talk.agent.asked,
    )


def _verdict(harvest: Harvest, plan: CollectPlan) -> tuple[Status, str]:
    """Say how a poll ended, and why where it isn't ok."""
    failure = harvest.failure
    if failure is not None and harvest.empty:
        return failure.status, failure.reason
    if harvest.empty:
        return _nothing(harvest, plan)
    troubles = harvest.troubles
    if failure is not None and not any(failure.reason in trouble for trouble in troubles):
        troubles = [failure.reason, *troubles]
    if not troubles:
        return Status.OK, ""
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return Status.PARTIAL, troubles[0] + more


def _nothing(harvest: Harvest, plan: CollectPlan) -> tuple[Status, str]:
    """Say why there is not one value."""
    if harvest.troubles:
        return Status.REFUSED, harvest.troubles[0]
    if NOT_FOR_DEVICE in harvest.missing.values():
        return Status.CONFIG, f"nothing of profile {plan.profile!r} is for this device: its conditions do not hold"
    return Status.CONFIG, f"nothing of profile {plan.profile!r} exists on this device"
