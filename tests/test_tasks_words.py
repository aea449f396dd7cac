"""Tasks as they are declared, looked for and put into bytes: what is wrong is said where it is written."""

import sys
from pathlib import Path

import pytest

from streampoll import call, task
from streampoll.config.load import load_settings
from streampoll.config.report import Report
from streampoll.errors import ConfigError, EntryError
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Kind
from streampoll.tasks.check import check_tasks
from streampoll.tasks.client import _seconds
from streampoll.tasks.failure import MAX_TEXT, MAX_TRACEBACK, failure_of
from streampoll.tasks.message import decode_call, decode_end, encode_call, encode_end, encode_value, next_attempt
from streampoll.tasks.port import Call, Failure, RunIn, State, Step, TaskResult
from streampoll.tasks.registry import load_tasks


async def coroutine() -> int:
    return 1


def plain(number: int = 2) -> int:
    return number


# -- declared


def test_a_task_is_still_its_function() -> None:
    declared = task(name="plain", retries=2)(plain)

    assert (declared(3), declared.name, declared.options.retries) == (3, "plain", 2)
    assert declared.__doc__ == plain.__doc__
    assert declared.options.run_in is RunIn.THREAD
    assert task(coroutine).options.run_in is RunIn.LOOP
    assert task(coroutine).name == "tests.test_tasks_words.coroutine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"retrys": 1}, "task 'x': no option 'retrys'; there are queue, run_in, retries"),
        ({"queue": "reports"}, "task 'x': queue: 'reports' is none of polling, workflows, analysis, notifications"),
        ({"queue": "results"}, "'results' is none of"),
        ({"queue": "urgent"}, "'urgent' is none of"),
        ({"run_in": "loop"}, "task 'x': only async functions run in the loop; declare it run_in = thread or process"),
        ({"run_in": "fork"}, "task 'x': run_in: 'fork' is none of loop, thread, process"),
        ({"retries": -1}, "task 'x': retries is -1; write a number from 0"),
        ({"soft_limit_s": "5s"}, "task 'x': soft_limit_s is '5s'; write a number from 0"),
        ({"soft_limit_s": 5, "hard_limit_s": 5}, r"task 'x': hard_limit_s \(5\) is not above soft_limit_s \(5\)"),
    ],
)
def test_a_wrong_option_is_refused_where_it_is_declared(options: dict[str, object], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        task(name="x", **options)(plain)


def test_a_name_is_a_word_and_an_async_function_runs_in_the_loop() -> None:
    with pytest.raises(ValueError, match="a name has letters, digits"):
        task(name="two words")(plain)
    with pytest.raises(ValueError, match="an async function runs in the loop"):
        task(name="x", run_in="thread")(coroutine)


# -- looked for


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose modules can be imported, and are forgotten."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_tasks_are_found_in_the_modules_that_are_named_and_only_there(beside: Path) -> None:
    text = "from streampoll import task\n@task(name='{}')\ndef f(): pass\n"
    (beside / "one_module.py").write_text(text.format("one"))
    (beside / "other_module.py").write_text(text.format("other"))

    assert list(load_tasks(["one_module"], beside)) == ["one"]
    assert list(load_tasks(["other_module", "one_module"], beside)) == ["other", "one"]


def test_every_fault_of_modules_is_said(beside: Path) -> None:
    (beside / "first_module.py").write_text("from streampoll import task\n@task(name='same')\ndef f(): pass\n")
    (beside / "second_module.py").write_text("from streampoll import task\n@task(name='same')\ndef f(): pass\n")
    (beside / "empty_module.py").write_text("")

    with pytest.raises(ConfigError) as caught:
        load_tasks(["first_module", "second_module", "empty_module", "no_module"], beside)
    assert [fault.what for fault in caught.value.faults] == [
        "module 'no_module' can't be imported: ModuleNotFoundError: No module named 'no_module'",
        "two tasks have the name 'same'",
        "module 'empty_module' has no task",
    ]


def test_what_is_likely_not_meant_is_noted(tmp_path: Path) -> None:
    (tmp_path / "streampoll.toml").write_text("[pools.p]\nqueues = ['polling']\n[queues.polling]\nsoft_limit_s = 9\n")
    found, report = {
        "far": task(name="far")(plain),
        "long": task(name="long", queue="polling", soft_limit_s=10)(plain),
    }, Report()  # fmt: skip

    check_tasks(found, load_settings(tmp_path, {}), report)
    assert [str(notice) for notice in report.notices] == [
        "task 'far': no pool serves its class 'workflows'; it waits until a worker elsewhere does",
        "task 'long': queues.polling.soft_limit_s (9 s) comes before its limit of 10 s; raise that, or lower this",
    ]


# -- bytes


def test_a_call_survives_the_wire_and_its_next_attempt() -> None:
    then = [Step(QueueClass.ANALYSIS, Call("01-b", "b", [1], {"k": b"\xff"}, keep=True, then=[]))]
    sent = Call("01-a", "a", [None, 2**63, "é"], {"x": [1.5]}, 0, 1000.5, 7, False, then)
    entry = encode_call(sent, 2000, 10_000)

    assert (entry.kind, entry.job, entry.slot, entry.expiry) == (Kind.TASK, "task:a", 1000, 2000)
    assert decode_call(entry) == sent
    again = next_attempt(entry, decode_call(entry))
    assert (decode_call(again).attempt, again.expiry) == (1, 2000)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x97\x01\xa1a\x90\x80\x00\x01\xc0", b"\x97\xa1i\xa1a\x90\x80\x00\xa1s\xc0"],
)
def test_what_is_no_call_is_refused(body: bytes) -> None:
    with pytest.raises(EntryError):
        decode_call(Entry(Kind.TASK, "task:x", 0, 0, body))


