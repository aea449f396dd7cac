"""A collect plan made ready for the wire: OIDs encoded, sizes estimated, requests encoded once.

Compiled once a process and plan, for the request sizes that its agents have (nearly always one set).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streampoll.snmp.ber import encode_arcs, encode_oid
from streampoll.snmp.convert import PLAIN
from streampoll.snmp.engine import Limits
from streampoll.snmp.message import PduType, Request
from streampoll.snmp.plan import CollectPlan, Kind, Metric, TableSpec

SYS_UPTIME: Final = encode_oid((1, 3, 6, 1, 2, 1, 1, 3))
SYS_UPTIME_0: Final = SYS_UPTIME + encode_arcs((0,))
PROBE: Final = Request(PduType.GET, (SYS_UPTIME_0,))

_MESSAGE_BYTES: Final = 60  # head of a reply, with a community of twenty characters
_VARBIND_BYTES: Final = 6  # two tags with lengths around an OID, one of the value
_VALUE_BYTES: Final = {
    Kind.INTEGER: 4, Kind.COUNTER: 8, Kind.TICKS: 5, Kind.IP: 4, Kind.OID: 10, Kind.TEXT: 32, Kind.BYTES: 16,
    Kind.AUTO: 16,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Want:
    """One value to ask for."""

    metric: Metric
    oid: bytes
    reply_bytes: int  # an estimate
    plain: type | None  # a wire value of this type, not negative, needs no conversion

    @classmethod
    def of(cls, metric: Metric, oid: bytes) -> "Want":
        """Make a want of a metric under an OID: its own, its fallback, or a column's instance."""
        return cls(metric, oid, len(oid) + _VARBIND_BYTES + _VALUE_BYTES[metric.kind], PLAIN.get(metric.kind))


@dataclass(frozen=True, slots=True)
class Column:
    """One column to walk."""

    metric: Metric
    prefix: bytes
    fallback: bytes | None
    reply_bytes: int  # an estimate for one cell, without its index


@dataclass(frozen=True, slots=True)
class CompiledTable:
    """A table ready to be walked."""

    spec: TableSpec
    columns: tuple[Column, ...]
    names: tuple[str, ...]


Chunk = tuple[Request, tuple[Want, ...]]


class CompiledPlan:
    """A plan with its scalars' requests, encoded, by how many varbinds they may have."""

    def __init__(self, plan: CollectPlan) -> None:
        self.plan = plan
        self.wants = tuple(Want.of(metric, encode_oid(metric.oid)) for metric in plan.scalars)
        self.names = tuple((want.metric.name, want.oid) for want in self.wants)
        self.tables = tuple(_compile_table(spec) for spec in plan.tables)
        self._chunks: dict[tuple[int, int], tuple[Chunk, ...]] = {}

    def chunks(self, limits: Limits, limit: int) -> tuple[Chunk, ...]:
        """Return the GET requests for all scalars, none with more varbinds than `limit`."""
        key = min(limit, limits.max_varbinds), limits.max_reply_bytes
        chunks = self._chunks.get(key)
        if chunks is None:
            chunks = self._chunks[key] = tuple(map(make_chunk, split(self.wants, *key)))
        return chunks


def make_chunk(wants: Sequence[Want]) -> Chunk:
    """Encode one GET."""
    return Request(PduType.GET, tuple(want.oid for want in wants)), tuple(wants)


def split(wants: Sequence[Want], most: int, reply_bytes: int) -> list[list[Want]]:
    """Cut wants into runs of at most `most`, whose replies stay under `reply_bytes` by estimate."""
    runs: list[list[Want]] = []
    room = 0
    for want in wants:
        if not runs or len(runs[-1]) >= most or want.reply_bytes > room:
            runs.append([])
            room = reply_bytes - _MESSAGE_BYTES
        runs[-1].append(want)
        room -= want.reply_bytes
    return runs


def rows_that_fit(columns: Sequence[Column], index_bytes: int, reply_bytes: int) -> int:
    """Estimate how many rows of these columns a reply holds beside sysUpTime; at least one."""
    row = sum(column.reply_bytes + index_bytes for column in columns)
    uptime = len(SYS_UPTIME_0) + _VARBIND_BYTES + _VALUE_BYTES[Kind.TICKS]
    return max(1, (reply_bytes - _MESSAGE_BYTES - uptime) // row)


def _compile_table(spec: TableSpec) -> CompiledTable:
    columns = []
    for metric in spec.columns:
        prefix = encode_oid(metric.oid)
        fallback = encode_oid(metric.fallback) if metric.fallback else None
        columns.append(Column(metric, prefix, fallback, Want.of(metric, prefix).reply_bytes))
    return CompiledTable(spec, tuple(columns), tuple(metric.name for metric in spec.columns))
