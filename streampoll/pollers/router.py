"""From a target's names to the poller of its protocol: profile -> plan -> poller, credential names -> credentials.

What can't be found is an outcome of status `config` that names what is known. A poller is made at the first target of
its protocol, so in the child and its loop, and a process pays for no protocol that it doesn't poll. Which of a device's
credentials is used is `Logins`' business; what pollers learn about devices is kept in the process's `DeviceMemory`.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from streampoll.config.profile_port import PollPlan
from streampoll.custom.plan import CustomPlan
from streampoll.model import Outcome, Status, Target
from streampoll.pollers.learned import DeviceMemory
from streampoll.pollers.logins import Logins, unknown
from streampoll.pollers.port import CredentialBook, Learner, Poller
from streampoll.pollers.protocol import Protocol as Protocol
from streampoll.pollers.reach import Reach


@dataclass(frozen=True, slots=True)
class Around:
    """What a router works with besides protocols and profiles."""

    credentials: CredentialBook
    reach: Reach
    memory: DeviceMemory
    eager: bool = False  # one poll is all there is: silence makes it try a device's next credential at once


@dataclass(frozen=True, slots=True)
class _Lane:
    """A protocol that is polled, with its poller."""

    protocol: Protocol
    poller: Poller
    learner: Learner | None  # the poller, if it learns


class Router:
    """Polls any target. Profiles and credentials are looked up by name at each poll, so they may change meanwhile."""

    def __init__(self, protocols: Mapping[type, Protocol], profiles: Mapping[str, PollPlan], around: Around) -> None:
        self._protocols = protocols  # by the type of their plans
        self._profiles = profiles
        self._reach = around.reach
        self._memory = around.memory
        self._logins = Logins(around.credentials, around.memory, around.eager)
        self._lanes: dict[type, _Lane] = {}
        self._custom: dict[str, Protocol] = {}

    @property
    def memory(self) -> DeviceMemory:
        """What this process knows of devices."""
        return self._memory

    def poll(self, target: Target, deadline: float) -> Awaitable[Outcome]:
        """Poll until `deadline` (the loop's time) or the protocol's wall limit; whatever happens is an outcome."""
        plan = self._profiles.get(target.profile)
        return self._unknown(target.profile) if plan is None else self.collect(target, plan, deadline)

    async def _unknown(self, profile: str) -> Outcome:
        return unknown("profile", profile, self._profiles)

    async def collect(self, target: Target, plan: PollPlan, deadline: float, anonymous: bool = False) -> Outcome:
        """Poll by a plan that need not be a profile's; `anonymous`: without any credential, not even the default."""
        lane = self._lanes.get(type(plan)) or self._open(type(plan))
        protocol, learner = lane.protocol, lane.learner
        if isinstance(plan, CustomPlan):
            protocol = self._named(protocol, plan.protocol)
        if learner and (learned := self._memory.recall(protocol.name, target.device)):
            await learner.recall(target, learned)
        ends = min(deadline, asyncio.get_running_loop().time() + lane.poller.wall_limit_s)
        if anonymous or not protocol.needs_credential:
            outcome = await lane.poller.poll(target, plan, None, ends)
        elif (usual := self._logins.usual(protocol, target)) is None:
            outcome = await self._logins.poll(protocol, target, partial(_ask, lane.poller, target, plan, ends), ends)
        else:
            outcome = await lane.poller.poll(target, plan, usual[1], ends)
            if outcome.status is Status.AUTH:
                ask = partial(_ask, lane.poller, target, plan, ends)
                outcome = await self._logins.after_refusal(protocol, target, usual, outcome, ask, ends)
        if learner:
            self._memory.note(protocol.name, target, learner.learned(target))
        silent = (
            outcome.status is Status.TIMEOUT and lane.protocol.needs_credential and not isinstance(plan, CustomPlan)
        )
        if silent:
            outcome = await self._reach.explain(target, outcome, deadline)
        outcome.protocol = protocol.name
        return outcome

    async def close(self) -> None:
        """Close every poller that was made."""
        while self._lanes:
            _, lane = self._lanes.popitem()
            await lane.poller.close()
        await self._reach.close()

    def needs_credential(self, profile: str) -> bool:
        """Return True if polls of a known profile prove who they are."""
        protocol = self._protocols[type(self._profiles[profile])]
        return protocol.needs_credential and not protocol.optional

    def poller(self, kind: type) -> Poller | None:
        """Return the poller of a type of plan; None before its first target."""
        lane = self._lanes.get(kind)
        return lane.poller if lane else None

    def _named(self, protocol: Protocol, name: str) -> Protocol:
        """Return the protocol of one custom poller, as its credentials are called."""
        named = self._custom.get(name)
        if named is None:
            named = self._custom[name] = replace(protocol, name=name)
        return named

    def _open(self, kind: type) -> _Lane:
        protocol = self._protocols[kind]
        poller = protocol.make()
        lane = self._lanes[kind] = _Lane(protocol, poller, poller if isinstance(poller, Learner) else None)
        return lane


def _ask(poller: Poller, target: Target, plan: PollPlan, ends: float, credential: object) -> Awaitable[Outcome]:
    return poller.poll(target, plan, credential, ends)
