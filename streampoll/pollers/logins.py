"""Polls with a device's credentials of a protocol: in turn where one is not accepted, by the rules of `fallback`.

A device with one credential that works, which is nearly every one, costs two look-ups and leaves no trace.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import structs

from streampoll.config.credentials import names_of
from streampoll.errors import ConfigError
from streampoll.model import Asked, Outcome, Status, Target
from streampoll.pollers import fallback
from streampoll.pollers.fallback import UNKNOWN, Standing, Verdict
from streampoll.pollers.learned import DeviceMemory
from streampoll.pollers.port import CredentialBook
from streampoll.pollers.protocol import Protocol

Ask = Callable[[Any], Awaitable[Outcome]]
"""Polls the device with a credential."""

_MOST_KEPT: Final = 10_000  # lists of names that devices have
_LEAST_S: Final = 0.05  # left of a poll for another attempt to be worth it
_SHOWN: Final = 300  # characters of a cause


@dataclass(slots=True)
class _Round:
    """One poll's attempts."""

    tried: dict[str, Any]  # name -> the credential that was not accepted
    causes: list[str]
    requests: int = 0
    asked: Asked = field(default_factory=Asked)

    def count(self, outcome: Outcome) -> None:
        """Have an outcome speak for the attempts before it too."""
        outcome.requests += self.requests
        outcome.asked.go_on_from(self.asked)
        self.requests, self.asked = outcome.requests, outcome.asked


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A device's last round in which no credential was accepted."""

    names: Sequence[str]  # that the device named then
    tried: Mapping[str, Any]


