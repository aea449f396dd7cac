"""When one device is due by a job, as its plan has it. Pure.

A plan says at which second which devices are due; here is asked the other way round, for one device.
"""

from streampoll.config.jobs import Job
from streampoll.coordinator.layout import schedule_of
from streampoll.coordinator.schedule import Cron
from streampoll.model import Device
from streampoll.shards.ring import phase_of


def polls(job: Job, device: Device) -> bool:
    """Return True if a job polls a device."""
    return job.enabled and device.enabled and job.selector.matches(device)


def interval_of(job: Job, device: Device) -> int:
    """Return the seconds between two polls of a device; 0 for a job with a cron line."""
    return 0 if job.cron else device.interval_s or job.every_s


def is_due(job: Job, device: Device, tick: int) -> bool:
    """Return True if a device that the job polls is due at a tick."""
    schedule = schedule_of(job)
    if isinstance(schedule, Cron):
        return schedule.next_after(tick - 1) == tick
    return (tick - _phase(job, device)) % interval_of(job, device) == 0


def recent_slots(job: Job, device: Device, now: int, count: int) -> list[int]:
    """Return the last ticks up to `now` at which a device that the job polls was due, the newest first."""
    schedule = schedule_of(job)
    latest = min(now, job.end - 1) if job.end else now
    if isinstance(schedule, Cron):
        slots = schedule.last_until(latest, count)
    else:
        interval_s = interval_of(job, device)
        first = latest - (latest - _phase(job, device)) % interval_s
        slots = [first - n * interval_s for n in range(count)]
    return [slot for slot in slots if slot >= job.start]


def _phase(job: Job, device: Device) -> int:
    """Return the second of the interval at which a device is due."""
    return phase_of(device.name, job.name, interval_of(job, device)) if job.spread else 0
