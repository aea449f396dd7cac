"""Spans: in which trace, of which entries, and nothing of it where nobody asks."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import EntryPoint

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streampoll.app.tracing import Spans, Tracing, asked_for
from streampoll.model import Asked, Outcome, QueueClass, RatesRow, Result, Status, Target, Trace
from streampoll.notifications.alert import Alert, Flush, encode_alert, encode_flush
from streampoll.notifications.message import Listed, Message, encode_message
from streampoll.notifications.policy import Reason
from streampoll.notifications.routes import Taken
from streampoll.results.codec import encode_payload
from streampoll.shards.entries import (
    Delivered,
    Entry,
    Kind,
    encode_analyze,
    encode_event,
    encode_rates,
    encode_result,
    encode_target,
)
from streampoll.shards.orders import Look, Start, Work, encode_order, run_id, start_of
from streampoll.shards.port import Answer, Dispatch, Dispatched
from streampoll.shards.rows import join
from streampoll.tasks.message import encode_call, encode_end
from streampoll.tasks.port import Call, Failure, State, TaskResult
from streampoll.tracing.dispatch import DispatchSpans
from streampoll.tracing.handler import Traced
from streampoll.tracing.identity import (
    event_trace,
    flush_trace,
    message_trace,
    poll_trace,
    root_span,
    run_trace,
    task_trace,
)
from streampoll.tracing.telemetry import Telemetry
from streampoll.tracing.way import ways_of
from streampoll.worker.port import Bury, Conclusion, Disposition, Emit, Finish, Release, Retry
from tests.notify_support import event
from tests.worker_support import FakeHandler

SLOT = 1_700_000_040
RESULT = encode_result(
    Result("j", "core-1", SLOT, Status.TIMEOUT, 400, encode_payload(
        Outcome(Status.TIMEOUT, "no answer", requests=3), Trace(0.0, 0.0, 0.0, 0.0, 0.0, 1, "w1")
    ))
)  # fmt: skip
EVENT = event(7, run="backup")
CALL = Call("t1", "send_report", [], {}, 0, SLOT)
MESSAGE = Message("mail", "k1", Reason.OPENED, SLOT, "ops", "g", (Listed(EVENT, True, False),))


def poll(device: str = "core-1") -> Entry:
    return Entry(Kind.POLL, "j", SLOT, 0, encode_target(Target(device, "192.0.2.1", 0, "system", "", {})))


def delivered(entry: Entry | None, queue: QueueClass = QueueClass.POLLING, delivery: int = 1) -> Delivered:
    return Delivered(queue, 3, b"1-0", entry, delivery, 0.0)


class Recorded:
    """Telemetry whose spans stay here."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.telemetry = Telemetry([self._exporter], {"service.name": "test"})

    def handler(self, queue: QueueClass, *dispositions: Conclusion) -> Traced:
        async def answer(_: Sequence[Delivered]) -> Sequence[Conclusion]:
            return dispositions

        return Traced(queue, FakeHandler(answer), self.telemetry, lambda: float(SLOT))

    def spans(self) -> list[object]:
        """End it; return its spans."""
        self.telemetry.close()
        return list(self._exporter.get_finished_spans())


# -- which trace


