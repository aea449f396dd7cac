"""The poller of custom pollers: whatever somebody else's code does, it ends in time, and as an outcome.

    load (once) -> hand over target, credentials, clients -> run in the loop or in a thread -> judge what it gave

A coroutine function that blocks the loop is a matter for the worker's hard limit, as any such bug.
"""

import asyncio
import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from msgspec import structs

from streampoll.config.credentials import names_of
from streampoll.config.profile_port import PollPlan
from streampoll.config.settings import CustomSettings
from streampoll.custom.credential import CustomCredential
from streampoll.custom.entry import EntryPointError, load_poller
from streampoll.custom.plan import CustomPlan
from streampoll.custom.port import CustomTarget, PollFailed
from streampoll.errors import ConfigError
from streampoll.logs import about
from streampoll.model import Outcome, Status, Target
from streampoll.pollers.custom_clients import DeviceClients
from streampoll.pollers.custom_judge import Nonsense, blackened, judged, secrets_of
from streampoll.pollers.port import CredentialBook
from streampoll.pollers.threads import AllBusy, Threads

log = logging.getLogger(__name__)

Collect = Callable[[Target, PollPlan, float], Awaitable[Outcome]]
"""Polls a target by a plan of a built-in protocol, until a deadline."""

_GRACE_S: Final = 1.0  # that a cancelled poller has to end


@dataclass(frozen=True, slots=True)
class CustomPorts:
    """What custom pollers reach through their clients."""

    credentials: CredentialBook
    profiles: Mapping[str, PollPlan]
    collect: Collect


@dataclass(frozen=True, slots=True)
class _DeviceCredentials:
    """`Credentials` of one poll."""

    own: CustomCredential | None
    others: Mapping[str, Any]  # protocol -> credential, or the outcome that says why it can't be had

    def __getitem__(self, protocol: str) -> Any:
        found = self.others.get(protocol)
        if isinstance(found, Outcome):
            raise PollFailed(found.status, found.error)
        if found is None:
            raise PollFailed(Status.CONFIG, f"the device names no credential for {protocol}")
        return found


