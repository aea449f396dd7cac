"""A handler with spans around it: put around a class's own where traces are asked for, and nowhere else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from streampoll.errors import EntryError
from streampoll.model import QueueClass, Status
from streampoll.results.codec import decode_payload
from streampoll.shards.entries import Delivered, Entry, Kind, decode_result
from streampoll.tasks.message import decode_end
from streampoll.tasks.port import State
from streampoll.tracing.telemetry import End, OpenSpan, Telemetry
from streampoll.tracing.way import Attribute, Way, ways_of
from streampoll.worker.port import Bury, Conclusion, Disposition, Emit, Finish, Handler, Release, Retry


class Traced:
    """Serves as the handler that it is around does, and tells how long each entry of a sampled trace took."""

    def __init__(self, queue: QueueClass, handler: Handler, telemetry: Telemetry, now: Callable[[], float]) -> None:
        """`now` is the wall clock of Redis: spans of hosts whose clocks differ lie as they were."""
        self._queue = queue
        self._handler = handler
        self._telemetry = telemetry
        self._now = now

    async def ready(self) -> None:
        """Return once the handler can take work on."""
        await self._handler.ready()

    async def close(self) -> None:
        """Close the handler."""
        await self._handler.close()

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Ask the handler; the span of an attempt that was ended early has said so."""
        return self._handler.fail(delivered, status, cause)

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Conclusion]:
        """Serve a batch, with a span for each entry or row that is sampled, and for a batch of rows one of its own."""
        began = self._now()
        ways = [(place, way) for place, delivered in enumerate(batch) for way in self._sampled(delivered)]
        whole = self._whole(batch, [way for _, way in ways], began)
        linked = [whole.context] if whole and whole.context else []
        spans = [(place, self._telemetry.start(way, began, linked=linked)) for place, way in ways]
        opened = [span for _, span in spans]
        try:
            with _current(opened if len(batch) == 1 else []):
                answers = list(await self._handler.handle(batch))
                ends = {place: _made(answers[place]) for place, _ in spans}
        except BaseException as error:  # a cancellation too
            self._end([*opened, *([whole] if whole else [])], f"{type(error).__name__}: {error}".rstrip(": "))
            raise
        ended = self._now()
        for place, span in spans:
            answers[place] = ends[place]
            span.end(ended, _end_of(ends[place]))
        if whole:
            whole.end(ended, End())
        return answers

    def _sampled(self, delivered: Delivered) -> list[Way]:
        return [way for way in ways_of(delivered) if self._telemetry.samples(way)]

    def _whole(self, batch: Sequence[Delivered], ways: Iterable[Way], began: float) -> OpenSpan | None:
        """Begin the span of a batch that goes to PostgreSQL together."""
        if self._queue is not QueueClass.RESULTS:
            return None
        says = {"streampoll.entries": len(batch)}
        return self._telemetry.start_batch("store batch", began, [way.trace for way in ways], says)

    def _end(self, spans: Iterable[OpenSpan], why: str) -> None:
        ended = self._now()
        for span in spans:
            span.end(ended, End(failure=why))


def _current(spans: Sequence[OpenSpan]) -> AbstractContextManager[Any]:
    """Let the handler's own code add to the one span that there is."""
    return spans[0].current() if spans else nullcontext()


def _made(answer: Conclusion) -> Disposition:
    """Return what is to be told: a sampled poll's row is made at once, as its span has what is in it."""
    return answer() if isinstance(answer, partial) else answer


def _end_of(disposition: Disposition) -> End:
    """Return what became of an entry."""
    match disposition:
        case Finish(emits):
            return _outcome(emits)
        case Retry(_, delay_s):
            return End({"streampoll.disposition": "retry", "streampoll.delay_s": delay_s})
        case Release(reason):
            return End({"streampoll.disposition": "release", "streampoll.reason": reason})
        case Bury(cause):
            return End({"streampoll.disposition": "bury"}, cause or "buried")


def _outcome(emits: Iterable[Emit]) -> End:
    """Return what a poll's or a task's row says, where one is among what the entry has led to."""
    for emit in emits:
        if emit.queue is QueueClass.RESULTS and (read := _ROWS.get(emit.entry.kind)):
            try:
                return read(emit.entry)
            except EntryError:
                break
    return End()


def _poll_row(entry: Entry) -> End:
    result = decode_result(entry)
    outcome, way = decode_payload(result.payload)
    says: dict[str, Attribute] = {
        "streampoll.status": result.status.word, "streampoll.requests": outcome.requests,
        "streampoll.retries": way.asked.retries, "streampoll.varbinds": outcome.varbinds,
    }  # fmt: skip
    moments = [("first request", way.asked.first), *(("sent again", at) for at in way.asked.retried)]
    moments.append(("first reply", way.first_reply))
    failure = "" if result.status.answered else f"{result.status.word}: {outcome.error}"
    return End(says, failure, [moment for moment in moments if moment[1]])


def _task_row(entry: Entry) -> End:
    result, _ = decode_end(entry)
    failure = f"{result.failure.type}: {result.failure.text}" if result.failure else result.state.word
    return End({"streampoll.status": result.state.word}, "" if result.state is State.DONE else failure)


_ROWS: Mapping[str, Callable[[Entry], End]] = {Kind.RESULT: _poll_row, Kind.DONE: _task_row}
