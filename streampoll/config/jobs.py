"""Jobs: what is polled when, and which devices it is about. `[jobs.NAME]` in streampoll.toml.

A slot is a whole second, so an interval is too. Which second of it a device gets is the coordinator's affair.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from croniter import CroniterError, croniter

from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest, shorten
from streampoll.config.selector import Selector, read_selector
from streampoll.model import QueueClass

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")  # it is part of Redis fields, which ":" separates
_LEAP_YEAR = datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC"))  # where the search for a cron line's first time begins


@dataclass(frozen=True, slots=True)
class Job:
    """A schedule, a profile and the devices that it is for."""

    name: str
    every_s: int = 0  # the interval; 0: `cron` says when
    cron: str = ""  # five fields, in `timezone`; "": `every_s` says when
    timezone: str = "UTC"
    spread: bool = True  # each device has a phase of its own in the interval; False: all at once
    profile: str = ""  # "": the device's
    selector: Selector = Selector()  # noqa: RUF009 - frozen
    start: int = 0  # seconds since the epoch before which nothing is due; 0: none
    end: int = 0  # seconds since the epoch from which on nothing is due; 0: none
    enabled: bool = True
    queue: QueueClass = QueueClass.POLLING

    def mean_interval_s(self) -> float:
        """Return the mean time between two slots, in seconds; of a cron line over its next 200."""
        if self.every_s:
            return float(self.every_s)
        times = croniter(self.cron, _LEAP_YEAR)
        slots: list[float] = [times.get_next(float) for _ in range(201)]
        return (slots[-1] - slots[0]) / 200


@dataclass(frozen=True, slots=True)
class _JobTable:
    """A job as streampoll.toml has it."""

    every: Annotated[int, msgspec.Meta(ge=1, extra={"unit": "s"})] = 0
    cron: str = ""
    timezone: str = "UTC"
    spread: bool = True
    profile: str = ""
    select: Any = None
    start: Any = None
    end: Any = None
    enabled: bool = True


def read_jobs(place: Place) -> tuple[Job, ...]:
    """Return the jobs of streampoll.toml, in its order; wrong ones are left out, with faults."""
    jobs = place.at("jobs")
    read = [_job(name, table, jobs.at(name)) for name, table in jobs.table(place.source.data.get("jobs", {})).items()]
    return tuple(job for job in read if job is not None)


def _job(name: str, data: Any, place: Place) -> Job | None:
    """Return one job, or None with faults."""
    before = len(place.report.faults)
    if not _NAME.fullmatch(name):
        place.fault(f"{shorten(name)} is not a job's name", "letters, digits, _ . - only, at most 63")
    table = read_table(_JobTable, data, place)
    if table is None:
        return None
    check_schedule(table.every, table.cron, place)
    zone = read_zone(table.timezone, place)
    start, end = read_moment(table.start, zone, place.at("start")), read_moment(table.end, zone, place.at("end"))
    if start and end and start >= end:
        place.at("end").fault("ends before it starts", "set an end after start")
    selector = Selector() if table.select is None else read_selector(table.select, place.at("select"))
    if selector is None or len(place.report.faults) > before:
        return None
    return Job(
        name, table.every, table.cron, table.timezone, table.spread, table.profile,
        selector, start, end, table.enabled,
    )  # fmt: skip


def check_schedule(every: int, cron: str, place: Place) -> None:
    """Refuse a job or workflow without a schedule, with two, or with a cron line that never comes."""
    if bool(every) == bool(cron):
        what = "has both every and cron" if every else "has no schedule"
        place.fault(what, 'write one of every = "60s" and cron = "*/5 * * * *"')
    elif cron:
        check_cron(cron, place.at("cron"))


def check_cron(line: str, place: Place) -> None:
    """Refuse what is no cron line, or never comes."""
    if not line.startswith("@") and len(line.split()) != 5:
        place.fault(f"{shorten(line)} has {len(line.split())} fields", "write minute hour day month weekday")
        return
    try:
        croniter(line, _LEAP_YEAR).get_next(datetime)
    except (CroniterError, ValueError) as error:
        place.fault(f"{shorten(line)} is not a cron line: {error}", 'write five fields, as "*/5 * * * *"')


def read_zone(name: str, place: Place) -> ZoneInfo:
    """Return the time zone; UTC with a fault if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a directory's name, an absolute path, no such zone
        from zoneinfo import available_timezones  # it reads thousands of files: only for the message

        hint = nearest(name, available_timezones())
        place.at("timezone").fault(f"no time zone {shorten(name)}", hint or 'write one as "Europe/Zurich" or "UTC"')
        return ZoneInfo("UTC")


def read_moment(value: Any, zone: ZoneInfo, place: Place) -> int:
    """Return a date and time as seconds since the epoch, 0 for none; one without an offset is in the job's zone."""
    if value is None:
        return 0
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=zone)).timestamp())
    place.fault(f"{shorten(value)} is not a date and time", "write 2026-01-31T08:00:00Z, without quotes")
    return 0
