"""The poller of SSH: a target becomes a session's key and its limits, and the executor does the rest."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from streampoll.config.settings import SshSettings
from streampoll.model import Outcome, Scalar, Target
from streampoll.ssh.clients import make_connector
from streampoll.ssh.credential import SshCredential
from streampoll.ssh.execute import Executor
from streampoll.ssh.plan import SshPlan
from streampoll.ssh.pool import SessionKey
from streampoll.ssh.port import Endpoint, Limits

_LIMITS: Final = ("connect_timeout_s", "command_timeout_s", "max_output_bytes", "idle_s", "max_sessions")


class SshPoller:
    """Polls targets over SSH."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._limits = Limits(**{name: getattr(settings, name) for name in _LIMITS})
        self._executor: Executor | None = None

    @property
    def wall_limit_s(self) -> float:
        """A poll ends after this, with what it has."""
        return self._settings.wall_limit_s

    @property
    def kept(self) -> int:
        """Sessions that are open and idle."""
        return self._executor.kept if self._executor else 0

    async def poll(self, target: Target, plan: SshPlan, credential: SshCredential, deadline: float) -> Outcome:
        """Poll a target until `deadline` (the loop's time); whatever happens is an outcome."""
        if self._executor is None:
            self._executor = Executor(make_connector(self._settings), self._settings.max_kept)
        own = target.overrides
        port = own.get("ssh.port") or target.port or self._settings.port
        endpoint = Endpoint(target.address, int(port), bool(own.get("ssh.legacy", False)))
        key = SessionKey(endpoint, credential, plan.platform, plan.channel)
        limits = _over(self._limits, own) if own else self._limits
        return await self._executor.run(key, plan, limits, deadline)

    async def close(self) -> None:
        """Close every connection."""
        if self._executor is not None:
            await self._executor.close()
            self._executor = None


def _over(limits: Limits, overrides: Mapping[str, Scalar]) -> Limits:
    """Return limits with a device's own over them; the inventory's reader has checked these."""
    own: dict[str, Any] = {name: overrides[f"ssh.{name}"] for name in _LIMITS if f"ssh.{name}" in overrides}
    return replace(limits, **own)
