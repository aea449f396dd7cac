"""Made-up and recorded devices, each polled with a built-in profile, as people see what comes of it."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.embedded.fleet import FleetSettings
from streampoll.model import Outcome
from streampoll.results.render import named_rows
from streampoll.snmp.client import WireEngine
from streampoll.snmp.collect import Collector
from streampoll.snmp.credential import Community, Version
from streampoll.snmp.display import looks_of
from streampoll.snmp.engine import Agent, Limits
from streampoll.snmp.memory import Memory
from streampoll.snmp.plan import CollectPlan
from tests.fleet_support import running_fleet

_FIRST = 1  # 127.1.0.1


def poll_each(devices: Mapping[Path, CollectPlan]) -> list[Outcome]:
    """Serve recordings by one fleet, and poll each with its profile."""
    options = [f"{path}=127.1.0.{number}" for number, path in enumerate(devices, _FIRST)]
    settings = FleetSettings(devices=len(options), latency_ms=(0, 0), recordings=tuple(options))
    with running_fleet(settings) as fleet:
        return asyncio.run(_collect(fleet.port, list(devices.values())))


async def _collect(port: int, plans: list[CollectPlan]) -> list[Outcome]:
    engine, loop = WireEngine(SnmpSettings()), asyncio.get_running_loop()
    try:
        collector, community = Collector(engine, Memory()), Community(Secret("public"), Version.V2C)
        agents = [
            Agent((f"127.1.0.{number}", port), community, Limits()) for number in range(_FIRST, len(plans) + _FIRST)
        ]
        pairs = zip(agents, plans, strict=True)
        return [await collector.collect(agent, plan, loop.time() + 30) for agent, plan in pairs]
    finally:
        await engine.close()


def people_see(plan: CollectPlan, outcome: Outcome) -> dict[str, object]:
    """Return what is shown of a poll, but for the system group and the interfaces: "scalar" and "table.row"."""
    looks = looks_of(plan)
    own = {key: value for key, value in outcome.values.items() if value is not None and not key.startswith("sys")}
    return {key: looks.of("", key, value) or value for key, value in own.items()} | dict(_rows(outcome, plan))


def _rows(outcome: Outcome, plan: CollectPlan) -> Iterator[tuple[str, dict[str, object]]]:
    for title, table in outcome.tables.items():
        for row, cells in named_rows(table, looks_of(plan).of, title):
            there = {key: value for key, value in cells.items() if key not in ("index", "shown") and value is not None}
            if title != "interfaces":
                yield f"{title}.{row}", there | cells.get("shown", {})
