"""How much one client may ask: requests a second, and bytes a request. Memory for that is bounded too."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from math import ceil

from streampoll.api.problem import ProblemError

_CLIENTS = 4_096  # remembered at a time; the one that was heard least lately is forgotten
_BURST_S = 2.0  # of its rate, that a client may ask at once


class RateLimit:
    """A bucket of requests a client, filled at a rate."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> (level, when)

    def take(self, client: str, now: float) -> None:
        """Count a request, at `now` (monotonic seconds).

        Raises:
            ProblemError: there were too many.
        """
        if not self._per_s:
            return
        most = max(1.0, self._per_s * _BURST_S)
        level, since = self._buckets.pop(client, (most, now))
        level = min(most, level + (now - since) * self._per_s)
        self._buckets[client] = max(0.0, level - 1), now
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if level < 1:
            wait_s = (1 - level) / self._per_s
            raise ProblemError(
                429, f"more than {self._per_s:g} requests a second (api.rate_per_s)", {"Retry-After": str(ceil(wait_s))}
            )


async def bounded_body(parts: AsyncIterator[bytes], most_bytes: int) -> bytes:
    """Return a whole body, of at most so many bytes.

    Raises:
        ProblemError: it is longer; the rest is not read.
    """
    body = b""
    async for part in parts:
        body += part
        if len(body) > most_bytes:
            raise ProblemError(413, f"the body is longer than {most_bytes} bytes (api.max_body_bytes)")
    return body