@pytest.mark.parametrize(
    ("queue", "entry", "name", "trace", "first"),
    [
        ("polling", poll(), "poll", poll_trace("j", "core-1", SLOT), False),
        ("results", RESULT, "store", poll_trace("j", "core-1", SLOT), False),
        ("analysis", encode_analyze(RESULT, 20), "analyse", poll_trace("j", "core-1", SLOT), False),
        ("results", encode_rates(RatesRow("j", "core-1", SLOT, b"")), "store rates",
         poll_trace("j", "core-1", SLOT), False),
        ("results", encode_event(EVENT), "store event", event_trace(7, EVENT.at), False),
        ("notifications", encode_event(EVENT), "route", event_trace(7, EVENT.at), True),
        ("notifications", encode_alert(Alert(Taken("ops", ("g",), True), EVENT)), "group",
         event_trace(7, EVENT.at), False),
        ("notifications", encode_flush(Flush("ops", ("g",), 2), SLOT), "flush", flush_trace("ops", ("g",), 2), True),
        ("notifications", encode_message(MESSAGE), "message", message_trace("k1"), True),
        ("notifications", encode_message(MESSAGE, Kind.SEND), "send", message_trace("k1"), False),
        ("workflows", encode_event(EVENT), "workflow start", run_trace(start_of(EVENT).run), True),
        ("workflows", encode_order(Start("r1", "backup", "cli"), SLOT), "workflow start", run_trace("r1"), True),
        ("workflows", encode_order(Work("r1", "backup", "fetch"), SLOT), "workflow step", run_trace("r1"), False),
        ("urgent", encode_call(CALL, 0, 1000), "task send_report", task_trace("t1"), True),
        ("results", encode_end(TaskResult("t1", "send_report", State.DONE, SLOT, 0.0, 0.0, 1, "w"), b""),
         "store task", task_trace("t1"), False),
    ],
)  # fmt: skip
def test_an_entry_is_in_the_trace_of_what_it_is_about(
    queue: str, entry: Entry, name: str, trace: int, first: bool
) -> None:
    [way] = ways_of(delivered(entry, QueueClass(queue)))

    assert (way.name, way.trace, way.first) == (name, trace, first)
    assert way.says["streampoll.shard"] == 3


async def test_each_row_of_an_entry_of_several_has_a_span() -> None:
    names = ["core-1", "core-2"]
    entry = join([encode_result(Result("j", name, SLOT, Status.OK, 5, b"")) for name in names])
    recorded = Recorded()

    await recorded.handler(QueueClass.RESULTS, Finish()).handle([delivered(entry, QueueClass.RESULTS)])

    spans = [span for span in recorded.spans() if span.name == "store"]
    assert [span.attributes["streampoll.device"] for span in spans] == names
    assert [span.parent.span_id for span in spans] == [root_span(poll_trace("j", name, SLOT)) for name in names]


def test_a_message_and_a_run_lead_back_to_the_event_that_they_come_of() -> None:
    [message] = ways_of(delivered(encode_message(MESSAGE), QueueClass.NOTIFICATIONS))
    [run] = ways_of(delivered(encode_event(EVENT), QueueClass.WORKFLOWS))

    assert message.linked == run.linked == (event_trace(7, EVENT.at),)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        Entry(Kind.POLL, "j", SLOT, 0, b"\xc1"),
        Entry(Kind.POLL, "j", SLOT, 0, poll().body, b"2"),
        Entry("later", "j", SLOT, 0, b""),
        encode_order(Look(run_id("r"), "backup"), SLOT),
    ],
)
def test_what_cannot_be_read_or_does_nothing_has_no_span(entry: Entry | None) -> None:
    assert ways_of(delivered(entry)) == []


def test_only_the_first_delivery_begins_a_trace() -> None:
    [again] = ways_of(delivered(encode_call(CALL, 0, 1000), QueueClass.URGENT, delivery=2))

    assert not again.first


# -- what a span says


@pytest.mark.parametrize(
    ("disposition", "says", "failure"),
    [
        (Finish((Emit(QueueClass.RESULTS, RESULT),)), {"status": "timeout", "requests": 3}, "timeout: no answer"),
        (Finish((Emit(QueueClass.RESULTS, encode_end(
            TaskResult("t1", "f", State.FAILED, SLOT, 0.0, 0.0, 1, "w", failure=Failure("ValueError", "no")), b"")),)),
         {"status": "failed"}, "ValueError: no"),
        (Finish(), {}, None),
        (Retry(RESULT, 3.0), {"disposition": "retry", "delay_s": 3.0}, None),
        (Release("draining"), {"disposition": "release", "reason": "draining"}, None),
        (Bury("nobody can read it"), {"disposition": "bury"}, "nobody can read it"),
    ],
)  # fmt: skip
async def test_a_span_says_what_became_of_its_entry(
    disposition: Disposition, says: dict[str, object], failure: str | None
) -> None:
    recorded = Recorded()
    answer = await recorded.handler(QueueClass.POLLING, disposition).handle([delivered(poll())])
    [span] = recorded.spans()

    assert [*answer] == [disposition]
    assert span.attributes.items() >= {f"streampoll.{name}": value for name, value in says.items()}.items()
    assert span.status.description == failure
    assert span.parent.span_id == root_span(poll_trace("j", "core-1", SLOT))


