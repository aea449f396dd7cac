"""What became of a poll that has no row, in words, with what to do next where there is something. Pure.

Redis goes first: what is there is not over. Then the ledger, which says whether it was dispatched or why not, and the
plan, which says whether it was due at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from streampoll.config.jobs import Job
from streampoll.coordinator.due import interval_of, is_due, polls, recent_slots
from streampoll.model import Device, QueueClass
from streampoll.observe.words import span
from streampoll.results.books import Books, Said
from streampoll.results.promise import FOREVER, Promise
from streampoll.results.render import clock, plain
from streampoll.shards.port import Pause, Paused, Worker
from streampoll.shards.ring import phase_of
from streampoll.shards.whereabouts import MOST, Found, PollKey, State

WHY_SKIPPED: Final = {
    "backlog": "more polls of the job were unfinished in its shard than it has devices there, so the workers were a "
    "whole round behind",
    "results": "more results waited in its shard than coordinator.results_high_water, so the store was behind",
    "memory": "Redis was fuller than redis.memory_high_water allows",
    "late": "no coordinator dispatched it within coordinator.grace_s: none led, or Redis was away",
}  # docs/architecture.md has the same list


class What(StrEnum):
    """What became of it."""

    WAITING = "waiting"  # in its stream, with nobody
    HELD = "with a worker"  # delivered and not finished
    DELAYED = "delayed"  # to be tried again
    DEAD = "given up"  # a dead letter
    NOT_STORED = "not stored yet"  # polled; its result is in Redis
    SKIPPED = "skipped"  # by the coordinator, with a cause
    LOST = "lost"  # with data of Redis
    MISSING = "missing"  # nobody knows: this must not be
    NOT_DUE = "not due"
    NOT_YET = "not dispatched yet"
    UNKNOWN = "not known any more"  # older than the ledger
    UNREAD = "not found"  # and not all of Redis was read


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a poll, and why."""

    what: What
    why: str  # sentences
    cause: str = ""  # of a skip, as the ledger has it


@dataclass(frozen=True, slots=True)
class Around:
    """What goes on around polls now."""

    now: float  # seconds of Redis
    workers: Mapping[str, Worker]  # those that beat within the last minute, by id
    dead_after_s: float
    claim_idle_s: float
    leader: str = ""  # "": nobody leads
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A poll without a row, and what is known of it."""

    key: PollKey
    device: Device
    job: Job | None  # None: the configuration has none of this name
    shard: int
    found: Found | None
    books: Books
    around: Around


def fate_of(case: Case) -> Fate:
    """Say what became of a poll that has no row."""
    if case.found is None:
        return _not_in_redis(case)
    if case.found.state is not State.UNREAD:
        return _in_redis(case, case.found)
    fate = _not_in_redis(case)
    more = (
        f"More than {MOST:,} entries of class {case.found.queue} of shard {case.shard:02} are in one place of Redis, "
    )
    more += "and no more were read: it may be among the others."
    if fate.what is What.MISSING:
        return Fate(What.UNREAD, f"It was due, and there is no row. {more}")
    return replace(fate, why=f"{fate.why} {more}")


def _not_in_redis(case: Case) -> Fate:
    """Say by ledger and plan what became of it."""
    slot, books = case.key.slot, case.books
    if slot > case.around.now:
        return Fate(What.NOT_YET, f"That is {span(slot - case.around.now)} from now.")
    if books.kept_since is None or slot < books.kept_since:
        begins = books.first or books.kept_since
        since = f": it begins at {clock(begins)}, and older days are dropped" if begins else ", for there is none yet"
        return Fate(What.UNKNOWN, f"The ledger does not reach back so far{since} (postgres.retention_days).")
    if not _was_due(case):
        return Fate(What.NOT_DUE, _why_not_due(case))
    return _by_ledger(case)


def _in_redis(case: Case, found: Found) -> Fate:
    """Say where in Redis it is."""
    if found.state is State.DEAD:
        why = f"It was given up at {clock(found.at)} in delivery {found.delivery}: {plain(found.cause)}."
        return Fate(What.DEAD, f"{why} `streampoll dead show {found.letter}` shows it.")
    if found.state is State.DELAYED:
        return Fate(What.DELAYED, f"A worker put it off: it is to be tried again at {clock(found.at)}.")
    polled = found.queue is QueueClass.RESULTS
    begin = "It was polled, and its result" if polled else "It"
    if found.state is State.HELD:
        why = f"{begin} has been with worker {found.consumer} since {clock(case.around.now - found.idle_s)} or earlier"
        why += f", in delivery {found.delivery}." + _of_holder(case.around, found)
    else:
        why = f"{begin} has waited in the stream of shard {case.shard:02} since {clock(found.at)}."
        why += _of_readers(case.around, found.queue)
    what = What.HELD if found.state is State.HELD else What.WAITING
    return Fate(What.NOT_STORED if polled else what, why)


def _of_holder(around: Around, found: Found) -> str:
    """Say how the worker is that holds an entry."""
    worker = around.workers.get(found.consumer)
    silent_s = around.now - worker.beat if worker else None
    if silent_s is not None and silent_s <= around.dead_after_s:
        return " That worker is alive."
    silent = "a minute or longer" if silent_s is None else span(silent_s)
    left_s = around.claim_idle_s - found.idle_s
    then = "another worker is about to take it over" if left_s <= 0 else f"in {span(left_s + 1)} another takes it over"
    return f" That worker has been silent for {silent}: it is dead, stopped or cut off; {then}."


def _of_readers(around: Around, queue: QueueClass) -> str:
    """Say why nobody takes an entry, if nobody would."""
    for pause in around.pauses:
        if pause.kind is Paused.QUEUE and pause.name == queue:
            return f" Class {queue} is {_paused(pause)}."
    since = around.now - around.dead_after_s
    if not any(queue in worker.queues and worker.beat >= since for worker in around.workers.values()):
        return f" No worker serves class {queue} now."
    return ""


def _paused(pause: Pause) -> str:
    reason = f": {plain(pause.reason)}" if pause.reason else ""
    return f"paused since {clock(pause.since)} by {plain(pause.by)}{reason}"


def _was_due(case: Case) -> bool:
    """Return True if the plan of that time made the device due then."""
    plan, slot = case.books.plan, case.key.slot
    if plan is None or not plan.due_between(slot, slot):
        return False
    return plan.cron is not None or any(_has(plan, interval_s, case) for interval_s in _intervals(plan, case))


def _intervals(plan: Promise, case: Case) -> list[int]:
    """Return the interval that the device has now, if the plan of then knows it; else all that it knows."""
    own = interval_of(case.job, case.device) if case.job else 0
    return [own] if own in plan.intervals else list(plan.intervals)


def _has(plan: Promise, interval_s: int, case: Case) -> bool:
    spread = case.job is None or case.job.spread
    phase = phase_of(case.key.device, case.key.job, interval_s) if spread else 0
    return case.key.slot % interval_s == phase and phase in plan.intervals[interval_s]


def _why_not_due(case: Case) -> str:
    """Say why nothing was due: somebody's decision, or the schedule."""
    job, device, books, slot = case.job, case.device, case.books, case.key.slot
    for pause in case.around.pauses:
        if pause.kind is Paused.JOB and pause.name == case.key.job and pause.since <= slot:
            return f"The job is {_paused(pause)}."
    if not device.enabled:
        return "The inventory has the device disabled."
    if job is None:
        return "The configuration has no such job any more."
    if not job.enabled:
        return "The job is disabled."
    if not polls(job, device):
        return "The job does not poll the device: its select does not fit."
    if not is_due(job, device, slot):
        return _schedule(case, job)
    if books.plan is None:
        began = f"it began at {clock(books.first)}" if books.first else "it has not begun"
        return f"The job was not dispatched in shard {case.shard:02} yet: {began}."
    until = "now" if books.plan.valid_to >= FOREVER else clock(books.plan.valid_to)
    force = f"the plan in force from {clock(books.plan.valid_from)} to {until}"
    return f"By {force} it was not: the job was paused or disabled then, or did not have the device."


