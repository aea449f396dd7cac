"""Polls outside the plan, asked for by a person. Pure.

A poll is known by (job, device, slot), so an ad hoc one has a slot at which its device is not due: this second, or
the one before. A device that is due each second can't be run: it is being polled as fast as can be.
"""

from collections import defaultdict
from collections.abc import Iterable

from streampoll.config.jobs import Job
from streampoll.coordinator.due import interval_of, is_due
from streampoll.model import Device
from streampoll.shards.entries import encode_device
from streampoll.shards.ring import device_hash, shard_of
from streampoll.shards.runs import AdHoc

_LEAST_LIFE_S = 60  # after which a poll that was not started is not to be


def ad_hoc(job: Job, devices: Iterable[Device], shards: int, now: int) -> list[AdHoc]:
    """Return the polls of a job's devices as of now, by shard and slot."""
    polls: dict[tuple[int, int], list[tuple[int, bytes]]] = defaultdict(list)
    life_s = _LEAST_LIFE_S
    for device in devices:
        slot = next((slot for slot in (now, now - 1) if not is_due(job, device, slot)), None)
        if slot is not None:
            poll = device_hash(device.name), encode_device(device, job.profile or device.profile)
            polls[shard_of(device.address, shards), slot].append(poll)
            life_s = max(life_s, interval_of(job, device))
    return [AdHoc(shard, job.name, slot, now + life_s, found) for (shard, slot), found in sorted(polls.items())]
