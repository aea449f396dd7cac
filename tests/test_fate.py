"""What became of a poll without a row, in words."""

from dataclasses import replace
from typing import Any

import pytest

from streampoll.config.jobs import Job
from streampoll.config.selector import Selector
from streampoll.coordinator.layout import schedule_of
from streampoll.coordinator.plan import PlanTerms, build_plan
from streampoll.model import Device, QueueClass
from streampoll.observe.fate import WHY_SKIPPED, Around, Case, Fate, What, fate_json, fate_of
from streampoll.results.books import Books, Said
from streampoll.results.promise import Promise
from streampoll.shards.port import Pause, Paused, Worker
from streampoll.shards.ring import phase_of
from streampoll.shards.whereabouts import Found, PollKey, State

DEVICE, JOB = Device("core-1", "10.0.0.1"), Job("j", every_s=60)
DAY = 1_767_916_800  # 2026-01-09 00:00 UTC
SLOT = DAY + 43_200 + phase_of("core-1", "j", 60)  # noon, and the device's second
ELSEWHERE = SLOT + 1
WORKERS = {
    "w1": Worker("w1", frozenset({"polling"}), SLOT + 99.5),
    "w2": Worker("w2", frozenset({"polling"}), SLOT + 60.0),
}
AROUND = Around(SLOT + 100.0, WORKERS, 3.0, 30.0, "c1")


def plan(devices: tuple[Device, ...] = (DEVICE,), job: Job = JOB) -> Promise:
    made = build_plan(PlanTerms(job.name, 7, schedule_of(job)), devices, "p")
    return Promise.read(DAY, None, made.summary())


BOOKS = Books(DAY, DAY + 60, SLOT + 60, plan())


def told(**changes: Any) -> Fate:
    case = Case(PollKey("j", "core-1", SLOT), DEVICE, JOB, 7, None, BOOKS, AROUND)
    return fate_of(replace(case, **changes))


def booked(*entries: Said, **changes: Any) -> Books:
    return replace(BOOKS, entries=entries, **changes)


def skipped(cause: str, count: int = 0) -> Said:
    return Said(SLOT, SLOT, 9, count, 4, cause)


@pytest.mark.parametrize("cause", WHY_SKIPPED)
def test_a_skipped_poll_is_told_with_its_cause(cause: str) -> None:
    fate = told(books=booked(skipped(cause)))

    assert (fate.what, fate.cause) == (What.SKIPPED, cause)
    assert fate.why == f"Cause {cause}: {WHY_SKIPPED[cause]}."


def test_a_range_of_skipped_ticks_is_told_by_its_ends() -> None:
    fate = told(books=booked(Said(SLOT - 60, SLOT + 60, 9, 0, 9, "late")))

    assert fate.what is What.SKIPPED
    assert "all from 2026-01-09T11:5" in fate.why


def test_where_part_of_a_tick_was_skipped_it_is_likely_and_no_more() -> None:
    fate = told(books=booked(skipped("backlog"), replace(skipped("", 6), skipped=0)))

    assert fate.what is What.SKIPPED
    assert fate.why.startswith("4 of the 10 polls that were due with it were skipped, this one likely too.")


@pytest.mark.parametrize(
    ("found", "what", "says"),
    [
        (Found(QueueClass.POLLING, State.HELD, SLOT, "w1", 2.0, 1), What.HELD, "with worker w1 since 2026"),
        (Found(QueueClass.POLLING, State.HELD, SLOT, "w1", 2.0, 1), What.HELD, "alive"),
        (Found(QueueClass.POLLING, State.HELD, SLOT, "w2", 12.0, 2), What.HELD, "silent for 40s"),
        (Found(QueueClass.POLLING, State.HELD, SLOT, "w2", 12.0, 2), What.HELD, "in delivery 2"),
        (Found(QueueClass.POLLING, State.HELD, SLOT, "w2", 12.0, 1), What.HELD, "in 19s another takes it over"),
        (Found(QueueClass.POLLING, State.HELD, SLOT, "w3", 31.0, 1), What.HELD, "a minute or longer"),
        (Found(QueueClass.POLLING, State.HELD, SLOT, "w3", 31.0, 1), What.HELD, "about to take it over"),
        (Found(QueueClass.POLLING, State.WAITING, SLOT), What.WAITING, "waited in the stream of shard 07 since 2026"),
        (Found(QueueClass.POLLING, State.DELAYED, SLOT + 9), What.DELAYED, "tried again at 2026"),
        (Found(QueueClass.POLLING, State.DEAD, SLOT, delivery=3, cause="poison", letter="polling/07/1-0"), What.DEAD,
         "poison. `streampoll dead show polling/07/1-0`"),
        (Found(QueueClass.RESULTS, State.WAITING, SLOT), What.NOT_STORED, "No worker serves class results now."),
        (Found(QueueClass.RESULTS, State.HELD, SLOT, "w1", 1.0, 1), What.NOT_STORED, "its result has been with worker"),
    ],
)  # fmt: skip
def test_what_is_in_redis_is_told_from_there(found: Found, what: What, says: str) -> None:
    fate = told(found=found, books=booked(skipped("backlog")))

    assert fate.what is what
    assert says in fate.why


