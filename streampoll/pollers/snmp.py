"""The SNMP poller: a target becomes an agent, and the engine does the rest.

The engine and its sockets are made at the first poll, so in the forked child and in its loop. It is our own, or pysnmp
with `engine = "pysnmp"`, which is imported only then.
"""

from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Final

from streampoll.config.settings import SnmpSettings
from streampoll.model import Outcome, Scalar, Status, Target
from streampoll.pollers.resolver import Resolver, canonical
from streampoll.snmp.client import Counters, WireEngine
from streampoll.snmp.collect import Collector
from streampoll.snmp.credential import Community, Credential, Version
from streampoll.snmp.engine import Agent, Engine, Limits
from streampoll.snmp.engines import make_pysnmp_engine
from streampoll.snmp.memory import Memory
from streampoll.snmp.plan import CollectPlan

_VERSIONS: Final = {"1": Version.V1, "2": Version.V2C, "2c": Version.V2C}
_OVERRIDES: Final[dict[str, tuple[str, float, float, float]]] = {  # key -> (field of Limits, factor, least, most)
    "snmp.timeout_s": ("timeout_s", 1.0, 0.001, 3600.0),
    "snmp.retries": ("retries", 1, 0, 1000),
    "snmp.window": ("window", 1, 1, 1000),
    "snmp.gap_ms": ("gap_s", 0.001, 0.0, 3_600_000.0),
    "snmp.max_varbinds": ("max_varbinds", 1, 1, 10_000),
    "snmp.max_repetitions": ("max_repetitions", 1, 1, 10_000),
    "snmp.max_reply_bytes": ("max_reply_bytes", 1, 484, 65_507),
}  # entries may be anybody's: an engine is never told infinity
_SWITCHES: Final = {"snmp.follow_engine_id": "follow_engine_id", "snmp.allow_boots_back": "allow_boots_back"}


_V3_HEAD_BYTES: Final = 110  # a v3 message's head is longer by this than what sizes of replies are estimated with


class _Unusable(Exception):  # noqa: N818 - never leaves this module; becomes an outcome
    """A target that can't be polled as it is configured."""


