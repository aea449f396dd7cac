"""Asks a device anew who it is, and proposes the profile and the line of the inventory that suit it now."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from streampoll.config.profile_port import PollPlan
from streampoll.config.toml_text import toml_comment, toml_value
from streampoll.discovery.probe import WHO, found_of
from streampoll.discovery.proposal import propose
from streampoll.errors import StreampollError
from streampoll.model import Device, Outcome, Target


class NotFound(StreampollError):  # noqa: N818 - what became of the question
    """A device did not say who it is."""


async def proposal_of(
    target: Target,
    device: Device,
    profiles: Mapping[str, PollPlan],
    ask: Callable[[Target, PollPlan], Awaitable[Outcome]],
) -> tuple[dict[str, Any], str]:
    """Return what a device says of itself with what suits it, and an inventory line as TOML.

    Raises:
        NotFound: it did not answer.
    """
    outcome = await ask(target, WHO)
    if not outcome.status.answered:
        raise NotFound(f"{device.name}: {outcome.error or outcome.status.word}")
    found = found_of(device.address, device.credential, outcome)
    proposed = propose([found], profiles)[0]
    fits = {
        "name": device.name, "address": device.address, "profile": proposed.profile,
        "vendor": proposed.vendor or device.vendor,
    }  # fmt: skip
    if device.credential:
        fits["credential"] = device.credential
    lines = [
        toml_comment(f"{device.name} says it is: {found.description}"), toml_comment(f"sysObjectID {found.object_id}"),
        "[[devices]]", *(f"{key} = {toml_value(value)}" for key, value in fits.items()),
    ]  # fmt: skip
    changed = {"profile": proposed.profile != device.profile, "vendor": fits["vendor"] != device.vendor}
    output = {
        "object_id": found.object_id, "description": found.description, "profile": proposed.profile,
        "vendor": fits["vendor"], "was": device.profile, "differs": any(changed.values()),
    }  # fmt: skip
    return output, "\n".join(lines) + "\n"