async def test_what_is_drafted_is_made_at_once_where_a_span_is_to_tell_of_it() -> None:
    recorded = Recorded()
    answer = await recorded.handler(QueueClass.POLLING, partial(Retry, RESULT, 3.0)).handle([delivered(poll())])

    assert [*answer] == [Retry(RESULT, 3.0)]
    assert recorded.spans()[0].attributes["streampoll.disposition"] == "retry"


async def test_a_poll_says_when_it_asked_again_and_was_answered() -> None:
    asked = Asked(SLOT + 0.5, SLOT + 3.25, 1, (SLOT + 2.5,))
    way = Trace(SLOT + 0.25, SLOT + 0.25, SLOT + 0.25, SLOT + 3.25, SLOT + 4.0, 1, "w1", asked)
    payload = encode_payload(Outcome(Status.OK, requests=2), way)
    row = encode_result(Result("j", "core-1", SLOT, Status.OK, 400, payload))
    recorded = Recorded()
    await recorded.handler(QueueClass.POLLING, Finish((Emit(QueueClass.RESULTS, row),))).handle([delivered(poll())])
    [span] = recorded.spans()

    assert [(event.name, round(event.timestamp / 1e9 - SLOT, 3)) for event in span.events] == [
        ("first request", 0.5), ("sent again", 2.5), ("first reply", 3.25),
    ]  # fmt: skip
    assert span.attributes["streampoll.retries"] == 1


async def test_an_attempt_that_is_cancelled_ends_its_span_as_an_error() -> None:
    async def cancelled(_: Sequence[Delivered]) -> Sequence[Disposition]:
        raise asyncio.CancelledError

    recorded = Recorded()
    traced = Traced(QueueClass.POLLING, FakeHandler(cancelled), recorded.telemetry, lambda: float(SLOT))
    with pytest.raises(asyncio.CancelledError):
        await traced.handle([delivered(poll())])
    [span] = recorded.spans()

    assert span.status.description == "CancelledError"


async def test_spans_of_a_custom_poller_hang_from_that_of_its_poll() -> None:
    async def poller(_: Sequence[Delivered]) -> Sequence[Disposition]:
        recorded.telemetry._tracer.start_span("of a library").end()
        return [Finish()]

    recorded = Recorded()
    await Traced(QueueClass.POLLING, FakeHandler(poller), recorded.telemetry, lambda: 1.0).handle([delivered(poll())])
    own, ours = recorded.spans()

    assert own.parent.span_id == ours.context.span_id


# -- sampling


async def test_all_processes_sample_the_same_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    leader, worker = Recorded(), Recorded()
    polls = [poll(f"core-{number}") for number in range(400)]
    part = Dispatch(3, "j", SLOT, 0, 0, 1, 400, 0, [(0, entry.body) for entry in polls])

    await DispatchSpans(leader.telemetry, lambda: float(SLOT))([part], [Dispatched(Answer.OK)], float(SLOT))
    traced = worker.handler(QueueClass.POLLING, *[Finish()] * 400)
    await traced.handle([delivered(entry) for entry in polls])

    dispatched = {span.context.trace_id for span in leader.spans() if span.name == "dispatch"}
    assert dispatched == {span.context.trace_id for span in worker.spans()}
    assert 60 < len(dispatched) < 140


async def test_a_tick_that_was_not_dispatched_has_no_spans_of_polls() -> None:
    recorded = Recorded()
    part = Dispatch(3, "j", SLOT, 0, 0, 1, 1, 0, [(0, poll().body)])
    await DispatchSpans(recorded.telemetry, lambda: float(SLOT))([part], [Dispatched(Answer.SKIPPED)], float(SLOT))

    assert [span.name for span in recorded.spans()] == ["dispatch batch"]


