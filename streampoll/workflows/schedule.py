"""Starts workflows by their schedule: the leader adds an entry for each slot, once, and skips those it missed.

A run's id follows from workflow and slot, so a second leader, or a second entry, starts nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from streampoll.coordinator.schedule import Cron
from streampoll.errors import UnavailableError
from streampoll.model import QueueClass
from streampoll.shards.orders import Start, encode_order, run_id
from streampoll.shards.port import DispatchStreams
from streampoll.shards.ring import hash64
from streampoll.workflows.plan import Workflow

log = logging.getLogger(__name__)

_GRACE_S: Final = 60  # a slot missed by more is skipped


def slots_between(workflow: Workflow, after: int, until: int) -> list[int]:
    """Return the slots of a workflow after one second, up to another; of many, the last."""
    schedule = workflow.schedule
    if schedule is None or not workflow.enabled or until <= after:
        return []
    if schedule.every_s:
        last = until - until % schedule.every_s
    else:
        last = Cron(schedule.cron, schedule.timezone).last_until(until, 1)[0]
    return [last] if last > after else []


class Scheduling:
    """Looks each second, while this process leads, which workflows are due."""

    def __init__(
        self,
        streams: DispatchStreams,
        shards: int,
        workflows: Mapping[str, Workflow],
        leads: Callable[[], bool],
        now: Callable[[], float],
    ) -> None:
        self._streams = streams
        self._shards = shards
        self._workflows = workflows
        self._leads = leads
        self._now = now
        self._looked: dict[str, int] = {}  # workflow -> the second up to which its slots are started or skipped

    async def run(self) -> None:
        """Start what is due, for ever."""
        while True:
            if self._leads():
                try:
                    await self.look()
                except UnavailableError as error:
                    log.debug("workflows that are due wait: %s", error)
            await asyncio.sleep(1.0)

    async def look(self) -> int:
        """Start what is due now; return how many runs."""
        now = int(self._now())
        count = 0
        for workflow in list(self._workflows.values()):
            if workflow.schedule is None:
                continue
            after = max(self._looked.get(workflow.name, now - _GRACE_S), now - _GRACE_S)
            for slot in slots_between(workflow, after, now):
                await self._start(workflow, slot)
                count += 1
            self._looked[workflow.name] = now
        return count

    async def _start(self, workflow: Workflow, slot: int) -> None:
        run = run_id(workflow.name, "schedule", str(slot))
        start = Start(run, workflow.name, "schedule")
        await self._streams.add(QueueClass.WORKFLOWS, hash64(run) % self._shards, [encode_order(start, slot)])
        log.info("workflow %s: run %s starts by its schedule", workflow.name, run)
