"""Why a device is silent: it answers an echo (so: wrong credentials, or no agent), or it does not (so: it is down).

An echo is sent for a poll that ended without any answer, at most once in `_KEPT_S` for an address, and beside the
polls: a dead device must not cost more of a worker than its own time-outs.
"""

import asyncio
from typing import Final

from msgspec import structs

from streampoll.config.settings import PingSettings
from streampoll.model import Outcome, Status, Target
from streampoll.ping.plan import PingPlan
from streampoll.ping.port import Pinger
from streampoll.pollers.ping import make_pinger
from streampoll.pollers.resolver import Resolver

_KEPT_S: Final = 30.0  # what was seen of an address is said this long
_MOST: Final = 50_000  # addresses remembered


class Reach:
    """Adds to an outcome without an answer whether the device answers an echo."""

    def __init__(self, settings: PingSettings, plan: PingPlan = PingPlan("explain")) -> None:  # noqa: B008 - frozen
        self._settings = settings
        self._plan = plan
        self._resolver = Resolver()
        self._pinger: Pinger | None = None
        self._seen: dict[str, tuple[float, str]] = {}  # address -> the loop's time it is good until, what was seen

    async def explain(self, target: Target, outcome: Outcome, deadline: float) -> Outcome:
        """Return the outcome, with what an echo says about it if it is a time-out without any reply."""
        if outcome.status is not Status.TIMEOUT or outcome.first_reply or not self._settings.explain_silence:
            return outcome
        loop = asyncio.get_running_loop()
        good_until, said = self._seen.get(target.address, (0.0, ""))
        if loop.time() >= good_until:
            timeout_s = min(self._settings.timeout_s, deadline - loop.time())
            if timeout_s <= 0:
                return outcome
            said = await self._ask(target.address, timeout_s)
            if len(self._seen) >= _MOST:
                self._seen.clear()
            self._seen[target.address] = loop.time() + _KEPT_S, said
        return structs.replace(outcome, error=f"{outcome.error}; {said}") if said else outcome

    async def close(self) -> None:
        """Close the socket."""
        if self._pinger:
            await self._pinger.close()
            self._pinger = None

    async def _ask(self, name: str, timeout_s: float) -> str:
        try:
            address = await self._resolver.resolve(name)
            if self._pinger is None:
                self._pinger = make_pinger(self._plan)
            echo = await self._pinger.ask(address, timeout_s)
        except OSError:
            return ""
        how = "ping" if self._pinger.method == "icmp" else "TCP"
        if echo.rtt_s is None:
            return f"it does not answer {how} either: {echo.cause or 'down, or filtered'}"
        return f"it answers {how}: wrong credentials, no agent, or an access list"