@pytest.mark.parametrize("value", [{1, 2}, object(), 2**64, {("a",): 1}, "\ud800"])
def test_what_is_no_data_is_not_packed(value: object) -> None:
    with pytest.raises(ConfigError, match=r"can't be sent: .*; use None, numbers"):
        encode_value(value, 1000)


def test_an_end_survives_the_wire() -> None:
    result = TaskResult("01-a", "a", State.FAILED, 1.5, 2.5, 3.5, 2, "w1", None, Failure("ValueError", "no", "where"))

    assert decode_end(encode_end(result, b"\xc0")) == (result, b"\xc0")
    with pytest.raises(EntryError):
        decode_end(Entry(Kind.DONE, "task:a", 0, 0, b"\x91\x01"))


def test_an_exception_becomes_bounded_text_that_postgresql_takes() -> None:
    def deep(depth: int) -> None:
        if depth:
            deep(depth - 1)
        raise ValueError("\0\ud800" + "x" * 10_000)

    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is what is looked at
        deep(200)
    failure = failure_of(caught.value)
    assert (failure.type, len(failure.text), len(failure.traceback)) == ("ValueError", MAX_TEXT, MAX_TRACEBACK)
    assert failure.text.startswith("\ufffd?x")
    assert failure_of(MuteError()).text == "its text can't be had: RuntimeError"


@pytest.mark.parametrize("span", ["soon", -1, float("nan"), float("inf"), None, [], "-5s"])
def test_a_span_is_a_duration(span: object) -> None:
    with pytest.raises(ConfigError, match=r"delay: .* is not a duration"):
        _seconds(span, "delay")


def test_a_call_is_described_by_name_or_by_its_task() -> None:
    declared = task(name="plain")(plain)

    assert call(declared, 1, kwargs={"number": 2}, retries=3) == call("plain", 1, kwargs={"number": 2}, retries=3)
    with pytest.raises(ConfigError, match="kwargs: 1 is no name"):
        call("plain", kwargs={1: 2})