def _schedule(case: Case, job: Job) -> str:
    """Say when it is due instead."""
    before = next(iter(recent_slots(job, case.device, case.key.slot, 1)), None)
    every = interval_of(job, case.device)
    how = f"each {span(every)}" if every else f'by cron = "{job.cron}"'
    return f"It is due {how}" + (f", the last time before that at {clock(before)}." if before else ".")


def _by_ledger(case: Case) -> Fate:
    """Say what the ledger has of a poll that was due."""
    slot, books = case.key.slot, case.books
    skips = [each for each in books.entries if each.skipped]
    count = sum(each.count for each in books.entries if each.plan)
    if skips and not count:
        return _skipped(skips[0])
    if books.losses:
        return Fate(What.LOST, f"Redis lost data of shard {case.shard:02} then: {'; '.join(books.losses)}.")
    if skips:
        sure = _skipped(skips[0])
        all_of_it = count + skips[0].skipped
        many = f"{skips[0].skipped} of the {all_of_it} polls that were due with it were skipped, this one likely too"
        return Fate(What.SKIPPED, f"{many}. {sure.why}", sure.cause)
    if not books.entries and slot > (books.last or 0):
        return _undispatched(case)
    said = "It was dispatched" if count else "It was due by the plan, and the ledger has nothing of it"
    return Fate(
        What.MISSING, f"{said}, and there is neither a row nor anything in Redis. See `streampoll audit --list`."
    )


def _skipped(said: Said) -> Fate:
    why = WHY_SKIPPED.get(said.cause, "")
    if said.last > said.first:
        why += f"{'; ' if why else ''}all from {clock(said.first)} to {clock(said.last)} were skipped"
    return Fate(What.SKIPPED, f"Cause {said.cause}: {why}.", said.cause)


def _undispatched(case: Case) -> Fate:
    led = f"{case.around.leader} leads" if case.around.leader else "no coordinator leads"
    last = case.books.last
    reached = f"has come to {clock(last)}" if last else "has not begun"
    return Fate(What.NOT_YET, f"The dispatch of the job in shard {case.shard:02} {reached}; {led}.")


def fate_json(key: PollKey, fate: Fate) -> dict[str, Any]:
    """Return a fate as one object, with the keys of a story's beginning."""
    return {
        "device": key.device, "job": key.job, "slot": clock(key.slot), "status": None, "fate": fate.what.value,
        "cause": fate.cause or None, "why": fate.why,
    }  # fmt: skip
