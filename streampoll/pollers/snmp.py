"""The SNMP poller: a target becomes an agent, and the engine does the rest.

Engines and sockets are made at the first poll, so in the forked child and in its loop. v3 goes to pysnmp, as does
everything with `engine = "pysnmp"`; a process that polls only v1 and v2c never imports it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from streampoll.config.settings import SnmpSettings
from streampoll.model import Outcome, Scalar, Status, Target
from streampoll.pollers.resolver import Resolver
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
        )
        self._versions: dict[tuple[int, Version], tuple[Credential, Community]] = {}  # communities in another version
        self._memory = Memory()
        self._resolver = Resolver()
        self._wire: WireEngine | None = None
        self._engines: dict[bool, tuple[Engine, Collector]] = {}  # by "is pysnmp"

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

    async def poll(self, target: Target, plan: CollectPlan, credential: Credential, deadline: float) -> Outcome:
        """Poll a target until `deadline` (the loop's time); whatever happens is an outcome."""
        try:
            if (asked := target.overrides.get("snmp.version")) is not None:
                credential = self._in_version(credential, asked)
            limits = self._limits if not target.overrides else _limits(self._limits, target.overrides)
            port = target.port or self._settings.port
            if not 0 < port < 65_536:
                raise _Unusable(f"port {port} is none: write a number from 1 to 65535")
            agent = Agent((await self._resolver.resolve(target.address), port), credential, limits)
        except _Unusable as error:
            return Outcome(Status.CONFIG, str(error))
        except OSError as error:
            return Outcome(Status.UNREACHABLE, f"{target.address!r} has no address: {error.strerror or error}")
        return await self._collector(credential).collect(agent, plan, deadline)

    async def close(self) -> None:
        """Close the engines and their sockets."""
        for engine, _ in self._engines.values():
            await engine.close()
        self._engines.clear()

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

    def _collector(self, credential: Credential) -> Collector:
        """Find the collector on the engine for a credential, or make both."""
        is_pysnmp = self._settings.engine == "pysnmp" or not isinstance(credential, Community)
        found = self._engines.get(is_pysnmp)
        if found is None:
            engine: Engine
            if is_pysnmp:
                engine = make_pysnmp_engine(self._settings)
            else:
                engine = self._wire = WireEngine(self._settings)
            found = self._engines[is_pysnmp] = engine, Collector(engine, self._memory)
        return found[1]


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
    return replace(limits, **changes) if changes else limits  # type: ignore[arg-type]
