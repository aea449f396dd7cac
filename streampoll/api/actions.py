"""Who asks, and who did what: every action that was asked for, by the API or a command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from msgspec import Meta

from streampoll.api.auth import Who
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.results.control import Action, Role


class Recorded(Protocol):
    """Reads actions."""

    async def actions(self, since: int, limit: int) -> Sequence[Action]:
        """Return what was done since then, the newest first."""


@dataclass(frozen=True, slots=True)
class ActionSpan:
    """Which actions."""

    since: Moment = "7d"
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class ActionRoutes:
    """Serves them."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", "/api/v1/whoami", _whoami, Who, "Who asks, and what they may do", "actions"),
            Route("GET", "/api/v1/actions", self._list, list[Action], "Who did what, newest first", "actions",
                  parameters=ActionSpan),
        ]  # fmt: skip

    async def _list(self, asked: Asked) -> Sequence[Action]:
        return await self._recorded.actions(seconds(asked.parameters.since), asked.parameters.limit)


async def _whoami(asked: Asked) -> Who:
    return Who(asked.by, asked.role or Role.READ)