async def test_while_the_spans_of_a_large_tick_are_made_others_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded()
    since, most = {"samples": 0, "start": 0}, {"samples": 0, "start": 0}

    def counted(name: str) -> None:
        real = getattr(recorded.telemetry, name)

        def count(*of: object) -> object:
            since[name] += 1
            most[name] = max(most[name], since[name])
            return real(*of)

        monkeypatch.setattr(recorded.telemetry, name, count)

    async def other() -> None:
        while True:
            since.update(samples=0, start=0)
            await asyncio.sleep(0)

    counted("samples")
    counted("start")
    parts = [
        Dispatch(shard, "j", SLOT, 0, 0, 1, 90, 0, [(0, poll(f"d{shard}-{n}").body) for n in range(90)])
        for shard in range(5)
    ]
    beside = asyncio.create_task(other())
    await DispatchSpans(recorded.telemetry, lambda: float(SLOT))(parts, [Dispatched(Answer.OK)] * 5, float(SLOT))
    beside.cancel()

    assert most == {"samples": 90, "start": 100}
    assert len(recorded.spans()) == 5 * 90 + 1


# -- where nobody asks


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "poller"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_the_standard_variables_say_whether_there_are_traces(variables: dict[str, str], asked: bool) -> None:
    assert asked_for(variables) is asked


def test_without_them_nothing_is_imported_and_nothing_is_around_a_handler() -> None:
    program = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None  # as where it is not installed; redis-py imports it where it is\n"
        "import streampoll.app.coordinator, streampoll.app.worker\n"
        "from streampoll.app.tracing import Tracing\n"
        "spans, handler = Tracing({}).begin('worker', 'w1', float), object()\n"
        "assert spans.around('polling', handler) is handler and spans.dispatched() is None\n"
        "assert not [name for name in sys.modules if name.startswith('streampoll.tracing')]\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_missing_package_or_exporter_is_said_and_polls_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def begin(**variables: str) -> Spans:
        return Tracing(variables).begin("worker", "w1", float)

    with caplog.at_level(logging.WARNING):
        assert begin(OTEL_TRACES_EXPORTER="zipkin").dispatched() is None
        monkeypatch.delitem(sys.modules, "streampoll.tracing.telemetry")
        monkeypatch.setitem(sys.modules, "opentelemetry", None)
        assert begin(OTEL_TRACES_EXPORTER="otlp").dispatched() is None

    no_exporter, no_package = [record.message for record in caplog.records]
    assert no_exporter.startswith("no traces: no exporter 'zipkin' of OpenTelemetry is installed")
    assert "but opentelemetry is not installed: `pip install 'streampoll[otel]'`" in no_package


def _raises(error: Exception) -> Callable[..., object]:
    def make(*_: object, **__: object) -> object:
        raise error

    return make


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        ("queue", "ValueError: max_export_batch_size must be less than or equal to max_queue_size."),
        ("exporter", "RuntimeError: two words"),
        ("import", "ImportError: cannot import name 'x'"),
    ],
)
def test_what_the_sdk_or_an_exporter_refuses_is_said_in_one_line_and_polls_go_on(
    refused: str, why: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def load(_: EntryPoint) -> Callable[..., object]:
        if refused == "import":
            raise ImportError("cannot import name 'x'")
        return _raises(RuntimeError("two\nwords")) if refused == "exporter" else InMemorySpanExporter

    monkeypatch.setattr(EntryPoint, "load", load)
    monkeypatch.setattr(Telemetry, "share", lambda _: None)  # the SDK takes one provider for good
    if refused == "queue":
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "256")
    with caplog.at_level(logging.WARNING):
        spans = Tracing({"OTEL_TRACES_EXPORTER": "console"}).begin("worker", "w1", float)

    assert spans.dispatched() is None
    assert [record.message for record in caplog.records if record.name == "streampoll.app.tracing"] == [
        f"no traces: what OTEL_… variables ask for can't be had: {why}"
    ]
