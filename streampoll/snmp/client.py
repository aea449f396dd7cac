"""The wire engine: v1, v2c and v3 over one socket an address family, shared by all agents of the process.

It only joins its parts: `courier` sends and matches, `community` and `session` know what is said, `v3` knows the
agents' engines. A v1 or v2c request is a future and no more; a v3 request is a coroutine around the same future, since
what an agent reports may call for another one.
"""

from collections.abc import Awaitable

from streampoll.config.settings import SnmpSettings
from streampoll.errors import SnmpError
from streampoll.model import Status
from streampoll.snmp.community import Communities
from streampoll.snmp.courier import Courier
from streampoll.snmp.credential import Community
from streampoll.snmp.engine import Agent, Failure, Reply
from streampoll.snmp.exchange import Counters
from streampoll.snmp.message import Request
from streampoll.snmp.v3 import V3Asker

__all__ = ["Counters", "WireEngine"]


class WireEngine:
    """Our own engine. Make it inside the running loop that uses it."""

    def __init__(self, settings: SnmpSettings) -> None:
        self._courier = Courier(settings)
        self._communities = Communities()
        self._v3 = V3Asker(self._courier)

    @property
    def counters(self) -> Counters:
        """What was counted since the engine was made."""
        return self._courier.counters

    @property
    def receive_drops(self) -> int:
        """Replies dropped by the kernel because the receive buffer was full."""
        return self._courier.receive_drops

    def request(self, agent: Agent, request: Request, deadline: float) -> Awaitable[Reply | Failure]:
        """Ask an agent; see `Engine`. A cancelled request's place in the window is free at its next expiry."""
        credential = agent.credential
        if not isinstance(credential, Community):
            return self._v3.ask(agent, request, deadline)
        try:
            speech = self._communities.speech(credential, request)
        except SnmpError as error:
            return self._courier.refuse(Failure(Status.CONFIG, str(error)))
        return self._courier.ask(speech, agent, request, deadline)

    def knows(self, agent: Agent) -> bool:
        """Tell whether an agent is known already; see `Engine`."""
        return isinstance(agent.credential, Community) or self._v3.knows(agent)

    async def close(self) -> None:
        """Fail what is in flight, close the sockets."""
        await self._courier.close()
