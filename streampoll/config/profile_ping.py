"""A profile of protocol "ping": whether a device is there, and how far away.

protocol = "ping"
method = "auto"            # icmp where this process may, else tcp
count = 3
interval_s = "200ms"
size_bytes = 56
tcp_ports = [22, 443]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.ping.plan import Method, PingPlan

_Ports = Annotated[
    tuple[Annotated[int, Meta(ge=1, le=65535)], ...],
    Meta(min_length=1, max_length=16, title="a list of up to 16 ports"),
]


@dataclass(frozen=True, slots=True)
class _PingTable:
    method: Method = Method.AUTO
    count: Annotated[int, Meta(ge=1, le=100)] = 3
    interval_s: Annotated[float, Meta(ge=0.01, le=10)] = 0.2
    size_bytes: Annotated[int, Meta(ge=8, le=1400)] = 56
    tcp_ports: _Ports = (22, 443, 80, 23)


class PingProfiles:
    """Reads and compiles profiles of protocol "ping"."""

    def read(self, data: Mapping[str, Any], place: Place) -> Mapping[str, Any] | None:
        """Return one file's settings once they are known to be right, or None with faults."""
        return data if read_table(_PingTable, data, place) is not None else None

    def compile(self, name: str, drafts: Sequence[Mapping[str, Any]], place: Place) -> PingPlan | None:
        """Return the plan of drafts, each over those before it, or None with faults."""
        table = read_table(_PingTable, {key: value for draft in drafts for key, value in draft.items()}, place)
        if table is None:
            return None
        return PingPlan(name, table.method, table.count, table.interval_s, table.size_bytes, table.tcp_ports)
