"""A coarse timer wheel: one timer of the event loop for all requests in flight.

A request is put into the bucket of its expiry and never taken out: when the bucket's turn comes, the owner looks up
which of its tokens still mean something. So a request that is answered (nearly all) costs one append to a list of ints,
where `call_later` would cost a heap operation and a handle, and a cancel.
"""

import asyncio
from collections.abc import Callable

TICK_S = 0.02  # expiries are late by at most this and what the loop lags


class TimerWheel:
    """Calls `expire(tokens)` for the tokens whose time has come."""

    __slots__ = ("_buckets", "_done", "_expire", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[list[int]], None]) -> None:
        self._loop = loop
        self._expire = expire
        self._buckets: dict[int, list[int]] = {}
        self._done = 0  # the last tick whose bucket was emptied
        self._timer: asyncio.TimerHandle | None = None

    def add(self, token: int, when: float) -> None:
        """Have `token` expire at `when` (the loop's clock), or a tick later."""
        tick = int(when / TICK_S) + 1
        bucket = self._buckets.get(tick)
        if bucket is not None:
            bucket.append(token)
        else:
            self._add_bucket(tick, token)

    def _add_bucket(self, tick: int, token: int) -> None:
        if self._timer is None:
            self._done = int(self._loop.time() / TICK_S)
            self._timer = self._loop.call_later(TICK_S, self._turn)
        tick = max(tick, self._done + 1)  # a time in the past is the next tick
        self._buckets.setdefault(tick, []).append(token)

    def _turn(self) -> None:
        """Empty the buckets whose time has come; sleep when there are none left."""
        now = int(self._loop.time() / TICK_S)
        try:
            while self._done < now:
                self._done += 1
                tokens = self._buckets.pop(self._done, None)
                if tokens:
                    self._expire(tokens)
        finally:  # a bug in who is told must not stop time for all others
            self._timer = self._loop.call_later(TICK_S, self._turn) if self._buckets else None

    def close(self) -> None:
        """Forget everything."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._buckets.clear()
