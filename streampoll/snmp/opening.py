"""How a poll opens: with a GET of its scalars, or with one request for them and the first rows of its first table.

A GETBULK's non-repeaters (RFC 3416 4.2.3) answer what a GET would, if asked for the object before it: `sysUpTime` for
`sysUpTime.0`. So a poll of scalars and a table takes a request less. Its reply counts if it has each scalar's value
and whole rows, all in plain form. Any other counts as if nothing had been asked, whether the agent lacks a scalar,
refuses one or can't answer so much: a GET and a walk find out what it is, and that agent is polled so for a while.
"""

from dataclasses import dataclass
from typing import Final

from streampoll.errors import SnmpError
from streampoll.model import Status
from streampoll.snmp.ber import decode_arcs, encode_arcs
from streampoll.snmp.compiled import SYS_UPTIME, Chunk, CompiledPlan, CompiledTable, rows_that_fit
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.credential import has_bulk
from streampoll.snmp.engine import Failure, Limits, Reply
from streampoll.snmp.memory import UNLIMITED, Skipped
from streampoll.snmp.message import PduType, Request, Varbind, list_start
from streampoll.snmp.plain_rows import PlainRows, RowsForm
from streampoll.snmp.plain_values import PlainValues, ValuesForm

_FOR: Final = 100  # polls in which an agent is not asked for both at once
_INDEX_BYTES: Final = 2  # an estimate


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

    def read(self, data: bytes, start: int) -> PlainBoth | None:
        """Read the varbind list that starts at `start` and must end with the data; None if it is not plain."""
        try:
            found = self.values.match(data, list_start(data, start))
            if found is None:
                return None
            values, tags, at = found
            rows = self.rows.match(data, at, start)
        except (IndexError, ValueError, SnmpError):
            return None  # the complete decoder says what is wrong, if anything is
        return None if rows is None else PlainBoth(PlainValues(data, start, values, tags), rows)


@dataclass(slots=True, eq=False)
class Opening:
    """A poll's first request, which asks for all scalars."""

    request: Request
    chunk: Chunk[str]  # the scalars, as a GET asks for them
    both: BothForm | None = None  # where it asks for rows too
    _is_ready: bool = False

    def is_ready(self) -> bool:
        """Tell whether the form is compiled: without it no reply to both would be taken."""
        if not self._is_ready and self.both is not None:
            self._is_ready = self.both.values.is_ready and self.both.rows.is_ready
        return self._is_ready

    def parts(self, reply: Reply) -> tuple[PlainValues, PlainRows | None] | None:
        """Return the scalars, and the rows if any were asked, of a reply that brought it all; None for another."""
        plain = reply.plain
        if isinstance(plain, PlainValues):
            return plain, None
        return (plain.values, plain.rows) if isinstance(plain, PlainBoth) else None


class Openings:
    """How the polls of one plan open."""

    def __init__(self, plan: CompiledPlan) -> None:
        self.plan = plan
        self.skipped = Skipped(_FOR)  # agents that are not asked for both at once
        self._made: dict[tuple[int, int, int], tuple[Opening | None, Opening | None]] = {}

    def first(self, talk: Conversation) -> Opening | None:
        """Return what to ask first; None if the scalars, if there are any, take several requests."""
        limits, limit = talk.agent.limits, talk.limit
        key = (min(limit, limits.max_varbinds), limits.max_reply_bytes, limits.max_repetitions)
        try:
            made, both = self._made[key]
        except KeyError:
            made, both = self._made[key] = self._make(limits, limit)
        usual = both is not None and limit == UNLIMITED and both.is_ready() and has_bulk(talk.agent.credential)
        return both if usual and not self.skipped.skips(talk.agent.address) else made

    async def apart(self, talk: Conversation, result: Reply | Failure) -> Failure | None:
        """Say what a request for both was worth that did not bring it: this failure, as a GET's; None: try a GET.

        Silence may be that of an agent to which such a request is too much, so it is asked for one value then.
        """
        silent = isinstance(result, Failure) and result.status is Status.TIMEOUT
        if isinstance(result, Failure) and not silent and result.status is not Status.DECODE:
            return result
        self.skipped.skip(talk.agent.address)
        if isinstance(result, Failure) and silent and isinstance(await talk.knock(), Failure):
            return result
        return None

    def _make(self, limits: Limits, limit: int) -> tuple[Opening | None, Opening | None]:
        """Return the GET for all scalars, and the request for rows too; None for what there is not."""
        chunks = self.plan.chunks(limits, limit)
        if len(chunks) != 1:
            return None, None
        both = _for_both(chunks[0], self.plan.tables[0], limits) if self.plan.tables else None
        return Opening(chunks[0].request, chunks[0]), both


def _for_both(chunk: Chunk[str], table: CompiledTable, limits: Limits) -> Opening | None:
    """Make the request for scalars and rows; None if there is none, or if no row fits beside the scalars."""
    form, before = chunk.request.form, [_before(want.oid) for want in chunk.wants]
    if not isinstance(form, ValuesForm) or not table.sorts or table.sieve is not None:
        return None
    width = len(table.prefixes)
    left = limits.max_reply_bytes - sum(want.reply_bytes for want in chunk.wants)
    rows = rows_that_fit(table.cells_bytes + width * _INDEX_BYTES, left, least=0)
    rows = min(rows, limits.max_repetitions, table.spec.max_rows + 1)
    if rows < 1 or len(before) + 1 + width > limits.max_varbinds:
        return None
    both = BothForm(form, RowsForm(table.prefixes, table.sorts, 1))
    oids = (*before, SYS_UPTIME, *table.prefixes)
    request = Request(PduType.GETBULK, oids, non_repeaters=len(before) + 1, max_repetitions=rows, form=both)
    return Opening(request, chunk, both)


def _before(oid: bytes) -> bytes:
    """Return an OID behind which an instance is the next, in its object: `.4` before `.5`, no arc before `.0`.

    Something may be in between, an instance with a longer index: that is another OID in answer, and not taken.
    """
    start = len(oid) - 1
    while oid[start - 1] >= 0x80:  # an arc is as many bytes as go on, and the one behind them
        start -= 1
    [arc] = decode_arcs(oid[start:])
    return oid[:start] + (encode_arcs((arc - 1,)) if arc else b"")
