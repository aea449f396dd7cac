"""What a custom poller talks to its device with: the built-in protocols, each asked by a plan made for the occasion.

So a custom poller's SNMP goes through the same engine, window and memory as everybody's, its SSH and HTTP over the same
connections, and a library is loaded when it is first asked for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

from streampoll.config.profile_port import PollPlan
from streampoll.custom.port import CustomTarget, PollFailed
from streampoll.http.plan import Field, HttpPlan, Request
from streampoll.logs import about
from streampoll.model import Outcome, Status, Value
from streampoll.pollers.custom_judge import blackened
from streampoll.snmp.plan import CollectPlan, Metric, Oid, TableSpec
from streampoll.ssh.allow import why_refused
from streampoll.ssh.plan import Command, SshPlan
from streampoll.ssh.platforms import PLATFORMS

T = TypeVar("T")

Ask = Callable[[PollPlan], Awaitable[Outcome]]
"""Polls the device by a plan of a built-in protocol, until the poll's deadline."""

_NAME: Final = "custom"
_NAMED: Final = logging.getLogger("streampoll.custom")


class DeviceClients:
    """`Clients` of one poll."""

    def __init__(
        self, target: CustomTarget, ask: Ask, profiles: Mapping[str, PollPlan], secrets: Collection[str]
    ) -> None:
        self._ask = ask
        self._profiles = profiles
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + target.limit_s
        self.log = BlackLog(target.device, secrets)
        self.snmp = Snmp(self._polled)
        self.ssh = Ssh(self._polled)
        self.http = Http(self._polled)
        self.requests = 0
        self.first_reply = 0.0

    async def collect(self, profile: str) -> Outcome:
        """Poll the device by another profile, of a built-in protocol."""
        plan = self._profiles.get(profile)
        if plan is None:
            raise PollFailed(Status.CONFIG, f"profile {profile!r} is not known to this worker")
        return await self._counted(plan)

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """In a thread: run a call on the process's loop and return what it returns."""
        left_s = self._ends - self._loop.time()
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(max(left_s, 0.0))

    async def _counted(self, plan: PollPlan) -> Outcome:
        outcome = await self._ask(plan)
        self.requests += outcome.requests
        self.first_reply = self.first_reply or outcome.first_reply
        return outcome

    async def _polled(self, plan: PollPlan) -> Outcome:
        """Poll by a plan; what is no answer is raised."""
        outcome = await self._counted(plan)
        if not outcome.status.answered:
            raise PollFailed(outcome.status, outcome.error)
        return outcome


class Snmp:
    """SNMP to the device."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def get(self, *oids: str) -> dict[str, Value]:
        """Return the values of instances by OID; None for one that does not exist."""
        return dict((await self._ask(_get_plan(oids))).values)

    async def walk(self, oid: str, max_rows: int = 10_000) -> dict[str, Value]:
        """Return a column's values by index."""
        table = (await self._ask(_walk_plan(oid, max_rows))).tables[_NAME]
        return {str(row[0]): row[1] for row in table.rows}


class Ssh:
    """SSH to the device."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def run(self, command: str, platform: str = "linux") -> str:
        """Return what a command prints."""
        kind = PLATFORMS.get(platform)
        if kind is None:
            raise ValueError(f"no platform {platform!r}")
        if why := why_refused(kind, command):
            raise ValueError(f"{command!r} may change the device: {why}")
        outcome = await self._ask(SshPlan(_NAME, platform, kind.channel, (Command(_NAME, command),)))
        return str(outcome.values.get(_NAME, ""))


class Http:
    """HTTP to the device."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def get(self, path: str, expressions: Mapping[str, str], tls: bool = True) -> dict[str, Value]:
        """Return what JMESPath expressions find in the JSON at a path."""
        scalars = tuple(Field(name, expression) for name, expression in expressions.items())
        return dict((await self._ask(HttpPlan(_NAME, (Request(_NAME, path, scalars=scalars),), tls))).values)


class BlackLog:
    """A log that names the device and shows no secret of its: lines are made here, and only then handed on."""

    def __init__(self, device: str, secrets: Collection[str]) -> None:
        self._device = device
        self._secrets = secrets

    def debug(self, text: str, *args: object) -> None:
        """Write a line that only a developer wants."""
        self._write(logging.DEBUG, text, args)

    def info(self, text: str, *args: object) -> None:
        """Write a line."""
        self._write(logging.INFO, text, args)

    def warning(self, text: str, *args: object) -> None:
        """Write a line that a person should see."""
        self._write(logging.WARNING, text, args)

    def _write(self, level: int, text: str, args: tuple[object, ...]) -> None:
        if _NAMED.isEnabledFor(level):
            said = blackened(text % args if args else text, self._secrets)
            _NAMED.log(level, "device %s: %s", self._device, said, extra=about(device=self._device))


@lru_cache(maxsize=256)  # the collector keeps what it compiles by the plan's identity
def _get_plan(oids: tuple[str, ...]) -> CollectPlan:
    return CollectPlan(_NAME, tuple(Metric(oid, _oid(oid)) for oid in oids))


@lru_cache(maxsize=256)
def _walk_plan(oid: str, max_rows: int) -> CollectPlan:
    return CollectPlan(_NAME, (), (TableSpec(_NAME, (Metric(_NAME, _oid(oid)),), max_rows=max_rows),))


def _oid(text: str) -> Oid:
    try:
        return tuple(map(int, text.strip(".").split(".")))
    except ValueError:
        raise ValueError(f"{text!r} is not an OID in numbers") from None
