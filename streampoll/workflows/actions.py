"""What steps do: each kind a function from a turn to its result. Whatever goes wrong is a result too.

    fill the references in -> do it -> say what it gave

A step's device is found by name; pollers and credentials are the worker's own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from streampoll.config.convert import Place
from streampoll.config.report import Report
from streampoll.config.source import nowhere
from streampoll.config.units import parse_duration
from streampoll.errors import StreampollError
from streampoll.model import Device, Outcome, Target
from streampoll.workflows.alerts import alert
from streampoll.workflows.gave import gave
from streampoll.workflows.mask import masked
from streampoll.workflows.plan import DEVICES, LONGEST_WAIT_S, MOST_ELEMENTS, Does, Step
from streampoll.workflows.port import Again, Collect, Directory, Done, Kept, Polled, Result, Sender, Spread, Turn
from streampoll.workflows.rediscover import proposal_of
from streampoll.workflows.reference import Unfilled, fill, holds, listed
from streampoll.workflows.requests import fill_http, http_plan, ssh_plan
from streampoll.workflows.versions import MOST_CHARACTERS

PROPOSAL: Final = "proposal"
_TASK_LOOKS_S: Final = (0.2, 10.0)  # between two looks for a task's result: at first, at the most
_NO_DEVICE: Final = Device("", "")


@dataclass(frozen=True, slots=True)
class ActionPorts:
    """What steps work with."""

    collect: Collect  # polls a target by a plan, without a credential if it is told so
    profiles: Mapping[str, Any]  # plans by name
    directory: Directory
    sender: Sender
    now: Callable[[], float]  # wall-clock seconds of Redis


class Failed(Exception):  # noqa: N818 - what became of a step
    """A step can't be done; the text says why."""


class Actions:
    """Does steps."""

    def __init__(self, ports: ActionPorts) -> None:
        self._ports = ports
        self._kinds: Mapping[Does, Callable[[Turn, Device], Awaitable[Result]]] = {
            Does.POLL: self._poll, Does.SSH: self._ssh, Does.HTTP: self._http, Does.WAIT: self._wait,
            Does.CONDITION: self._condition, Does.NOTIFY: self._notify, Does.TASK: self._task,
            Does.REDISCOVER: self._rediscover,
        }  # fmt: skip

    async def do(self, turn: Turn) -> Result:
        """Do a step within its time; a mistake, a refusal and a time-out are results."""
        try:
            async with asyncio.timeout(turn.step.timeout_s):
                if turn.spreads:
                    return await self._spread(turn)
                device = await self._device(turn)
                seen = replace(turn, context={**turn.context, "device": _facts(device)})
                return await self._kinds[turn.step.does](seen, device)
        except TimeoutError:
            return Done(error=f"not done within {turn.step.timeout_s:g} s")
        except (Failed, Unfilled, StreampollError) as failure:
            return Done(error=" ".join(str(failure).split()) or type(failure).__name__)

    # -- whom it is about

    async def _spread(self, turn: Turn) -> Spread:
        step = turn.step
        if step.select is not None:
            items: list[Any] = list(await self._ports.directory.select(step.select))
        elif step.for_each == DEVICES:
            items = list(await self._devices(turn))
        else:
            items = listed(step.for_each, turn.context)
        if len(items) > MOST_ELEMENTS:
            raise Failed(f"for_each: {len(items)} elements, at most {MOST_ELEMENTS} are done")
        return Spread(items)

    async def _devices(self, turn: Turn) -> list[str]:
        """Return the devices that the run is about."""
        named: list[str] = turn.context["devices"]
        if named or turn.workflow.select is None:
            return named
        return list(await self._ports.directory.select(turn.workflow.select))

    async def _device(self, turn: Turn) -> Device:
        """Return the step's device; one without a name if it has none."""
        name = _device_name(turn)
        if not name:
            return _NO_DEVICE
        device = await self._ports.directory.find(name)
        if device is None:
            raise Failed(f"device {name!r} is not in the inventory")
        return device

    # -- what is done

    async def _poll(self, turn: Turn, device: Device) -> Result:
        target = _target(turn, device, str(fill(turn.step.spec, turn.context)))
        plan = self._ports.profiles.get(target.profile)
        if plan is None:
            raise Failed(f"profile {target.profile!r} is not known to this worker")
        started = self._ports.now()
        outcome = await self._collect(turn, target, plan)
        polled = Polled(target, outcome, started, self._ports.now())
        return Done(gave(outcome), _why(outcome), {"poll": target.profile, "device": device.name}, polled=polled)

    async def _ssh(self, turn: Turn, device: Device) -> Result:
        words = fill(turn.step.spec, turn.context)
        plan = _read(ssh_plan, turn.step, words)
        target = _target(turn, device)
        outcome = await self._collect(turn, target, plan)
        output = _masked(gave(outcome))
        asked = {"ssh": words, "device": device.name}
        if not turn.step.keep or not outcome.status.answered or outcome.error:
            return Done(output, _why(outcome) or ("" if not turn.step.keep else outcome.error), asked)
        text = "\n".join(str(each) for each in output["values"].values())
        if not text.strip():
            return Done(error="the device said nothing, so nothing was kept", input=asked)
        if len(text) > MOST_CHARACTERS:
            return Done(error=f"{len(text)} characters are more than the {MOST_CHARACTERS} that are kept", input=asked)
        return Done({"device": device.name}, "", asked, kept=Kept(device.name, turn.step.keep, text))

    async def _http(self, turn: Turn, device: Device) -> Result:
        words = fill_http(turn.step.spec, turn.context)
        plan, host = _read(http_plan, turn.step, words)
        if host:
            target = Target(host, host, 0, "", turn.step.credential, {})
            outcome = await self._collect(turn, target, plan, not turn.step.credential)
        else:
            outcome = await self._collect(turn, _target(turn, device), plan)
        return Done(gave(outcome), _why(outcome), {"http": words, "device": device.name})

    async def _wait(self, turn: Turn, device: Device) -> Result:
        if turn.memo is not None:
            return Done(input={"wait": turn.memo["seconds"]})
        text = str(fill(turn.step.spec, turn.context))
        try:
            seconds = parse_duration(text)
        except ValueError:
            raise Failed(f"{text[:60]!r} is not a time to wait") from None
        if seconds > LONGEST_WAIT_S:
            raise Failed(f"{text[:60]!r} is longer than 30 days")
        return Again(seconds, {"seconds": seconds})

    async def _condition(self, turn: Turn, device: Device) -> Result:
        true = holds(turn.step.spec, turn.context)
        return Done({"value": true}, input={"condition": turn.step.spec}, skipped=not true)

    async def _notify(self, turn: Turn, device: Device) -> Result:
        words = fill(turn.step.spec, turn.context)
        return Done({}, "", {"notify": words}, emits=alert(turn, device, words, int(self._ports.now())))

    async def _task(self, turn: Turn, device: Device) -> Result:
        if turn.memo is None:
            words = fill(turn.step.spec, turn.context)
            table: dict[str, Any] = {"name": words} if isinstance(words, str) else words
            key = f"{turn.run}:{turn.step.name}:{turn.element}:{turn.attempt}"
            sent = await self._ports.sender.send(table["name"], table.get("args", []), table.get("kwargs", {}), key)
            return Again(_TASK_LOOKS_S[0], {"task": sent, "since": self._ports.now(), "asked": table})
        ended = await self._ports.sender.result(turn.memo["task"])
        asked = {"task": turn.memo["asked"], "id": turn.memo["task"]}
        if ended is not None:
            return Done({"value": ended[0]}, ended[1], asked)
        waited_s = self._ports.now() - turn.memo["since"]
        if waited_s > turn.step.timeout_s:
            return Done(error=f"task {turn.memo['task']} has not ended within {turn.step.timeout_s:g} s", input=asked)
        return Again(min(max(_TASK_LOOKS_S[0], waited_s / 4), _TASK_LOOKS_S[1]), turn.memo)

    async def _rediscover(self, turn: Turn, device: Device) -> Result:
        output, text = await proposal_of(
            _target(turn, device), device, self._ports.profiles, lambda target, plan: self._collect(turn, target, plan)
        )
        return Done(output, "", {"device": device.name}, kept=Kept(device.name, PROPOSAL, text))

    async def _collect(self, turn: Turn, target: Target, plan: Any, anonymous: bool = False) -> Outcome:
        """Poll, leaving a little of the step's time to say what came of it."""
        ends = asyncio.get_running_loop().time() + 0.95 * turn.step.timeout_s
        return await self._ports.collect(target, plan, ends, anonymous)


