"""From configuration to plans: every enabled job laid out over the shards of the devices it selects."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from streampoll.config.jobs import Job
from streampoll.coordinator.plan import FOREVER, Plan, PlanTerms, build_plan
from streampoll.coordinator.schedule import Cron, Every, Schedule
from streampoll.model import Device
from streampoll.shards.ring import shard_of


def lay_out(jobs: Iterable[Job], devices: Sequence[Device], shards: int) -> Iterator[Plan]:
    """Yield the plan of each (job, shard) that has devices."""
    homes = [(device, shard_of(device.address, shards)) for device in devices if device.enabled]
    for job in jobs:
        if not job.enabled:
            continue
        by_shard: dict[int, list[Device]] = defaultdict(list)
        for device, shard in homes:
            if job.selector.matches(device):
                by_shard[shard].append(device)
        for shard, chosen in sorted(by_shard.items()):
            terms = PlanTerms(job.name, shard, schedule_of(job), job.start, job.end or FOREVER)
            yield build_plan(terms, chosen, job.profile)


def schedule_of(job: Job) -> Schedule:
    """Return when a job is due."""
    return Cron(job.cron, job.timezone) if job.cron else Every(job.every_s, job.spread)
