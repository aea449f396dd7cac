"""From a target's names to the poller of its protocol: profile -> plan -> poller, credential names -> credential.

What can't be found is an outcome of status `config` that names what is known. A poller is made at the first target of
its protocol, so in the child and its loop, and a process pays for no protocol that it doesn't poll.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streampoll.config.profile_port import PollPlan
from streampoll.errors import ConfigError
from streampoll.model import Outcome, Status, Target
from streampoll.pollers.port import CredentialBook, Poller
from streampoll.pollers.reach import Reach


@dataclass(frozen=True, slots=True)
class Protocol:
    """How one protocol is polled."""

    name: str  # as profiles and credentials say it
    make: Callable[[], Poller]
    needs_credential: bool = True


class Router:
    """Polls any target. Profiles and credentials are looked up by name at each poll, so they may change meanwhile."""

    def __init__(
        self,
        protocols: Mapping[type, Protocol],
        profiles: Mapping[str, PollPlan],
        credentials: CredentialBook,
        reach: Reach,
    ) -> None:
        self._protocols = protocols  # by the type of their plans
        self._profiles = profiles
        self._credentials = credentials
        self._reach = reach
        self._pollers: dict[type, Poller] = {}

    async def poll(self, target: Target, deadline: float) -> Outcome:
        """Poll until `deadline` (the loop's time) or the protocol's wall limit; whatever happens is an outcome."""
        plan = self._profiles.get(target.profile)
        if plan is None:
            return _unknown("profile", target.profile, self._profiles)
        kind = type(plan)
        poller = self._pollers.get(kind) or self._make(kind)
        credential = None
        if self._protocols[kind].needs_credential:
            credential = self._credential(target.credential, self._protocols[kind].name)
            if isinstance(credential, Outcome):
                return credential
        ends = min(deadline, asyncio.get_running_loop().time() + poller.wall_limit_s)
        outcome = await poller.poll(target, plan, credential, ends)
        silent = outcome.status is Status.TIMEOUT and self._protocols[kind].needs_credential
        return await self._reach.explain(target, outcome, deadline) if silent else outcome

    async def close(self) -> None:
        """Close every poller that was made."""
        while self._pollers:
            _, poller = self._pollers.popitem()
            await poller.close()
        await self._reach.close()

    def needs_credential(self, profile: str) -> bool:
        """Return True if polls of a known profile prove who they are."""
        return self._protocols[type(self._profiles[profile])].needs_credential

    def poller(self, kind: type) -> Poller | None:
        """Return the poller of a type of plan; None before its first target."""
        return self._pollers.get(kind)

    def _make(self, kind: type) -> Poller:
        poller = self._pollers[kind] = self._protocols[kind].make()
        return poller

    def _credential(self, names: str, protocol: str) -> Any:
        """Return a protocol's first credential among names (separated by commas), or the outcome that says why not."""
        try:
            for name in names.split(","):
                if self._credentials.protocol(name.strip()) == protocol:
                    return self._credentials[name.strip()]
        except KeyError as error:
            return _unknown("credential", error.args[0], self._credentials.names())
        except ConfigError as error:
            return Outcome(Status.CONFIG, str(error))
        return Outcome(Status.CONFIG, f"no credential for {protocol} among {names or 'default'!r}")


def _unknown(what: str, name: str, known: Iterable[str]) -> Outcome:
    """Say that a name is not known here, and which are."""
    names = ", ".join(sorted(known)) or "none"
    return Outcome(Status.CONFIG, f"{what} {name!r} is not known to this worker; known: {names}")