class CustomPoller:
    """Runs custom pollers."""

    def __init__(self, settings: CustomSettings, ports: CustomPorts) -> None:
        self._settings = settings
        self._ports = ports
        self._threads = Threads(settings.threads, "poller")
        self._pollers: dict[str, Any] = {}
        self._missing: dict[str, EntryPointError] = {}
        self._stray: set[asyncio.Task[Any]] = set()  # cancelled, and not ended
        self._said: set[tuple[str, str]] = set()  # (poller, what it did) that was logged

    @property
    def wall_limit_s(self) -> float:
        """A poll ends after this, whatever the poller does."""
        return self._settings.wall_limit_s

    @property
    def stuck_s(self) -> float:
        """For how long a thread has been blocked that nobody waits for any more."""
        return self._threads.stuck_s

    async def poll(
        self, target: Target, plan: CustomPlan, credential: CustomCredential | None, deadline: float
    ) -> Outcome:
        """Poll a target until `deadline` (the loop's time); whatever the poller does is an outcome."""
        name = plan.protocol
        try:
            poller = self._pollers.get(name) or await self._load(name)
        except EntryPointError as error:
            return Outcome(Status.CONFIG, str(error))
        others = await self._others(target, name)
        secrets = secrets_of(credential, others)
        limit_s = deadline - asyncio.get_running_loop().time()
        given = CustomTarget(
            target.device, target.address, target.port, target.profile, target.credential, target.overrides,
            plan.options, limit_s,
        )  # fmt: skip
        ask = partial(self._ask, target, deadline)
        clients = DeviceClients(given, ask, self._ports.profiles, secrets)
        call = partial(poller, given, _DeviceCredentials(credential, others), clients)
        try:
            outcome = judged(await self._run(poller, call, deadline), secrets)
        except Exception as error:  # noqa: BLE001 - somebody else's code
            outcome = self._failure(name, target, error, limit_s, secrets)
        first_reply = outcome.first_reply or clients.first_reply
        return structs.replace(outcome, requests=outcome.requests or clients.requests, first_reply=first_reply)

    async def close(self) -> None:
        """Cancel what does not end; threads are left to themselves."""
        for task in self._stray:
            task.cancel()

    async def _load(self, name: str) -> Any:
        """Import a poller, off the loop; one that can't be imported is not tried again by this process."""
        if name in self._missing:
            raise self._missing[name]
        try:
            poller = self._pollers[name] = await asyncio.to_thread(load_poller, name)
        except EntryPointError as error:
            log.error("%s", error, exc_info=error.__cause__)
            self._missing[name] = EntryPointError(str(error))
            raise
        return poller

    async def _others(self, target: Target, own: str) -> dict[str, Any]:
        """Return the device's first credential of each other protocol."""
        found: dict[str, Any] = {}
        for name in names_of(target.credential):
            try:
                protocol = self._ports.credentials.protocol(name)
                if protocol != own and protocol not in found:
                    found[protocol] = await self._ports.credentials.fetch(name)
            except KeyError:
                continue
            except ConfigError as error:
                found[protocol] = Outcome(Status.CONFIG, str(error))
        return found

    async def _ask(self, target: Target, deadline: float, plan: PollPlan) -> Outcome:
        if isinstance(plan, CustomPlan):
            return Outcome(Status.CONFIG, f"profile {plan.profile!r} is a custom poller's itself")
        return await self._ports.collect(target, plan, deadline)

    async def _run(self, poller: Any, call: Callable[[], Any], deadline: float) -> Any:
        is_async = inspect.iscoroutinefunction(poller) or inspect.iscoroutinefunction(type(poller).__call__)
        if getattr(poller, "blocking", not is_async):
            return await self._threads.run((lambda: asyncio.run(_awaited(call))) if is_async else call, deadline)
        return await self._run_in_loop(_awaited(call), deadline)

    async def _run_in_loop(self, run: Coroutine[Any, Any, Any], deadline: float) -> Any:
        """Run a coroutine until the deadline, and not much longer if it does not heed its cancellation."""
        task = asyncio.create_task(run, name="custom poller")
        try:
            await asyncio.wait([task], timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        finally:
            if not task.done():
                task.cancel()
                self._stray.add(task)
                task.add_done_callback(self._gone)
        if task.done():
            return task.result()
        await asyncio.wait([task], timeout=_GRACE_S)
        raise TimeoutError

    def _gone(self, task: "asyncio.Task[Any]") -> None:
        self._stray.discard(task)
        if not task.cancelled():
            task.exception()  # seen

    def _failure(self, name: str, target: Target, error: Exception, limit_s: float, secrets: Any) -> Outcome:
        """Return the outcome of a poller that gave none."""
        if isinstance(error, PollFailed):
            return Outcome(error.status, blackened(error.error, secrets))
        if isinstance(error, AllBusy):
            return Outcome(Status.ERROR, f"poller {name!r} was not begun within {limit_s:.2g} s: {error}")
        if isinstance(error, TimeoutError) and not error.args:
            return Outcome(Status.TIMEOUT, f"poller {name!r} did not end within {limit_s:.2g} s")
        what = f"{type(error).__name__}: {error}" if not isinstance(error, Nonsense) else str(error)
        text = blackened(" ".join(what.split()), secrets)[:300]
        if (name, type(error).__name__) not in self._said:
            self._said.add((name, type(error).__name__))
            story = "".join(traceback.format_exception(error))
            log.error("device %s: a bug in poller %r:\n%s", target.device, name, blackened(story, secrets),
                      extra=about(device=target.device))  # fmt: skip
        return Outcome(Status.ERROR, f"poller {name!r} {'' if isinstance(error, Nonsense) else 'raised '}{text}")


async def _awaited(call: Callable[[], Any]) -> Any:
    """Await a poller; what would end the process is an error like any other."""
    try:
        return await call()
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise
        raise RuntimeError("it cancelled itself") from None
