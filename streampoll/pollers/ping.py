"""The poller of reachability: round-trip times and loss, by ICMP echo or by TCP connects."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from typing import Final

from streampoll.config.settings import PingSettings
from streampoll.errors import want_of
from streampoll.model import Asked, Outcome, Status, Target, Value
from streampoll.ping.icmp import IcmpPinger, may_ping
from streampoll.ping.plan import Method, PingPlan
from streampoll.ping.port import Echo, Pinger
from streampoll.ping.tcp import TcpPinger
from streampoll.pollers.resolver import Resolver

log = logging.getLogger(__name__)

_NOT_ALLOWED: Final = (
    "this process may not send ICMP: widen net.ipv4.ping_group_range, give it CAP_NET_RAW, or write method = 'tcp'"
)


class PingPoller:
    """Polls whether devices are there."""

    def __init__(self, settings: PingSettings) -> None:
        self._settings = settings
        self._resolver = Resolver()
        self._pingers: dict[PingPlan, Pinger] = {}

    @property
    def wall_limit_s(self) -> float:
        """A poll ends after this, with what it has."""
        return self._settings.wall_limit_s

    async def poll(self, target: Target, plan: PingPlan, _: None, deadline: float) -> Outcome:
        """Send the echoes of a plan until `deadline` (the loop's time); whatever comes of them is an outcome."""
        try:
            address = await self._resolver.resolve(target.address)
            pinger = self._pinger(plan)
            echoes, asked, first_reply = await self._ask(pinger, address, plan, deadline)
        except PermissionError:
            return Outcome(Status.CONFIG, _NOT_ALLOWED)
        except OSError as error:
            if want := want_of(error):
                return Outcome(Status.ERROR, want)
            return Outcome(Status.UNREACHABLE, f"{target.address!r} has no address: {error.strerror or error}")
        outcome = _outcome(pinger.method, echoes, first_reply)
        outcome.asked = asked
        return outcome

    async def close(self) -> None:
        """Close the sockets."""
        while self._pingers:
            await self._pingers.popitem()[1].close()

    def _pinger(self, plan: PingPlan) -> Pinger:
        """Find the pinger of a plan, or make it."""
        if plan not in self._pingers:
            self._pingers[plan] = make_pinger(plan)
        return self._pingers[plan]

    async def _ask(
        self, pinger: Pinger, address: str, plan: PingPlan, deadline: float
    ) -> tuple[list[Echo], Asked, float]:
        """Return what came of each echo, when they were sent, and the wall clock of the first reply (0.0: none)."""
        loop = asyncio.get_running_loop()
        echoes: list[Echo] = []
        asked, first_reply = Asked(time.time()), 0.0
        for n in range(plan.count):
            if n:
                await asyncio.sleep(min(plan.interval_s, max(0.0, deadline - loop.time())))
            remaining_s = deadline - loop.time()
            if remaining_s <= 0:
                break
            echoes.append(await pinger.ask(address, min(self._settings.timeout_s, remaining_s)))
            if echoes[-1].rtt_s is not None:
                asked.last_reply = time.time()
                first_reply = first_reply or asked.last_reply
        return echoes, asked, first_reply


def make_pinger(plan: PingPlan) -> Pinger:
    """Make the pinger that a plan asks for, inside the running loop."""
    if plan.method is Method.TCP:
        return TcpPinger(plan.tcp_ports)
    if plan.method is Method.AUTO and not may_ping():
        log.warning("ping: no ICMP here (net.ipv4.ping_group_range, CAP_NET_RAW); asking by TCP connects instead")
        return TcpPinger(plan.tcp_ports)
    return IcmpPinger(plan.size_bytes)


def _outcome(method: str, echoes: Sequence[Echo], first_reply: float) -> Outcome:
    times_ms = [echo.rtt_s * 1000 for echo in echoes if echo.rtt_s is not None]
    values: dict[str, Value] = {
        "method": method,
        "sent": len(echoes),
        "received": len(times_ms),
        "loss": 1 - len(times_ms) / len(echoes) if echoes else 1.0,
    }
    if not times_ms:
        cause = next((echo.cause for echo in echoes if echo.cause), "")
        status = Status.UNREACHABLE if cause else Status.TIMEOUT
        step = "echo" if method == "icmp" else "connect"
        return Outcome(status, cause or f"no answer to {len(echoes)} echoes", values, requests=len(echoes), step=step)
    mean_ms = sum(times_ms) / len(times_ms)
    values |= {
        "rtt_min_ms": min(times_ms),
        "rtt_avg_ms": mean_ms,
        "rtt_max_ms": max(times_ms),
        "rtt_stddev_ms": math.sqrt(sum((each - mean_ms) ** 2 for each in times_ms) / len(times_ms)),
    }
    return Outcome(
        Status.OK, "", values, at=first_reply, first_reply=first_reply, requests=len(echoes)
    )  # fmt: skip
