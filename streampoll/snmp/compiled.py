"""A collect plan made ready for the wire: OIDs encoded, sizes estimated, requests encoded once.

Compiled once a process and plan, for the request sizes that its agents have (nearly always one set).
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from streampoll.model import Value
from streampoll.snmp.ber import encode_arcs, encode_oid
from streampoll.snmp.branches import Branch, branches_of
from streampoll.snmp.condition import test_of
from streampoll.snmp.convert import PLAIN
from streampoll.snmp.engine import Address, Limits
from streampoll.snmp.memory import Skipped
from streampoll.snmp.message import Form, PduType, Request
from streampoll.snmp.plain_cells import SORTS, Sort
from streampoll.snmp.plain_values import ValuesForm
from streampoll.snmp.plan import CollectPlan, Kind, Metric, Oid, TableSpec
from streampoll.snmp.shape import Shape, is_asked, shape_of_scalars, shape_of_table
from streampoll.snmp.steps import deciding
from streampoll.snmp.wrap import Octets, octets_of

SYS_UPTIME: Final = encode_oid((1, 3, 6, 1, 2, 1, 1, 3))
SYS_UPTIME_0: Final = SYS_UPTIME + encode_arcs((0,))
PROBE: Final = Request(PduType.GET, (SYS_UPTIME_0,))

_MESSAGE_BYTES: Final = 60  # head of a reply, with a community of twenty characters
_VARBIND_BYTES: Final = 6  # two tags with lengths around an OID, one of the value
_VALUE_BYTES: Final = {
    Kind.INTEGER: 4, Kind.COUNTER: 8, Kind.TICKS: 5, Kind.IP: 4, Kind.OID: 10, Kind.TEXT: 32, Kind.BYTES: 16,
    Kind.AUTO: 16, Kind.FLOAT: 7, Kind.BITS: 4, Kind.MAC: 6, Kind.DATETIME: 11,
}  # fmt: skip


Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Want(Generic[Key]):
    """One value to ask for."""

    key: Key  # what its answer is found by: a scalar's name, a cell's place
    metric: Metric
    oid: bytes
    reply_bytes: int  # an estimate
    plain: type | None  # a wire value of this type, not negative, needs no conversion

    @classmethod
    def of(cls, key: Key, metric: Metric, oid: bytes) -> "Want[Key]":
        """Make a want of a metric under an OID: its own, its fallback, or a column's instance."""
        return cls(key, metric, oid, reply_bytes(metric, oid), PLAIN.get(metric.kind))


def reply_bytes(metric: Metric, oid: bytes) -> int:
    """Estimate what a value takes in a reply."""
    return len(oid) + _VARBIND_BYTES + _VALUE_BYTES[metric.kind]


@dataclass(frozen=True, slots=True)
class Column:
    """One column to walk."""

    metric: Metric
    prefix: bytes
    fallback: bytes | None
    reply_bytes: int  # an estimate for one cell, without its index
    plain: type | None  # see `Want`


@dataclass(frozen=True, slots=True)
class CompiledTable:
    """A table ready to be walked."""

    spec: TableSpec
    columns: tuple[Column, ...]  # those that are walked
    names: tuple[str, ...]  # those that are stored
    shape: Shape | None  # None: rows are stored as they were walked
    shared: tuple[int, ...]  # places of columns that another table looks up
    octets: Octets | None  # where it has counters that may wrap soon
    prefixes: tuple[bytes, ...]  # of the columns
    sorts: tuple[Sort, ...]  # of their values; () if a column has none
    integers: bool  # all columns are of integers that need no conversion
    cells_bytes: int  # an estimate of what a row takes in a reply, without its indexes
    sieve: "Sieve | None" = None  # for a table with a filter: the columns to walk first


_WHOLE: Final = 20  # polls for which a table is walked as a whole
_MOST_WHOLE: Final = 10_000  # agents remembered a table


@dataclass(frozen=True, slots=True)
class Sieve:
    """The part of a filtered table that decides which rows are kept."""

    first: CompiledTable  # the columns that are walked for it
    rest: tuple[int, ...]  # places of the other columns in the whole table
    skipped: Skipped[Address] = field(default_factory=lambda: Skipped(_WHOLE, _MOST_WHOLE))  # nearly all rows are kept


@dataclass(frozen=True, slots=True)
class Chunk(Generic[Key]):
    """Wants that are asked for at once."""

    request: Request
    wants: Sequence[Want[Key]]
    keys: tuple[Key, ...]


