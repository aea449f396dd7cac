"""What to ask of a device to see that it is there."""

from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """How to ask."""

    AUTO = "auto"  # ICMP where this process may, else TCP
    ICMP = "icmp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class PingPlan:
    """One profile of protocol "ping"."""

    profile: str
    method: Method = Method.AUTO
    count: int = 3  # echoes a poll
    interval_s: float = 0.2  # between two of them
    size_bytes: int = 56  # of an echo's data
    tcp_ports: tuple[int, ...] = (22, 443, 80, 23)  # whichever answers first; refused is an answer