def _device_name(turn: Turn) -> str:
    """Return the name of a step's device: what it says, else its element, else the run's first."""
    if turn.step.device:
        return str(fill(turn.step.device, turn.context))
    if turn.step.select is not None or turn.step.for_each == DEVICES:
        return str(turn.item)
    if isinstance(turn.item, Mapping) and isinstance(turn.item.get("device"), str):
        return str(turn.item["device"])
    devices = turn.context["devices"]
    return str(devices[0]) if devices else ""


def _target(turn: Turn, device: Device, profile: str = "") -> Target:
    if not device.name:
        raise Failed("no device: start the run with --device, or say device = …")
    credential = str(fill(turn.step.credential, turn.context)) or device.credential
    return Target(device.name, device.address, device.port, profile, credential, device.overrides)


def _read(reader: Callable[[str, Any, Place], Any], step: Step, words: Any) -> Any:
    """Return what a step's words, filled in, ask for. Raises Failed: they can't be asked."""
    report = Report()
    plan = reader(step.name, words, Place(nowhere(step.name), report))
    if report.faults:
        raise Failed(str(report.faults[0]))
    return plan


def _why(outcome: Outcome) -> str:
    """Return why a poll has failed; "" if it was answered."""
    return "" if outcome.status.answered else outcome.error or outcome.status.word


def _masked(output: dict[str, Any]) -> dict[str, Any]:
    """Return what commands gave with secrets in texts replaced."""

    def of(value: Any) -> Any:
        return masked(value) if isinstance(value, str) else value

    rows = {
        name: [{key: of(each) for key, each in row.items()} for row in rows] for name, rows in output["rows"].items()
    }
    return {**output, "values": {name: of(value) for name, value in output["values"].items()}, "rows": rows}


def _facts(device: Device) -> dict[str, Any]:
    """Return a device as expressions see it; neither its credential nor its settings."""
    return {
        "name": device.name, "address": device.address, "site": device.site, "role": device.role,
        "vendor": device.vendor, "groups": list(device.groups), "tags": list(device.tags), "profile": device.profile,
    }  # fmt: skip
