"""A `DeviceReport` as text and as JSON."""

from collections.abc import Iterator
from typing import Any

from streampoll.observe import words
from streampoll.observe.device import DeviceReport, JobOfDevice, LastPoll, LearnedOfDevice
from streampoll.results.render import clock, plain

_NUMBERS = {"varbinds": "asked for at most {} values a request"}


def as_json(report: DeviceReport) -> dict[str, Any]:
    """Return the report as one object; what is not known is null."""
    device = report.device
    return {
        "name": device.name,
        "address": device.address,
        "port": device.port or None,
        "enabled": device.enabled,
        "profile": device.profile,
        "credentials": [{"name": each.name, "protocol": each.protocol or None} for each in report.credentials],
        "groups": list(device.groups),
        "site": device.site,
        "role": device.role,
        "vendor": device.vendor,
        "tags": list(device.tags),
        "interval_s": device.interval_s or None,
        "parent": device.parent,
        "overrides": dict(device.overrides),
        "shard": report.shard,
        "jobs": [_job_json(job) for job in report.jobs],
        "learned": None if report.learned is None else [_learned_json(each) for each in report.learned],
        "troubles": list(report.troubles),
    }


def _job_json(job: JobOfDevice) -> dict[str, Any]:
    last = job.last
    return {
        "job": job.job,
        "profile": job.profile,
        "schedule": job.schedule,
        "phase_s": job.phase_s,
        "next_slot": clock(job.next_slot or 0),
        "last": last and {
            "slot": clock(last.slot),
            "status": last.status,
            "error": last.error,
            "duration_ms": last.duration_ms,
            "started_late_ms": last.started_late_ms,
            "stored_late_ms": last.stored_late_ms,
        },
    }  # fmt: skip


def _learned_json(learned: LearnedOfDevice) -> dict[str, Any]:
    return {
        "protocol": learned.protocol,
        "credential": learned.credential or None,
        "numbers": dict(learned.numbers),
        "silent_polls": learned.silent_polls,
        "silent_since": clock(learned.silent_since or 0),
    }


def text_lines(report: DeviceReport, now: float) -> Iterator[str]:
    """Yield the report as lines for a terminal."""
    device = report.device
    port = f", port {device.port}" if device.port else ""
    state = "" if device.enabled else ", not enabled"
    yield f"{plain(device.name)}  {plain(device.address)}{port}, shard {report.shard:02}{state}"
    for name, text in _facts(report):
        yield f"  {name:<12}{plain(text)}"
    yield ""
    if not report.jobs:
        yield "No job polls it."
    for job in report.jobs:
        yield from _job_lines(job, now)
    yield ""
    yield from _learned_lines(report, now)
    for trouble in report.troubles:
        yield f"! {plain(trouble)}"


def _facts(report: DeviceReport) -> Iterator[tuple[str, str]]:
    """Yield what the inventory says, where it says something."""
    device = report.device
    known = [f"{each.name} ({each.protocol or 'unknown'})" for each in report.credentials]
    facts = {
        "profile": device.profile,
        "credentials": ", ".join(known),
        "groups": ", ".join(device.groups),
        "site": device.site,
        "role": device.role,
        "vendor": device.vendor,
        "tags": ", ".join(device.tags),
        "behind": device.parent,
        "overrides": ", ".join(f"{name} = {value}" for name, value in device.overrides.items()),
    }
    yield from ((name, text) for name, text in facts.items() if text)


def _job_lines(job: JobOfDevice, now: float) -> Iterator[str]:
    phase = "" if job.phase_s is None else f" at second {job.phase_s}"
    due = f"next {clock(job.next_slot)}, in {words.span(job.next_slot - now)}" if job.next_slot else "never again"
    yield f"Job {job.job}: profile {plain(job.profile or '?')}, {job.schedule}{phase}, {due}"
    yield f"  last: {_last(job.last)}" if job.last else "  last: none is stored"


def _last(last: LastPoll) -> str:
    late = "" if last.started_late_ms is None else f", started {words.seconds(last.started_late_ms / 1000)} late"
    stored = words.seconds(last.stored_late_ms / 1000)
    head = f"{clock(last.slot)}  {last.status}, {last.duration_ms} ms{late}, stored {stored} after it was due"
    return f"{head}: {plain(last.error)}" if last.error else head


def _learned_lines(report: DeviceReport, now: float) -> Iterator[str]:
    if report.learned is None:
        yield "What was learned of it is not known."
    elif not report.learned:
        yield "Nothing was learned of it: it is polled like any other."
    for each in report.learned or ():
        yield f"Learned over {each.protocol}:"
        if each.credential:
            yield f"  credential {plain(each.credential)} worked, and is tried first"
        for name, value in each.numbers.items():
            yield "  " + _NUMBERS.get(name, f"{plain(name)}: {{}}").format(value)
        if each.silent_polls:
            since = (
                f" since {clock(each.silent_since)} ({words.span(now - each.silent_since)})"
                if each.silent_since
                else ""
            )
            yield f"  silent{since}, at least {each.silent_polls} polls; it gets one request a poll until it answers"
