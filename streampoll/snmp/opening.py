"""How a poll opens: with a GET of its scalars, or with one request for them and the first rows of its first table.

A GETBULK's non-repeaters (RFC 3416 4.2.3) answer what a GET would, if asked for the OID before it: `sysUpTime` for
`sysUpTime.0`. So a poll of scalars and a table takes a request less. Its reply counts if it has each scalar's value and
whole rows, all in plain form. Any other, and silence, count as if nothing had been asked: a GET and a walk find out
what it is, and that agent is polled so for a while. So is a whole plan that loses more requests than it saves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streampoll.errors import SnmpError
from streampoll.model import Status
from streampoll.snmp.ber import END_OF_MIB_VIEW, decode_arcs, encode_arcs
from streampoll.snmp.block import is_block
from streampoll.snmp.compiled import SYS_UPTIME, Chunk, CompiledPlan, CompiledTable, rows_that_fit
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.credential import has_bulk
from streampoll.snmp.engine import Failure, Limits, Reply
from streampoll.snmp.memory import UNLIMITED, Memory
from streampoll.snmp.message import PduType, Request, Varbind, list_start
from streampoll.snmp.plain_forms import FORMS
from streampoll.snmp.plain_rows import PlainRows, RowsForm
from streampoll.snmp.plain_values import PlainValues, ValuesForm
from streampoll.snmp.plan import CollectPlan, Oid
from streampoll.snmp.reports import Report

_INDEX_BYTES: Final = 2  # an estimate
_ASKINGS: Final = 2  # time-outs that a poll must have time for: that of this request, and a GET's after it
_CREDIT: Final = 50  # requests that a plan may lose before it opens with a GET again
_CLOSED: Final = 5_000  # polls for which it does then
_UNCERTAIN: Final = frozenset({Status.TIMEOUT, Status.DECODE, Status.AUTH})  # too much for the agent, or lost


@dataclass(slots=True, eq=False)
class PlainBoth:
    """Values and rows of one reply, each of which knows all of it."""

    values: PlainValues
    rows: PlainRows

    @property
    def count(self) -> int:
        """How many varbinds the reply holds."""
        return self.values.count + self.rows.count

    def varbinds(self) -> list[Varbind]:
        """Return all that the reply holds, as any other's."""
        return self.rows.varbinds()


