"""Walking a table: several columns at once, row by row, until its end.

The state of a walk is one index, the *frontier*: all rows up to it are complete, and the next request goes on from it
in all columns. A reply gives each column some cells; the new frontier is the lowest of the columns' last indexes, and
cells beyond it are dropped and asked again. So a reply that is cut short (RFC 3416 4.2.3), a column with holes, and
columns of different lengths are one case, and all cells of a row come from one reply, with its time and sysUpTime. A
reply that is nothing but whole rows, as most are, is taken as such (`block`), and stays column by column: rows are made
of it only for those who need rows.

No more rows are asked for than the table has had, and one more for its end: what follows a table may be large, or slow
to come by, and is thrown away. One that has grown is walked on as if nothing had been known. (The rows that are asked
for with a poll's scalars, by `opening`, are as many as fit.)

A column ends when an OID leaves its prefix, at endOfMibView, or by v1's noSuchName. An OID that does not increase ends
the walk as an error.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from streampoll.errors import SnmpError
from streampoll.model import Rows, TableTime, Value
from streampoll.snmp.ber import COUNTER32, decode_arcs
from streampoll.snmp.block import Block, is_block, read_block
from streampoll.snmp.compiled import SYS_UPTIME, SYS_UPTIME_0, CompiledTable, Want, cells_bytes, rows_that_fit
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.convert import are_counts
from streampoll.snmp.credential import has_bulk
from streampoll.snmp.engine import Failure, Reply
from streampoll.snmp.lane import Lane
from streampoll.snmp.message import ErrorStatus, PduType, Request, Varbind
from streampoll.snmp.plain_cells import Sort
from streampoll.snmp.plain_rows import PlainRows, RowsForm
from streampoll.snmp.scalars import get_wants


class Walk:
    """One walk of one table: `run` it, then read what it found."""

    def __init__(self, talk: Conversation, table: CompiledTable) -> None:
        self._talk = talk
        self._table = table
        self._bulk = has_bulk(talk.agent.credential)
        self._has_uptime = True
        self._frontier = b""
        self._ended = False  # the table has no row beyond the frontier
        self._before = talk.rows_before(table.prefixes[0])  # rows that it has had
        self._lanes: list[Lane] = []  # none are made for a walk that is nothing but plain rows, as most are
        self._narrow: set[int] = set()  # places of columns that came as Counter32, as long as there are no lanes
        self.count = 0  # rows
        self._rows: dict[bytes, list[Value]] = {}
        self._block: tuple[list[bytes], list[list[Value]]] | None = None  # rows behind those: indexes and columns
        self.times: list[TableTime] = []
        self.stopped = ""  # why it ended before the table did; "": it did not
        self.failure: Failure | None = None  # the failure that stopped it
        self.seen: int | None = None  # rows of which a filter has kept these; None: these are all

    @property
    def is_plain(self) -> bool:
        """True if all that came are plain rows: there is not one hole in it, and nothing to say of a column."""
        return not self._lanes

    @property
    def lanes(self) -> list[Lane]:
        """The columns, one by one."""
        if not self._lanes:
            self._lanes = [Lane(column, place) for place, column in enumerate(self._table.columns)]
            for lane in self._lanes:
                lane.is32 = lane.place in self._narrow
        return self._lanes

    @property
    def rows(self) -> dict[bytes, list[Value]]:
        """The rows, by index, in the table's order; cells may be changed in them."""
        if self._block is not None:
            indexes, columns = self._block
            self._rows.update(zip(indexes, map(list, zip(*columns, strict=True)), strict=True))
            self._block = None
        return self._rows

    @rows.setter
    def rows(self, rows: dict[bytes, list[Value]]) -> None:
        self._rows, self._block, self.count = rows, None, len(rows)

    def column(self, place: int) -> tuple[Sequence[bytes], Sequence[Value]]:
        """Return the rows' indexes, and the values of one column."""
        indexes, columns = self.columns()
        return indexes, columns[place]

    def columns(self) -> tuple[Sequence[bytes], Sequence[Sequence[Value]]]:
        """Return the rows' indexes, and the values of each column."""
        if not self._rows and self._block is not None:
            return self._block
        rows = self.rows
        return [*rows], [*zip(*rows.values(), strict=True)] or [()] * len(self._table.columns)

    def take(self, rows: PlainRows, at: float) -> None:
        """Take rows that are a block, and go on behind them; before the walk, those from the table's beginning."""
        if COUNTER32 in rows.tags:
            narrow = [place for place, tag in enumerate(rows.tags) if tag == COUNTER32]
            self._narrow.update(narrow)
            for lane in self._lanes:
                lane.is32 = lane.is32 or lane.place in narrow
        self._append(rows.indexes, rows.columns, bool(rows.rest), at, _uptime(rows.before))

    async def run(self) -> None:
        """Walk until the table's end, its row cap, an error or the deadline."""
        try:
            while not self.stopped and not self._ended:
                request = None if self._lanes else self._plain_request()
                if request is None:
                    await self._step()
                    continue
                result = self._talk.note(await self._talk.send(request))
                if isinstance(result, Failure) or not self._take_plain(result):
                    self._take_whole(request, result)
        except SnmpError as error:
            self.stopped = f"decode: {error}"
        if self._ended and not self.stopped:
            self._talk.note_rows(self._table.prefixes[0], self.count)

    def _plain_request(self) -> Request | None:
        """Return the request for plain rows that goes on in all columns; None if these are not to be expected."""
        table, uptime = self._table, self._asks_uptime()
        width = len(table.prefixes)
        if not table.sorts or not self._bulk or width + uptime > self._talk.limit:
            return None
        rows = self._rows_to_ask(table.cells_bytes, width, uptime)
        return _request_rows(table.prefixes, table.sorts, self._frontier, uptime, rows)

    def _take_plain(self, reply: Reply) -> bool:
        """Take a reply of plain rows; False if it is another."""
        rows = reply.plain
        if not isinstance(rows, PlainRows) or not is_block(rows, self._frontier):
            return False
        self.take(rows, reply.at)
        return True

    def _take_whole(self, request: Request, result: Reply | Failure) -> None:
        """Take what came of a request for all columns."""
        lanes = self.lanes
        if self._accept(lanes, request, result):
            assert isinstance(result, Reply)
            self._commit(lanes, result.at, _uptime(result.varbinds))

    async def _step(self) -> None:
        """Ask once for all columns that are not done (in several requests where they don't fit into one)."""
        lanes = [lane for lane in self.lanes if not lane.done]
        if not lanes:
            self._ended = True
            return
        groups = self._groups(lanes)
        if len(groups[0]) < len(self.lanes):  # else it may be a block, which needs no cells
            _reset(lanes)
        uptime = None
        at = 0.0
        for group in groups:
            request = self._request(group)
            result = self._talk.note(await self._talk.send(request))
            if not self._accept(group, request, result):
                return
            assert isinstance(result, Reply)
            uptime, at = uptime or _uptime(result.varbinds), at or result.at
        self._commit(lanes, at, uptime)

    def _accept(self, group: Sequence[Lane], request: Request, result: Reply | Failure) -> bool:
        """Take what came of a request; False if there is nothing to commit: it is kept already, or can't be used."""
        if isinstance(result, Failure) or result.error_status:
            self._refused(group, request, result)
            return False
        if len(group) == len(self.lanes):
            if self._take_plain(result) or self._take_block(request, result):
                return False
            _reset(group)
        return self._deal(group, request, result.varbinds)

    def _take_block(self, request: Request, reply: Reply) -> bool:
        """Take a reply as whole rows; False if it has other than those."""
        lanes = self.lanes
        cells = reply.varbinds[len(request.oids) - len(lanes) :]
        block = read_block(cells, tuple([lane.prefix for lane in lanes]), self._frontier)
        if block is None:
            return False
        columns = self._block_columns(block)
        self._append(block.indexes, columns, block.ended, reply.at, _uptime(reply.varbinds))
        return True

    def _append(
        self, indexes: Sequence[bytes], columns: list[list[Value]], ended: bool, at: float, uptime: int | None
    ) -> None:
        """Keep whole rows, up to the table's cap, and go on behind them unless the table has ended."""
        self._frontier = indexes[-1]
        self._ended = ended
        if (room := self._room(len(indexes))) < len(indexes):
            indexes, columns = indexes[:room], [column[:room] for column in columns]
        if not indexes:
            return
        if self._block is None:
            self._block = [*indexes], columns
        else:
            self._block[0].extend(indexes)
            for column, more in zip(self._block[1], columns, strict=True):
                column += more
        self._note(len(indexes), at, uptime)

    def _block_columns(self, block: Block) -> list[list[Value]]:
        lanes, tags, wires = self.lanes, block.tags, block.wires
        width = len(lanes)
        if self._table.integers and are_counts(wires):
            for lane, tag in zip(lanes, tags, strict=False):
                lane.is32 = lane.is32 or tag == COUNTER32
            return [[*wires[at::width]] for at in range(width)]  # type: ignore[list-item]  # no Absent among them
        return [lane.convert(tags[at::width], wires[at::width]) for at, lane in enumerate(lanes)]

    def rows32(self) -> dict[str, Rows]:
        """Return which rows have each counter from a Counter32."""
        if self.is_plain:
            columns = self._table.columns
            return {columns[place].metric.name: range(self.count) for place in sorted(self._narrow)}
        found: dict[str, Rows] = {}
        for lane in self.lanes:
            if lane.is32:
                found[lane.column.metric.name] = range(self.count)
            elif lane.rows32:
                places = (place for place, index in enumerate(self.rows) if index in lane.rows32)
                found[lane.column.metric.name] = tuple(places)
        return found

    def _asks_uptime(self) -> bool:
        return self._has_uptime and self._talk.limit > 1

    def _groups(self, lanes: Sequence[Lane]) -> list[Sequence[Lane]]:
        """Share out the columns to requests that the agent can answer with at least one row."""
        most = max(1, self._talk.limit - self._asks_uptime())
        return [lanes[at : at + most] for at in range(0, len(lanes), most)]

    def _request(self, group: Sequence[Lane]) -> Request:
        """Encode the request that goes on from the frontier in these columns."""
        frontier = self._frontier
        uptime = (SYS_UPTIME,) if self._asks_uptime() else ()
        oids = (*uptime, *(lane.prefix + frontier for lane in group))
        if not self._bulk:
            return _request(PduType.GETNEXT, oids, 0, 0)
        width = len(group)
        whole = width == len(self.lanes)
        cells = self._table.cells_bytes if whole else cells_bytes(lane.column for lane in group)
        rows = self._rows_to_ask(cells, width, len(uptime))
        prefixes = tuple([lane.prefix for lane in group]) if whole and self._table.sorts else ()
        return _request(PduType.GETBULK, oids, len(uptime), rows, prefixes, self._table.sorts)

    def _rows_to_ask(self, cells: int, width: int, uptime: int) -> int:
        """Return how many rows to ask for, of so many columns that take so many bytes without their indexes."""
        limits = self._talk.agent.limits
        most = limits.max_repetitions
        if self._before is not None and self._before >= self.count:
            most = min(most, self._before - self.count + 1)
        return min(
            most,
            rows_that_fit(cells + width * (len(self._frontier) or 2), limits.max_reply_bytes),
            max(1, (self._talk.limit - uptime) // width),
            self._table.spec.max_rows - self.count + 1,
        )

    def _deal(self, group: Sequence[Lane], request: Request, varbinds: Sequence[Varbind]) -> bool:
        """Deal a reply's varbinds to their columns; False if the step can't be used."""
        width = len(group)
        cells = varbinds[len(request.oids) - width :]
        for position, lane in enumerate(group):
            if not lane.take(cells[position::width], self._frontier, group[0].indexes):
                self.stopped = "OIDs that do not increase"
                return False
        if all(lane.cells or lane.ended for lane in group):
            return True
        if not self._talk.isolate(len(request.oids)):  # less than one row came: ask for fewer columns at once
            self.stopped = "an empty reply"
        return False

    def _refused(self, group: Sequence[Lane], request: Request, result: Reply | Failure) -> None:
        """Decide how to go on after a request that brought no rows."""
        if self._talk.too_large(request.expected, result):
            return
        if isinstance(result, Failure):
            self.failure = result
            self.stopped = result.reason
            return
        name = ErrorStatus.name_of(result.error_status)
        position = result.error_index - 1 - (len(request.oids) - len(group))
        if result.error_index == 1 and position == -1:
            self._has_uptime = False
        elif 0 <= position < len(group):
            group[position].end(name)
        elif len(group) == 1 and result.error_status == ErrorStatus.noSuchName:
            group[0].end(name)
        elif not self._talk.isolate(request.expected):
            self.stopped = name

    def _commit(self, lanes: Sequence[Lane], at: float, uptime: int | None) -> None:
        """Keep the step's complete rows and move the frontier."""
        swapped = [] if self._frontier else [lane for lane in lanes if lane.ended and not lane.cells and lane.swap()]
        if swapped:
            return
        rows = self._rows_of(lanes)
        ends = {lane.indexes[-1] for lane in lanes if not lane.ended}
        if ends:
            self._frontier = min(ends, key=decode_arcs)
        if any(lane.indexes != lanes[0].indexes for lane in lanes):
            rows = _ordered(rows, self._frontier if ends else None)
        for lane in lanes:
            lane.done = lane.ended and (not ends or not lane.indexes or lane.indexes[-1] in rows)
        self._keep(rows, at, uptime)

    def _rows_of(self, lanes: Sequence[Lane]) -> dict[bytes, list[Value]]:
        """Return the rows of the step's cells; in the order of their indexes if all columns have the same."""
        width, indexes = len(self.lanes), lanes[0].indexes
        columns = [lane.values() for lane in lanes]
        if len(lanes) == width and all(lane.indexes == indexes for lane in lanes):
            return dict(zip(indexes, map(list, zip(*columns, strict=True)), strict=True))
        rows: dict[bytes, list[Value]] = {}
        for lane, column in zip(lanes, columns, strict=True):
            for index, value in zip(lane.indexes, column, strict=True):
                rows.setdefault(index, [None] * width)[lane.place] = value
        return rows

    def _keep(self, rows: dict[bytes, list[Value]], at: float, uptime: int | None) -> None:
        """Append rows, up to the table's cap."""
        if (room := self._room(len(rows))) < len(rows):
            rows = dict(list(rows.items())[:room])
        if rows:
            self.rows.update(rows)
            self._note(len(rows), at, uptime)

    def _room(self, count: int) -> int:
        """Return how many more rows the table may have; with less than `count` the walk ends."""
        room = self._table.spec.max_rows - self.count
        if count > room:
            self.stopped = f"cut at {self._table.spec.max_rows} rows"
        return room

    def _note(self, count: int, at: float, uptime: int | None) -> None:
        """Note that rows came."""
        self.count += count
        self.times.append(TableTime(count, at, uptime))


@lru_cache(maxsize=1024)
def _request_rows(
    prefixes: tuple[bytes, ...], sorts: tuple[Sort, ...], frontier: bytes, uptime: bool, rows: int
) -> Request:
    """Encode a request for plain rows once."""
    oids = ((SYS_UPTIME,) if uptime else ()) + tuple([prefix + frontier for prefix in prefixes])
    form = RowsForm(prefixes, sorts, int(uptime))
    return Request(PduType.GETBULK, oids, non_repeaters=int(uptime), max_repetitions=rows, form=form)


@lru_cache(maxsize=1024)
def _request(
    pdu: PduType,
    oids: tuple[bytes, ...],
    non_repeaters: int,
    rows: int,
    prefixes: tuple[bytes, ...] = (),
    sorts: tuple[Sort, ...] = (),
) -> Request:
    """Encode a request once: the same agents' tables, and those of others like them, are walked by the same steps."""
    form = RowsForm(prefixes, sorts, non_repeaters) if prefixes else None
    return Request(pdu, oids, non_repeaters=non_repeaters, max_repetitions=rows, form=form)


def _reset(lanes: Iterable[Lane]) -> None:
    for lane in lanes:
        lane.reset()


def _uptime(varbinds: Sequence[Varbind]) -> int | None:
    """Read the sysUpTime that came along; None where there is none."""
    if varbinds:
        oid, _, value = varbinds[0]
        if oid == SYS_UPTIME_0 and isinstance(value, int):
            return value
    return None


def _ordered(rows: dict[bytes, list[Value]], frontier: bytes | None) -> dict[bytes, list[Value]]:
    """Put rows into the order of their indexes and drop those beyond the frontier (None: keep all)."""
    end = None if frontier is None else decode_arcs(frontier)
    return {index: rows[index] for index in sorted(rows, key=decode_arcs) if end is None or decode_arcs(index) <= end}


async def fill_holes(talk: Conversation, walk: Walk, lanes: Sequence[Lane] = ()) -> None:
    """Ask for a column's fallback where rows lack it: 64-bit counters that only some interfaces have.

    `lanes` are the columns to look at; none: all.
    """
    if walk.failure is not None:
        return
    asked: list[Want[tuple[bytes, Lane]]] = []
    for lane in lanes or walk.lanes:
        fallback = lane.column.fallback
        if fallback is None or lane.prefix == fallback:
            continue
        for index, row in walk.rows.items():
            if row[lane.place] is None:
                asked.append(Want.of((index, lane), lane.column.metric, fallback + index))
    if not asked:
        return
    answers = await get_wants(talk, asked)
    walk.failure = answers.failure
    for (index, lane), value in answers.values.items():
        walk.rows[index][lane.place] = value
        lane.note(index, "", (index, lane) in answers.counter32)