class Logins:
    """Polls devices with credentials."""

    def __init__(self, credentials: CredentialBook, memory: DeviceMemory, eager: bool = False) -> None:
        """`eager`: silence makes it try the next credential at once, for a command that polls once."""
        self._credentials = credentials
        self._memory = memory
        self._eager = eager
        self._names: dict[tuple[str, str], Sequence[str]] = {}
        self._revision = -1
        self._refused: dict[tuple[str, str], _Refusal] = {}  # by (protocol, device)

    def usual(self, protocol: Protocol, target: Target) -> tuple[str, Any] | None:
        """Return a device's credential and its name, where there is one and nothing to say of it: nearly always.

        None: `poll` is to find out. If it is refused, `after_refusal` is to be told.
        """
        names = self.names(target.credential, protocol.name)
        if len(names) != 1 or self._memory.standing(protocol.name, target.device) is not UNKNOWN:
            return None
        credential = self._credentials.held(names[0])
        return None if credential is None else (names[0], credential)

    async def after_refusal(
        self, protocol: Protocol, target: Target, refused: tuple[str, Any], outcome: Outcome, ask: Ask, deadline: float
    ) -> Outcome:
        """End the poll of a device that did not accept its `usual` credential."""
        name, credential = refused
        return await self._nobody(protocol, target, _Round({name: credential}, [outcome.error]), outcome, ask, deadline)

    async def poll(self, protocol: Protocol, target: Target, ask: Ask, deadline: float) -> Outcome:
        """Poll a device with the credentials it names, until the loop's time is `deadline`."""
        names = self.names(target.credential, protocol.name)
        if not names:
            return self._without(protocol, target) or await ask(None)
        standing = self._memory.standing(protocol.name, target.device)
        if len(names) == 1 and standing is UNKNOWN:
            credential = await self._get(names[0], deadline)
            if isinstance(credential, Outcome):
                return credential
            outcome = await ask(credential)
            if outcome.status is not Status.AUTH:
                return outcome
            return await self.after_refusal(protocol, target, (names[0], credential), outcome, ask, deadline)
        if await self._paused(protocol, target, names, standing, deadline):
            return _pause(names, standing, self._memory.now())
        return await self._try(protocol, target, ask, deadline)

    def names(self, text: str, protocol: str) -> Sequence[str]:
        """Return which of the credentials that a device names are of a protocol, in order."""
        if self._revision != self._credentials.revision or len(self._names) > _MOST_KEPT:
            self._names.clear()
            self._revision = self._credentials.revision
        key = text, protocol
        found = self._names.get(key)
        if found is None:
            found = self._names[key] = tuple(name for name in names_of(text) if self._protocol(name) == protocol)
        return found

    def _protocol(self, name: str) -> str:
        try:
            return self._credentials.protocol(name)
        except KeyError:
            return ""

    def _without(self, protocol: Protocol, target: Target) -> Outcome | None:
        """Return why a device that names no credential of a protocol can't be polled; None if it can."""
        for name in names_of(target.credential):
            if not self._protocol(name) and (target.credential or not protocol.optional):
                return unknown("credential", name, self._credentials.names())
        if protocol.optional:
            return None
        return Outcome(Status.CONFIG, f"no credential for {protocol.name} among {target.credential or 'default'!r}")

    async def _get(self, name: str, deadline: float) -> Any:
        """Return a credential, or the outcome that says why there is none."""
        try:
            if (credential := self._credentials.held(name)) is not None:
                return credential
            async with asyncio.timeout_at(deadline):
                return await self._credentials.fetch(name)
        except TimeoutError:  # it goes on, and the next poll may have it
            return Outcome(Status.CONFIG, f"credential '{name}': its secret was not read in time")
        except KeyError:
            return unknown("credential", name, self._credentials.names())
        except ConfigError as error:
            return Outcome(Status.CONFIG, str(error))

    async def _try(self, protocol: Protocol, target: Target, ask: Ask, deadline: float) -> Outcome:
        """Try the credentials in turn; the first outcome that is not a refusal counts."""
        names = self.names(target.credential, protocol.name)
        standing = self._memory.standing(protocol.name, target.device)
        round_, outcome = _Round({}, []), Outcome(Status.CONFIG)
        for name in fallback.in_turn(names, standing, protocol.silence_refuses):
            credential = await self._get(name, deadline)
            if isinstance(credential, Outcome):
                outcome = credential if not round_.tried else outcome
                round_.causes.append(credential.error)
                continue
            outcome = await ask(credential)
            round_.count(outcome)
            said = fallback.verdict(outcome)
            if said is Verdict.SILENT and self._eager and protocol.silence_refuses:
                continue
            if said is not Verdict.REFUSED:
                self._note(protocol, target, names, name, said)
                return outcome
            round_.tried[name] = credential
            round_.causes.append(f"{name}: {outcome.error}")
            if asyncio.get_running_loop().time() > deadline - _LEAST_S:
                break
        return await self._nobody(protocol, target, round_, outcome, ask, deadline) if round_.tried else outcome

    def _note(self, protocol: Protocol, target: Target, names: Sequence[str], name: str, said: Verdict) -> None:
        """Remember what an outcome says of the credential."""
        standing = self._memory.standing(protocol.name, target.device)
        if said is Verdict.ACCEPTED:
            self._refused.pop((protocol.name, target.device), None)
            after = fallback.accepted(name) if len(names) > 1 else UNKNOWN
        else:
            after = fallback.silent(standing) if said is Verdict.SILENT else fallback.answered(standing)
        if after is not standing:
            self._memory.stand(protocol.name, target, after, names[0])

    async def _nobody(
        self, protocol: Protocol, target: Target, round_: _Round, outcome: Outcome, ask: Ask, deadline: float
    ) -> Outcome:
        """End a round in which no credential was accepted; one that has just been changed gets its try."""
        await self._look_again(round_.tried, deadline)
        for name, old in round_.tried.items():
            credential = await self._get(name, deadline)
            if credential is not old and not isinstance(credential, Outcome):
                outcome = await ask(credential)
                round_.tried[name] = credential
                if (said := fallback.verdict(outcome)) is not Verdict.REFUSED:
                    self._note(protocol, target, self.names(target.credential, protocol.name), name, said)
                    return outcome
        names = self.names(target.credential, protocol.name)
        self._refused[protocol.name, target.device] = _Refusal(names, round_.tried)
        standing = self._memory.standing(protocol.name, target.device)
        after = fallback.refused(standing, self._memory.now(), protocol.locks_out)
        self._memory.stand(protocol.name, target, after, names[0] if names else "")
        cause = "; ".join(round_.causes)[:_SHOWN]
        if len(round_.causes) > 1:
            cause = f"none of {len(round_.causes)} credentials was accepted: {cause}"
        return structs.replace(outcome, error=cause)

    async def _look_again(self, names: Iterable[str], deadline: float) -> None:
        with suppress(TimeoutError):  # it goes on, and the next poll may have it
            async with asyncio.timeout_at(deadline):
                await self._credentials.look_again(names)

    async def _paused(
        self, protocol: Protocol, target: Target, names: Sequence[str], standing: Standing, deadline: float
    ) -> bool:
        """Tell whether a device is not to be asked now: it refused all, and all are as they were."""
        if self._memory.now() >= standing.pause_until:
            return False
        await self._look_again(names, deadline)
        refusal = self._refused.get((protocol.name, target.device))
        if refusal is None or refusal.names != names:
            return False
        return all([await self._get(name, deadline) is old for name, old in refusal.tried.items()])


def unknown(what: str, name: str, known: Iterable[str]) -> Outcome:
    """Say that a name is not known here, and which are."""
    names = ", ".join(sorted(known)) or "none"
    return Outcome(Status.CONFIG, f"{what} {name!r} is not known to this worker; known: {names}")


def _pause(names: Sequence[str], standing: Standing, now: float) -> Outcome:
    left_s = standing.pause_until - now
    which = names[0] if len(names) == 1 else f"any of {', '.join(names)}"
    return Outcome(
        Status.AUTH,
        f"not asked: it refused {which} {standing.refused} times; next try in {left_s:.0f} s, or when one changes",
    )