@dataclass(frozen=True, slots=True)
class BothForm:
    """The form of a reply with values and rows."""

    values: ValuesForm
    rows: RowsForm
    repetitions: int  # rows that were asked for

    @property
    def is_compiled(self) -> bool:
        """Tell whether a reply can be read by it."""
        return self.values.is_compiled and self.rows.is_compiled

    def read(self, data: bytes, start: int) -> PlainBoth | None:
        """Read the varbind list that starts at `start` and must end with the data; None if it is not plain."""
        try:
            found = self.values.match(data, list_start(data, start))
            if found is None:
                return None
            values, tags, at = found
            rows = self.rows.match(data, at, start)
            if rows is None or not is_block(rows, b"") or (rows.rest and not self._is_end(rows)):
                return None
        except (IndexError, ValueError, SnmpError):
            return None  # the complete decoder says what is wrong, if anything is
        return PlainBoth(PlainValues(data, start, values, tags), rows)

    def _is_end(self, rows: PlainRows) -> bool:
        """Tell whether what is behind the rows shows that the table ends there.

        It does if as much came as was asked, each OID the next behind its column and none of a further row. From an
        agent that knows of one non-repeater only, as walks need, come the scalars' successors between the rows.
        """
        width, rest, last = len(rows.prefixes), rows.rest, rows.indexes[-1]
        if len(rows.indexes) * width + len(rest) != self.repetitions * width:
            return False
        ends = [decode_arcs(prefix + last) for prefix in rows.prefixes]
        held = [decode_arcs(oid) for oid in self.values.oids]
        return all(_is_next(varbind, end, held) for varbind, end in zip(rest, ends, strict=False)) and not any(
            oid.startswith(prefix) and decode_arcs(oid) > end
            for oid, _, _ in rest
            for prefix, end in zip(rows.prefixes, ends, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """A poll's first request, which asks for all scalars."""

    request: Request
    chunk: Chunk[str]  # the scalars, as a GET asks for them
    form: BothForm | None = None  # where it asks for rows too

    def parts(self, reply: Reply) -> tuple[PlainValues, PlainRows | None] | None:
        """Return the scalars, and the rows if any were asked, of a reply that brought it all; None for another."""
        plain = reply.plain
        if isinstance(plain, PlainValues):
            return plain, None
        return (plain.values, plain.rows) if isinstance(plain, PlainBoth) else None


class Openings:
    """How the polls of one plan open."""

    def __init__(self, plan: CompiledPlan, memory: Memory) -> None:
        self.plan = plan
        self._profile = plan.plan.profile
        self._memory = memory
        self._made: dict[tuple[int, int, int], tuple[Opening | None, Opening | None]] = {}
        self._is_compiled = False  # the form of its reply
        self._looked_at = -1  # how many forms the process had when it was found that it is not
        self._credit = _CREDIT
        self._closed = 0  # polls still to open with a GET

    def first(self, talk: Conversation) -> Opening | None:
        """Return what to ask first; None if the scalars, if there are any, take several requests."""
        limits, limit = talk.agent.limits, talk.limit
        key = (min(limit, limits.max_varbinds), limits.max_reply_bytes, limits.max_repetitions)
        try:
            get, both = self._made[key]
        except KeyError:
            get, both = self._made[key] = _openings(self.plan, limits, limit)
        return both if both is not None and limit == UNLIMITED and self._opens(both, talk) else get

    def met(self) -> None:
        """Take note that scalars and rows came at once."""
        if self._credit < _CREDIT:
            self._credit += 1

    def is_final(self, talk: Conversation, result: Reply | Failure) -> bool:
        """Tell whether a GET would end as a request for both did, which did not bring it.

        An agent's own report is certain, and so is what the network says. Silence, or something that can't be read or
        is not the agent's, would have been followed by another sending, had it been a GET.
        """
        if isinstance(result, Reply):
            return False
        certain = isinstance(result, Report) or result.status not in _UNCERTAIN
        return certain or not result.sent or not talk.has_time(0.0)

    def missed(self, talk: Conversation, *, is_heard: bool) -> None:
        """Take note that an agent did not bring scalars and rows at once, though it was heard, or was not."""
        self._memory.apart.skip((self._profile, talk.agent.address))
        if is_heard:  # else it is no matter of the plan
            self._credit -= 1
            if self._credit <= 0:
                self._closed, self._credit = _CLOSED, _CREDIT

    def _opens(self, both: Opening, talk: Conversation) -> bool:
        """Tell whether scalars and rows are to be asked at once."""
        if self._closed:
            self._closed -= 1
            return False
        if not self._is_compiled and not self._look(both):
            return False
        agent = talk.agent
        return (
            has_bulk(agent.credential)
            and not self._memory.back_off.failures(agent.address)
            and not self._memory.apart.skips((self._profile, agent.address))
            and talk.has_time(_ASKINGS * agent.limits.timeout_s)
            and talk.is_acquainted
        )

    def _look(self, both: Opening) -> bool:
        """Look whether the form is compiled, without which no reply would be taken, if any was since the last look."""
        if self._looked_at != FORMS.compiled:
            self._looked_at = FORMS.compiled
            self._is_compiled = both.form is not None and both.form.is_compiled
        return self._is_compiled


def asks_at_once(plan: CollectPlan) -> bool:
    """Tell whether a plan's scalars are asked together with rows, of agents that answer as most do."""
    _, both = _openings(CompiledPlan(plan), Limits(), UNLIMITED)
    return both is not None


def _openings(plan: CompiledPlan, limits: Limits, limit: int) -> tuple[Opening | None, Opening | None]:
    """Return the GET for all scalars, and the request for rows too; None for what there is not."""
    chunks = plan.chunks(limits, limit)
    if len(chunks) != 1:
        return None, None
    [get] = chunks
    return Opening(get.request, get), _for_both(get, plan.tables[0], limits) if plan.tables else None


def _for_both(chunk: Chunk[str], table: CompiledTable, limits: Limits) -> Opening | None:
    """Make the request for scalars and rows; None if there is none, or if no row fits beside the scalars."""
    form, before = chunk.request.form, [_before(want.oid) for want in chunk.wants]
    if not isinstance(form, ValuesForm) or not all(before) or not table.sorts or table.sieve is not None:
        return None
    width = len(table.prefixes)
    left = limits.max_reply_bytes - sum(want.reply_bytes for want in chunk.wants)
    rows = rows_that_fit(table.cells_bytes + width * _INDEX_BYTES, left, least=0)
    rows = min(rows, limits.max_repetitions, table.spec.max_rows + 1)
    if rows < 1 or len(before) + 1 + width > limits.max_varbinds:
        return None
    both = BothForm(form, RowsForm(table.prefixes, table.sorts, 1), rows)
    oids = (*before, SYS_UPTIME, *table.prefixes)
    request = Request(
        PduType.GETBULK, oids, non_repeaters=len(before) + 1, max_repetitions=rows, form=both, once=True
    )  # fmt: skip
    return Opening(request, chunk, both)


def _before(oid: bytes) -> bytes:
    """Return an OID behind which an instance is the next, in its object: `.4` before `.5`, no arc before `.0`.

    Something may be in between, an instance with a longer index: that is another OID in answer, and not taken.
    """
    start = len(oid) - 1
    while start and oid[start - 1] >= 0x80:  # an arc is as many bytes as go on, and the one behind them
        start -= 1
    [arc] = decode_arcs(oid[start:])
    return oid[:start] + (encode_arcs((arc - 1,)) if arc else b"")


def _is_next(varbind: Varbind, end: Oid, held: Sequence[Oid]) -> bool:
    """Tell whether a varbind can be the next behind a column's end: nothing that the agent holds is known nearer."""
    oid, tag, _ = varbind
    if tag == END_OF_MIB_VIEW:
        return max(held) <= end
    arcs = decode_arcs(oid)
    return arcs > end and not any(end < each < arcs for each in held)
