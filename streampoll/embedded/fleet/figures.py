"""What a fleet has done so far."""

import time
from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Figures:
    """Counts of datagrams since the start. requests = replies + waiting + every reason below."""

    requests: int = 0  # datagrams read
    replies: int = 0  # datagrams sent
    silent: int = 0  # for a device of the silent share
    lost: int = 0  # dropped by chance, as `loss` asks
    refused: int = 0  # another community
    malformed: int = 0  # not an SNMP v1 or v2c request, or not for 127.0.0.0/8
    unsent: int = 0  # the system did not take the reply
    waiting: int = 0  # replies whose latency has not passed
    overflowed: int = 0  # never read: the socket's buffer was full (the system's count)

    def report(self) -> dict[str, int | float]:
        """Return the counts, and this process' CPU time."""
        return {**asdict(self), "cpu_s": round(time.process_time(), 3)}
