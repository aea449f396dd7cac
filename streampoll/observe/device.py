"""What `streampoll device` knows of one device: what the inventory says, when it is due, what was learned, what came.

`describe` is pure; what Redis and PostgreSQL add is put in by whoever reads them. What is not known is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streampoll.config.credentials import Credentials, names_of
from streampoll.config.jobs import Job
from streampoll.coordinator.layout import schedule_of
from streampoll.coordinator.schedule import Cron
from streampoll.model import Device, Scalar
from streampoll.results.reader import StoredPoll
from streampoll.shards.device_record import DeviceRecord
from streampoll.shards.ring import phase_of, shard_of


@dataclass(frozen=True, slots=True)
class CredentialName:
    """A credential that a device names."""

    name: str
    protocol: str  # "": credentials.toml does not know it


@dataclass(frozen=True, slots=True)
class LastPoll:
    """How a job's newest poll of the device ended."""

    slot: int  # seconds since the epoch
    status: str
    error: str
    duration_ms: int
    started_late_ms: int | None  # after the slot; None: it was not started
    stored_late_ms: int  # after the slot


@dataclass(frozen=True, slots=True)
class JobOfDevice:
    """A job that polls the device."""

    job: str
    profile: str
    schedule: str  # "every 60 s" or the cron line
    phase_s: int | None  # the second of the interval at which it is due; None: by cron
    next_slot: int | None  # None: never again
    last: LastPoll | None = None


@dataclass(frozen=True, slots=True)
class LearnedOfDevice:
    """What was learned of a device over one protocol."""

    protocol: str
    credential: str = ""  # that worked; "": the first that the device names
    numbers: Mapping[str, int] = field(default_factory=dict)  # as the protocol's poller calls them
    silent_since: int | None = None  # seconds since the epoch
    silent_polls: int | None = None  # in a row, at least


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """One device."""

    device: Device
    shard: int
    credentials: Sequence[CredentialName]
    jobs: Sequence[JobOfDevice]
    learned: Sequence[LearnedOfDevice] | None = None  # None: Redis could not be asked
    troubles: Sequence[str] = ()

    @property
    def overrides(self) -> Mapping[str, Scalar]:
        """The device's own settings."""
        return self.device.overrides


def describe(device: Device, jobs: Sequence[Job], credentials: Credentials, shards: int, now: int) -> DeviceReport:
    """Return what the configuration says of a device."""
    named = [
        CredentialName(name, credentials.protocol(name) if name in credentials else "")
        for name in names_of(device.credential)
    ]
    polled = [job for job in jobs if job.enabled and device.enabled and job.selector.matches(device)]
    shard = shard_of(device.address, shards)
    return DeviceReport(device, shard, named, [_job(job, device, now) for job in polled])


def _job(job: Job, device: Device, now: int) -> JobOfDevice:
    """Return when a job polls a device, as a plan has it."""
    profile, schedule = job.profile or device.profile, schedule_of(job)
    first = max(now + 1, job.start)
    if isinstance(schedule, Cron):
        words, phase_s, due = f"{job.cron} ({job.timezone})", None, schedule.next_after(first - 1)
    else:
        interval_s = device.interval_s or job.every_s
        phase_s = phase_of(device.name, job.name, interval_s) if job.spread else 0
        words, due = f"every {interval_s} s", first + (phase_s - first) % interval_s
    return JobOfDevice(job.name, profile, words, phase_s, due if not job.end or due < job.end else None)


def learned_of(record: DeviceRecord | None) -> list[LearnedOfDevice]:
    """Return what a record says, by protocol; nothing for a device that is as it should be."""
    if record is None:
        return []
    return [_learned(record, protocol) for protocol in sorted({*record.credential, *record.learned})]


def _learned(record: DeviceRecord, protocol: str) -> LearnedOfDevice:
    numbers = dict(record.learned.get(protocol, {}))
    silent = numbers.pop("silent", None)
    since = record.since.get(protocol) if silent else None
    return LearnedOfDevice(protocol, record.credential.get(protocol, ""), numbers, since, silent)


def last_of(poll: StoredPoll) -> LastPoll:
    """Return how a stored poll ended, with its lateness."""
    started = poll.trace.started
    late_ms = round((started - poll.slot) * 1000) if started else None
    return LastPoll(poll.slot, poll.status.word, poll.outcome.error, poll.duration_ms, late_ms, poll.stored_ms)