@pytest.mark.parametrize(
    ("changes", "what", "says"),
    [
        ({"key": PollKey("j", "core-1", DAY - 1)}, What.UNKNOWN, "it begins at 2026-01-09T00:01:00Z"),
        ({"books": Books(None)}, What.UNKNOWN, "there is none yet"),
        ({"key": PollKey("j", "core-1", SLOT + 120)}, What.NOT_YET, "20s from now"),
        ({"key": PollKey("j", "core-1", ELSEWHERE)}, What.NOT_DUE, "due each 1m, the last time before that at 2026"),
        ({"books": replace(BOOKS, last=SLOT - 60)}, What.NOT_YET, "; c1 leads"),
        ({"books": replace(BOOKS, last=SLOT - 60), "around": replace(AROUND, leader="")}, What.NOT_YET,
         "no coordinator leads"),
        ({"books": booked(losses=("Redis has no mark",))}, What.LOST, "Redis has no mark"),
        ({"books": booked(Said(SLOT, SLOT, 9, 1, 0, ""))}, What.MISSING, "It was dispatched"),
        ({}, What.MISSING, "the ledger has nothing of it"),
    ],
)  # fmt: skip
def test_what_the_books_say_is_told(changes: dict[str, Any], what: What, says: str) -> None:
    fate = told(**changes)

    assert fate.what is what
    assert says in fate.why


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"around": replace(AROUND, pauses=(Pause(Paused.JOB, "j", DAY, "ann@noc", "works"),))},
         "The job is paused since 2026-01-09T00:00:00Z by ann@noc: works."),
        ({"device": Device("core-1", "10.0.0.1", enabled=False)}, "has the device disabled"),
        ({"job": replace(JOB, enabled=False)}, "The job is disabled"),
        ({"job": replace(JOB, selector=Selector(groups=frozenset({"edge"})))}, "its select does not fit"),
        ({"job": None}, "no such job any more"),
        ({}, "to now it was not: the job was paused or disabled then"),
    ],
)  # fmt: skip
def test_why_nothing_was_due_is_said(changes: dict[str, Any], says: str) -> None:
    """The plan of then had no device in it."""
    fate = told(books=replace(BOOKS, plan=plan(())), **changes)

    assert fate.what is What.NOT_DUE
    assert says in fate.why


def test_what_was_due_is_told_by_the_plan_of_then_whatever_the_job_is_now() -> None:
    """Due each 60 s then; the job that the configuration has now would not have been."""
    fate = told(job=replace(JOB, every_s=7), books=booked(skipped("memory")))

    assert fate.what is What.SKIPPED


def test_a_class_that_is_paused_is_said() -> None:
    pauses = (Pause(Paused.QUEUE, "polling", DAY, "ann@noc"),)

    fate = told(found=Found(QueueClass.POLLING, State.WAITING, SLOT), around=replace(AROUND, pauses=pauses))

    assert fate.why.endswith("Class polling is paused since 2026-01-09T00:00:00Z by ann@noc.")


def test_a_fate_is_an_object_with_the_keys_of_a_story() -> None:
    said = fate_json(PollKey("j", "core-1", SLOT), told(books=booked(skipped("late"))))

    assert (said["fate"], said["cause"], said["status"]) == ("skipped", "late", None)
    assert said["slot"].startswith("2026-01-09T12:0")


def test_where_not_all_of_redis_was_read_nothing_is_said_to_be_missing() -> None:
    unread = Found(QueueClass.RESULTS, State.UNREAD, 0.0)
    dispatched = told(found=unread, books=booked(Said(SLOT, SLOT, 9, 4, 0, "")))
    more = "More than 20,000 entries of class results of shard 07 are in one place of Redis"

    assert dispatched.what is What.UNREAD
    assert dispatched.why.startswith(f"It was due, and there is no row. {more}, and no more were read")
    assert more in told(found=unread, books=booked(skipped("memory"))).why