class SnmpPoller:
    """Polls targets over SNMP."""

    def __init__(self, settings: SnmpSettings) -> None:
        self._settings = settings
        self._limits = Limits(
            settings.timeout_s,
            settings.retries,
            settings.window,
            settings.gap_ms / 1000,
            settings.max_varbinds,
            settings.max_repetitions,
            settings.max_reply_bytes,
            settings.follow_engine_id,
            settings.allow_boots_back,
        )
        self._versions: dict[tuple[int, Version], tuple[Credential, Community]] = {}  # communities in another version
        self._memory = Memory()
        self._resolver = Resolver()
        self._wire: WireEngine | None = None
        self._engine: Engine | None = None  # the same, or pysnmp
        self._collector: Collector | None = None

    @property
    def counters(self) -> Counters | None:
        """What our own engine has counted; None before its first request."""
        return self._wire.counters if self._wire else None

    @property
    def receive_drops(self) -> int | None:
        """Replies lost because the socket's buffer was full; None before the first request."""
        return self._wire.receive_drops if self._wire else None

    @property
    def wall_limit_s(self) -> float:
        """A poll ends after this, with what it has."""
        return self._settings.wall_limit_s

    def poll(
        self, target: Target, plan: CollectPlan, credential: Credential, deadline: float
    ) -> Awaitable[Outcome]:  # fmt: skip
        """Poll a target until `deadline` (the loop's time); whatever happens is an outcome."""
        address = canonical(target.address)
        if address is None:
            return self._poll_name(target, plan, credential, deadline)
        return self._poll_at(address, target, plan, credential, deadline)

    async def _poll_name(self, target: Target, plan: CollectPlan, credential: Credential, deadline: float) -> Outcome:
        try:
            self._agent("", target, credential)  # what is configured wrongly is, whether the name has an address or not
            address = await self._resolver.resolve(target.address)
        except _Unusable as error:
            return Outcome(Status.CONFIG, str(error))
        except OSError as error:
            return Outcome(Status.UNREACHABLE, f"{target.address!r} has no address: {error.strerror or error}")
        return await self._poll_at(address, target, plan, credential, deadline)

    def _poll_at(
        self, address: str, target: Target, plan: CollectPlan, credential: Credential, deadline: float
    ) -> Awaitable[Outcome]:
        try:
            agent = self._agent(address, target, credential)
        except _Unusable as error:
            return _said(Outcome(Status.CONFIG, str(error)))
        if self._collector is None:
            self._collector = self._open()
        return self._collector.collect(agent, plan, deadline)

    def _agent(self, address: str, target: Target, credential: Credential) -> Agent:
        """Return whom to ask. Raises _Unusable: not as it is configured."""
        if (asked := target.overrides.get("snmp.version")) is not None:
            credential = self._in_version(credential, asked)
        limits = self._limits if not target.overrides else _limits(self._limits, target.overrides)
        if not isinstance(credential, Community):
            limits = _with_v3_heads(limits)
        port = target.port or self._settings.port
        if not 0 < port < 65_536:
            raise _Unusable(f"port {port} is none: write a number from 1 to 65535")
        return Agent((address, port), credential, limits)

    def learned(self, target: Target) -> Mapping[str, int]:
        """Return the request sizes and the silence of a target, where they are not as usual."""
        return self._memory.learned((self._resolver.known(target.address), target.port or self._settings.port))

    async def recall(self, target: Target, learned: Mapping[str, int]) -> None:
        """Take over what another process had learned of a target."""
        with suppress(OSError):  # it has no address now; the poll says so
            address = await self._resolver.resolve(target.address)
            self._memory.recall((address, target.port or self._settings.port), learned)

    async def close(self) -> None:
        """Close the engine and its sockets."""
        if self._engine is not None:
            await self._engine.close()
        self._engine = self._collector = None

    def _in_version(self, credential: Credential, asked: Scalar) -> Credential:
        """Return a community in another version; the same object each time, since engines know them by identity."""
        version = _VERSIONS.get(str(asked).removeprefix("v"))
        if version is None or not isinstance(credential, Community):
            what = f"snmp.version {str(asked)[:40]!r} does not go with this credential"
            raise _Unusable(f"{what}; write 1 or 2c, for a community")
        if version is credential.version:
            return credential
        key = id(credential), version
        if key not in self._versions:
            self._versions[key] = credential, replace(credential, version=version)
        return self._versions[key][1]

    def _open(self) -> Collector:
        """Make the engine, and the collector on it."""
        if self._settings.engine == "pysnmp":
            self._engine = make_pysnmp_engine(self._settings)
        else:
            self._engine = self._wire = WireEngine(self._settings)
        return Collector(self._engine, self._memory)


async def _said(outcome: Outcome) -> Outcome:
    return outcome


@lru_cache(maxsize=4096)
def _with_v3_heads(limits: Limits) -> Limits:
    """Leave room for v3's longer heads in replies that are kept under a size."""
    return replace(limits, max_reply_bytes=limits.max_reply_bytes - _V3_HEAD_BYTES)


def _limits(limits: Limits, overrides: Mapping[str, Scalar]) -> Limits:
    """Apply a device's own settings."""
    changes: dict[str, float] = {}
    for key, (name, factor, least, most) in _OVERRIDES.items():
        value = overrides.get(key)
        if value is None:
            continue
        kinds = int if isinstance(factor, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            raise _Unusable(f"override {key} = {str(value)[:40]!r}: write a number from {least} to {most}")
        changes[name] = value * factor
    for key, name in _SWITCHES.items():
        switch = overrides.get(key)
        if isinstance(switch, bool):
            changes[name] = switch
        elif switch is not None:
            raise _Unusable(f"override {key} = {switch!r}: write true or false")
    return replace(limits, **changes) if changes else limits  # type: ignore[arg-type]
