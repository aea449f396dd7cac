"""A coordinator process, put together."""

import asyncio
import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from streampoll.app.counting import counted_by
from streampoll.app.files import Files
from streampoll.app.loop import run_loop, stop_signal, until_settled, when
from streampoll.app.redis_side import open_redis
from streampoll.app.tracing import Tracing
from streampoll.app.watches import watch_plans, watch_workflows
from streampoll.config.load import load_workflows
from streampoll.config.settings import Settings
from streampoll.coordinator.dispatch import Coordinator, Ports
from streampoll.coordinator.pauses import ShownPauses
from streampoll.coordinator.telling_facts import FactsTeller
from streampoll.logs import name_process
from streampoll.results.control import Control
from streampoll.results.migrations import migrate
from streampoll.results.plans import PostgresPlans
from streampoll.results.postgres import Postgres
from streampoll.shards.lease import LeaderLease
from streampoll.shards.presence import Presence, new_worker_id
from streampoll.shards.telling import Telling
from streampoll.worker.child import ChildContext
from streampoll.worker.crew import Role
from streampoll.worker.policy import Rules
from streampoll.worker.process import resident_bytes
from streampoll.workflows.schedule import Scheduling


def coordinator_role(files: Files, settings: Settings) -> Role:
    """Return the role of a coordinator."""
    tracing = Tracing()

    def run_child(context: ChildContext) -> int:
        return run_loop(_serve_coordinator(context, files, settings, tracing))

    rules = Rules(start_timeout_s=settings.worker.start_timeout_s, drain_s=5.0, hard_limit_s=60.0)
    return Role("coordinator", run_child, rules)


async def _serve_coordinator(context: ChildContext, files: Files, settings: Settings, tracing: Tracing) -> int:
    stopped = stop_signal()
    teller = FactsTeller(settings.shards.count, partial(files.devices, settings))
    load = partial(files.plans, settings, *([teller.note] if settings.coordinator.facts else []))
    plans = load()
    workflows = dict(load_workflows(files.where, settings))
    if not await until_settled(settings, context.beat, stopped):
        return 0
    async with open_redis(settings) as side:
        own_id = new_worker_id()
        name_process(own_id)
        spans = tracing.begin("coordinator", own_id, side.clock.now)
        lease = LeaderLease(side.scripts, side.keys, own_id, settings.coordinator.lease_s, side.clock)
        postgres = Postgres(settings.postgres, 1, prepare=migrate)
        store, pauses = PostgresPlans(postgres), ShownPauses(Control(postgres).pauses, side.presence)
        ports = Ports(
            side.streams, lease, store, side.clock.now, context.beat.touch, load,
            store, partial(_publish, side.presence, own_id), pauses, spans.dispatched(),
        )  # fmt: skip
        coordinator = Coordinator(settings.coordinator, settings.shards.count, settings.redis.memory_high_water, ports)
        scheduling = Scheduling(
            side.streams, settings.shards.count, workflows, lambda: lease.held and lease.epoch > 0, side.clock.now
        )
        telling = Telling(side.totals, own_id, counted_by("coordinator", [coordinator]))
        beside = [
            asyncio.create_task(teller.run(side.facts, lambda: lease.held), name="facts"),
            asyncio.create_task(when(stopped, coordinator.stop), name="stop"),
            asyncio.create_task(telling.run(), name="counts"),
            asyncio.create_task(watch_plans(files, settings, coordinator.reload), name="watch"),
            asyncio.create_task(watch_workflows(files, settings, workflows), name="workflow files"),
            asyncio.create_task(scheduling.run(), name="workflows"),
        ]
        try:
            await coordinator.run(plans)
        finally:
            for task in beside:
                task.cancel()
            await store.close()
        await telling.tell()
        spans.close()
    return 0


async def _publish(presence: Presence, own_id: str, figures: Mapping[str, Any]) -> None:
    """Publish what the coordinator says of jobs, with what its process takes."""
    own = {"cpu_s": time.process_time(), "rss_bytes": resident_bytes(), "host": os.uname().nodename}
    await presence.publish(own_id, {**figures, **own})
