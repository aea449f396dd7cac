"""One poll's talk with one agent: asks, counts, and knows how much the agent can answer at once."""

import asyncio
from collections.abc import Awaitable, Hashable
from typing import Final

from streampoll.model import Status
from streampoll.snmp.engine import Agent, Engine, Failure, Reply
from streampoll.snmp.memory import Memory
from streampoll.snmp.message import ErrorStatus, Request

_LARGE: Final = 8  # varbinds; the silence after a smaller request is not blamed on its size


class Conversation:
    """The state of one poll on the wire."""

    __slots__ = (
        "_engine",
        "_memory",
        "_shrunk",
        "agent",
        "deadline",
        "first_reply",
        "limit",
        "requests",
        "varbinds",
    )

    def __init__(self, engine: Engine, memory: Memory, agent: Agent, deadline: float) -> None:
        self._engine = engine
        self._memory = memory
        self.limit = memory.sizes.limit(agent.address)  # the most varbinds to ask for at once
        self._shrunk = False
        self.agent = agent
        self.deadline = deadline
        self.first_reply = 0.0  # wall clock
        self.requests = 0  # sent, retries included
        self.varbinds = 0  # received

    def send(self, request: Request) -> Awaitable[Reply | Failure]:
        """Ask once; what comes of it is to be noted."""
        return self._engine.request(self.agent, request, self.deadline)

    def note(self, result: Reply | Failure) -> Reply | Failure:
        """Note what came of a request, and return it."""
        self.requests += result.sent
        if isinstance(result, Reply):
            self.varbinds += result.count
            self.agent.asked.last_reply = result.at
            if not self.first_reply:
                self.first_reply = result.at
        return result

    @property
    def is_acquainted(self) -> bool:
        """Tell whether what is asked next is all that is sent: nobody has to find out first who the agent is."""
        return self._engine.knows(self.agent)

    def has_time(self, seconds: float) -> bool:
        """Tell whether so much time is left until the deadline."""
        return self.deadline - asyncio.get_running_loop().time() > seconds

    def too_large(self, asked: int, result: Reply | Failure) -> bool:
        """Tell whether a request of `asked` varbinds failed by its size and may be asked again smaller.

        Then the limit is halved, and remembered beyond this poll. A time-out counts only where the agent has answered
        before: silence from the start is no matter of size.
        """
        if isinstance(result, Failure):
            by_size = result.status is Status.TIMEOUT and asked > _LARGE and self.first_reply > 0.0
        else:
            by_size = result.error_status == ErrorStatus.tooBig and asked > 1
        if by_size:
            self.limit = min(self.limit, self._memory.sizes.shrink(self.agent.address, asked))
            self._shrunk = True
        return by_size

    def rows_before(self, column: bytes) -> int | None:
        """Return how many rows a table has had, by the OID of a column; None if that is not known."""
        return self._memory.lengths.recall(self._table(column))

    def note_rows(self, column: bytes, rows: int) -> None:
        """Note how many rows a table has that was walked to its end."""
        self._memory.lengths.note(self._table(column), rows)

    def _table(self, column: bytes) -> Hashable:
        """Return what tells a table from others; an agent has another one for each community or context."""
        return self.agent.address, id(self.agent.credential), column

    def isolate(self, asked: int) -> bool:
        """Halve the limit for this poll only, to find what an agent stumbles over; False if that is not possible."""
        if asked <= 1:
            return False
        self.limit = max(1, asked // 2)
        return True

    def finish(self) -> None:
        """Note for the next poll how this one went."""
        if not self.first_reply:
            return
        self._memory.back_off.answered(self.agent.address)
        if not self._shrunk:
            self._memory.sizes.clean(self.agent.address)