class CompiledPlan:
    """A plan with its scalars' requests, encoded, by how many varbinds they may have.

    Conditions come first: of a plan that has any, this is what decides them, and `branches` has the rest.
    """

    def __init__(self, plan: CollectPlan, branch: Branch | None = None) -> None:
        """Compile a plan, or a branch of one."""
        self.plan = plan
        self.absent = branch.absent if branch else ()  # scalars and tables that are not for the device
        self.branches = branches_of(plan)
        if self.branches is not None:
            plan = self.branches.trunk
        self.wants = tuple(
            Want.of(metric.name, metric, encode_oid(metric.oid)) for metric in plan.scalars if is_asked(metric)
        )
        self.shape = None if self.branches else shape_of_scalars(branch.scalars if branch else plan.scalars)
        self.tables_in_order = _compile_tables(plan.tables)
        self.tables = _sources_first(self.tables_in_order)
        self.only_scalars = self.branches is None and self.shape is None and not self.tables  # stored as they come
        self._chunks: dict[tuple[int, int, bool], tuple[Chunk[str], ...]] = {}
        self._branches: dict[tuple[bool, ...], CompiledPlan] = {}

    @property
    def asks(self) -> bool:
        """Tell whether there is anything to ask for."""
        return bool(self.wants or self.tables)

    def branch(self, values: Mapping[str, Value] | None) -> "CompiledPlan":
        """Return what is for a device with these scalars; for None, everything: it could not be found out."""
        assert self.branches is not None
        held = self.branches.held(values)
        found = self._branches.get(held)
        if found is None:
            taken = self.branches.take(held)
            found = self._branches[held] = CompiledPlan(taken.plan, taken)
        return found

    def chunks(self, limits: Limits, limit: int) -> tuple[Chunk[str], ...]:
        """Return the GET requests for all scalars, none with more varbinds than `limit`.

        Those of an agent that gets smaller requests than usual have no forms: its limit changes every few polls.
        """
        usual = limit >= limits.max_varbinds
        key = min(limit, limits.max_varbinds), limits.max_reply_bytes, usual
        chunks = self._chunks.get(key)
        if chunks is None:
            runs = split(self.wants, *key[:2])
            chunks = self._chunks[key] = tuple([make_chunk(run, form_of(run) if usual else None) for run in runs])
        return chunks


def make_chunk(wants: Sequence[Want[Key]], form: Form | None = None) -> Chunk[Key]:
    """Encode one GET; a form pays only where it is asked many times."""
    request = Request(PduType.GET, tuple([want.oid for want in wants]), form=form)
    return Chunk(request, wants, tuple([want.key for want in wants]))


def form_of(wants: Sequence[Want[Key]]) -> Form | None:
    """Return the form of the reply to a GET; None if it has none."""
    return ValuesForm.of([want.oid for want in wants], [SORTS.get(want.metric.kind) for want in wants])


def split(wants: Sequence[Want[Key]], most: int, reply_bytes: int) -> list[list[Want[Key]]]:
    """Cut wants into runs of at most `most`, whose replies stay under `reply_bytes` by estimate."""
    runs: list[list[Want[Key]]] = []
    room = 0
    for want in wants:
        if not runs or len(runs[-1]) >= most or want.reply_bytes > room:
            runs.append([])
            room = reply_bytes - _MESSAGE_BYTES
        runs[-1].append(want)
        room -= want.reply_bytes
    return runs


def cells_bytes(columns: Iterable[Column]) -> int:
    """Estimate what a row of these columns takes in a reply, without its indexes."""
    return sum(column.reply_bytes for column in columns)


def rows_that_fit(row: int, reply_bytes: int, least: int = 1) -> int:
    """Estimate how many rows, of so many bytes with their indexes, a reply holds beside sysUpTime."""
    uptime = len(SYS_UPTIME_0) + _VARBIND_BYTES + _VALUE_BYTES[Kind.TICKS]
    return max(least, (reply_bytes - _MESSAGE_BYTES - uptime) // row)


def _compile_tables(specs: Sequence[TableSpec]) -> tuple[CompiledTable, ...]:
    looked_up = {(metric.oid, metric.kind) for spec in specs for metric in spec.columns if metric.by}
    return tuple(table_of(spec, looked_up) for spec in specs)


def _sources_first(tables: tuple[CompiledTable, ...]) -> tuple[CompiledTable, ...]:
    """Return tables in the order to walk: first those whose columns others look up, which need not ask again then."""
    if not any(table.shared for table in tables):
        return tables
    return tuple(sorted(tables, key=lambda table: not table.shared))


def table_of(spec: TableSpec, looked_up: Collection[tuple[Oid, Kind]] = ()) -> CompiledTable:
    """Compile a table by itself; others look `looked_up` columns up."""
    columns = []
    for metric in filter(is_asked, spec.columns):
        prefix = encode_oid(metric.oid)
        fallback = encode_oid(metric.fallback) if metric.fallback else None
        columns.append(Column(metric, prefix, fallback, reply_bytes(metric, prefix), PLAIN.get(metric.kind)))
    shape = shape_of_table(spec)
    names = shape.names if shape else tuple(metric.name for metric in spec.columns)
    shared = [place for place, each in enumerate(columns) if (each.metric.oid, each.metric.kind) in looked_up]
    sorts = tuple([sort for each in columns if (sort := SORTS.get(each.metric.kind)) is not None])
    integers = bool(columns) and all(column.plain is int for column in columns)
    return CompiledTable(
        spec, tuple(columns), names, shape, tuple(shared), octets_of(spec), tuple(each.prefix for each in columns),
        sorts if len(sorts) == len(columns) else (), integers, cells_bytes(columns), _sieve_of(spec),
    )  # fmt: skip


def _sieve_of(spec: TableSpec) -> Sieve | None:
    """Find the columns by which rows are kept; None if there is no filter on them, or if they are all there is."""
    columns, where = deciding(spec)
    by_name = {metric.name: metric for metric in columns}
    if all(each.name not in by_name or test_of(each, by_name[each.name])(None) for each in where):
        return None  # a row could be kept of which none of these columns has a cell: it would not be found
    asked = [metric for metric in spec.columns if is_asked(metric)]
    rest = tuple(place for place, metric in enumerate(asked) if metric not in columns)
    if not rest:
        return None
    return Sieve(table_of(replace(spec, columns=columns, where=where)), rest)
