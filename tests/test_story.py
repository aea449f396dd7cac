"""One poll's story, and how log lines look."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from streampoll.config.settings import LogSettings
from streampoll.logs import set_up_logs
from streampoll.model import Asked, Outcome, Status, Trace
from streampoll.observe.story import chapter_line, conclusion, heading, story_json, story_of
from streampoll.results.reader import StoredPoll

SLOT = 1_700_000_000  # 22:13:20 UTC


def poll(
    read: float = 0.2, first: float = 0.4, stored_ms: int = 700, status: Status = Status.OK, delivery: int = 1
) -> StoredPoll:
    """A poll of a row that says when it was asked."""
    trace = Trace(
        SLOT + 0.1, SLOT + read, SLOT + read, SLOT + first if first else 0.0, SLOT + max(read, first) + 0.2,
        delivery, "w-1", Asked(SLOT + read + 0.05, SLOT + first + 0.1 if first else 0.0),
    )  # fmt: skip
    outcome = Outcome(status, "" if status is Status.OK else "no answer", requests=3, varbinds=90)
    return StoredPoll("j", "core-1", SLOT, status, 400, stored_ms, outcome, trace)


def retried(*after_s: float, retries: int = 0, first: float = 4.1) -> StoredPoll:
    """A poll of which requests were sent again so long after the slot."""
    found = poll(first=first, stored_ms=4_500, status=Status.OK if first else Status.TIMEOUT)
    found.trace.asked.retries = retries or len(after_s)
    found.trace.asked.retried = tuple(SLOT + each for each in after_s)
    found.trace.done = SLOT + 4.3
    return found


def told(found: StoredPoll) -> list[str]:
    return [chapter_line(chapter) for chapter in story_of(found).chapters]


def test_what_happened_is_told_in_order_with_how_long_it_took() -> None:
    assert told(poll()) == [
        "22:13:20.100    +0.100 s  dispatched",
        "22:13:20.200    +0.100 s  read by w-1",
        "22:13:20.200    +0.000 s  started",
        "22:13:20.250    +0.050 s  first request",
        "22:13:20.400    +0.150 s  first reply",
        "22:13:20.500    +0.100 s  last reply",
        "22:13:20.600    +0.100 s  done after 3 requests, with 90 values",
        "22:13:20.700    +0.100 s  stored",
    ]
    assert heading(story_of(poll())) == "j of core-1, due 2023-11-14T22:13:20Z: ok"
    assert conclusion(story_of(poll())) == ""


def test_a_request_that_is_sent_again_has_its_own_line_and_is_what_was_waited_for() -> None:
    story = story_of(retried(2.3, first=2.4))

    assert [chapter.what for chapter in story.chapters][3:6] == ["first request", "sent again", "first reply"]
    assert "done after 3 requests (1 of them sent again), with 90 values" in "\n".join(told(story.poll))
    assert conclusion(story) == (
        "Of the 4.5 s until it was stored, it waited 2.2 s for the device: 1 request had to be sent again."
    )
    assert (story_json(story)["retries"], story_json(story)["slot"]) == (1, "2023-11-14T22:13:20Z")


def test_retries_beyond_those_that_are_timed_are_counted() -> None:
    lines = told(retried(1.0, 2.0, retries=7))

    assert [line[26:] for line in lines if "again" in line] == [
        "sent again", "sent again and 5 more times", "done after 3 requests (7 of them sent again), with 90 values",
    ]  # fmt: skip


def test_an_answer_that_never_came_was_waited_for_until_the_end() -> None:
    """The first part was answered, the second not: the time after its retry is the device's."""
    story = story_of(retried(2.3, first=0.4))

    assert [chapter.what for chapter in story.chapters][-3:] == ["sent again", "done", "stored"]
    assert story.waited.startswith("for the device: 1 request")


@pytest.mark.parametrize(
    ("late", "where"),
    [
        (poll(read=30.2, first=30.3), "in the stream, for a worker"),
        (poll(read=30.2, first=30.3, delivery=2), "for the worker that had it before, and did not finish it"),
        (poll(stored_ms=9_000), "for the store"),
        (poll(first=5.0, stored_ms=5_500), "for the device's first reply"),
        (retried(2.3, first=0.0), "for the device, which did not answer"),
    ],
)
def test_where_the_time_went_is_said(late: StoredPoll, where: str) -> None:
    story = story_of(late)

    assert conclusion(story).endswith(f" s {where}.")
    assert story_json(story)["waited"] == where


def test_a_row_from_before_requests_were_timed_is_told_too() -> None:
    old = replace(poll(), trace=structs.replace(poll().trace, asked=Asked(), done=SLOT + 8.4), stored_ms=8_500)

    assert [chapter.what for chapter in story_of(old).chapters] == [
        "dispatched", "read", "started", "first reply", "done", "stored",
    ]  # fmt: skip
    assert story_of(old).waited == "for the device, reply by reply"


def test_a_device_that_did_not_answer_is_what_was_waited_for() -> None:
    trace = Trace(SLOT + 0.1, SLOT + 0.2, SLOT + 0.2, 0.0, SLOT + 6.2, 1, "w-1")
    silent = StoredPoll("j", "core-1", SLOT, Status.TIMEOUT, 6_000, 6_300, Outcome(Status.TIMEOUT), trace)

    assert story_of(silent).waited == "for the device, which did not answer"


def test_a_worker_that_stood_still_is_named_beside_the_device() -> None:
    found = retried(2.3, first=0.0)
    found.trace.lag_s = 16.7

    assert "did not answer. But the worker itself stood still for up to 16.7 s" in conclusion(story_of(found))


def test_what_was_read_the_moment_it_was_added_was_not_read_before() -> None:
    """A read waits for an entry: rows of earlier releases have the time at which it was sent."""
    found = poll()
    found.trace.read = SLOT - 0.7

    assert told(found)[1] == "22:13:20.100    +0.000 s  read by w-1"


def test_a_row_without_a_trace_blames_nobody() -> None:
    nothing = Trace(0.0, 0.0, 0.0, 0.0, 0.0, 0, "")
    unread = StoredPoll("j", "core-1", SLOT, Status.OK, 400, 9_000, Outcome(Status.OK), nothing)

    assert story_of(unread).waited == ""


def test_what_did_not_happen_is_left_out() -> None:
    story = story_of(poll(first=0.0, status=Status.TIMEOUT))

    assert "first reply" not in [each.what for each in story.chapters]
    assert heading(story) == "j of core-1, due 2023-11-14T22:13:20Z: timeout, no answer"


def test_log_lines_are_json_where_that_is_asked_for(tmp_path: Path) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logs(LogSettings(format="json"), tmp_path / "log")
        logging.getLogger("streampoll.worker").warning("it is %s", "late\nvery", extra={"device": "core-1"})
        [handler] = root.handlers
        handler.close()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    [line] = (tmp_path / "log").read_text().splitlines()
    said = json.loads(line)

    assert (said["level"], said["logger"], said["device"]) == ("warning", "worker", "core-1")
    assert said["message"] == "it is late\nvery"
