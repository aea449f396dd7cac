"""One poll's story, and how log lines look."""

import json
import logging
from pathlib import Path

import pytest

from streampoll.config.settings import LogSettings
from streampoll.logs import set_up_logs
from streampoll.model import Outcome, Status, Trace
from streampoll.observe.story import story_json, story_lines, story_of, without_row
from streampoll.results.reader import StoredPoll
from streampoll.results.slots import SlotTally

SLOT = 1_700_000_000


def poll(read: float = 0.2, first: float = 0.4, stored_ms: int = 700, status: Status = Status.OK) -> StoredPoll:
    trace = Trace(SLOT + 0.1, SLOT + read, SLOT + read, SLOT + first if first else 0.0, SLOT + 0.6, 2, "w-1")
    outcome = Outcome(status, "" if status is Status.OK else "no answer", requests=3, varbinds=90)
    return StoredPoll("j", "core-1", SLOT, status, 400, stored_ms, outcome, trace)


def test_what_happened_is_told_in_order_with_how_long_it_took() -> None:
    story = story_of(poll())

    assert [(each.what, round(each.after_s, 3), round(each.took_s, 3)) for each in story.chapters] == [
        ("dispatched", 0.1, 0.1), ("read", 0.2, 0.1), ("started", 0.2, 0.0), ("first reply", 0.4, 0.2),
        ("done", 0.6, 0.2), ("stored", 0.7, 0.1),
    ]  # fmt: skip
    assert story.slowest is None
    assert "to w-1, delivery 2" in "\n".join(story_lines(story))


@pytest.mark.parametrize(
    ("late", "where"),
    [
        (poll(read=30.2, first=30.3), "in the stream, for a worker"),
        (poll(stored_ms=9_000), "for the store"),
    ],
)
def test_where_the_time_went_is_said(late: StoredPoll, where: str) -> None:
    story = story_of(late)

    assert list(story_lines(story))[-1].endswith(f"it waited {where}")
    assert story_json(story)["waited"] == where


def test_a_device_that_did_not_answer_is_what_was_waited_for() -> None:
    trace = Trace(SLOT + 0.1, SLOT + 0.2, SLOT + 0.2, 0.0, SLOT + 6.2, 1, "w-1")
    silent = StoredPoll("j", "core-1", SLOT, Status.TIMEOUT, 6_000, 6_300, Outcome(Status.TIMEOUT), trace)

    assert story_of(silent).waited == "for the device, which did not answer"


def test_a_row_without_a_trace_blames_nobody() -> None:
    nothing = Trace(0.0, 0.0, 0.0, 0.0, 0.0, 0, "")
    unread = StoredPoll("j", "core-1", SLOT, Status.OK, 400, 9_000, Outcome(Status.OK), nothing)

    assert story_of(unread).waited == ""


def test_what_did_not_happen_is_left_out() -> None:
    story = story_of(poll(first=0.0, status=Status.TIMEOUT))

    assert "first reply" not in [each.what for each in story.chapters]
    assert "timeout: 3 requests with retries, 90 values; no answer" in list(story_lines(story))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"expected": 0}, "nothing was due"),
        ({"final": False}, "still in Redis"),
        ({"skipped": 4}, "4 of 9 polls of that slot were skipped"),
        ({"lost": 2}, "2 of 9 polls of that slot were lost"),
        ({"missing": 1}, "1 of 9 polls of that slot are missing"),
        ({}, "not among the 9 that were due"),
    ],
)
def test_why_there_is_no_row_is_said(changes: dict[str, int], says: str) -> None:
    said = {"slot": SLOT, "final": True, "expected": 9, "ok": 9, "partial": 0, "failed": 0, "failed_by_status": {},
            "expired": 0, "skipped": 0, "lost": 0, "missing": 0, "duplicates": 0, "cycle_s": 1.0}  # fmt: skip

    assert says in without_row(SlotTally(**{**said, **changes}), SLOT)
    assert without_row(None, SLOT) == f"nothing was due at {SLOT}"


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
