"""What the span of an entry is called, which trace it is in and what it says: read from the entry. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streampoll.errors import EntryError
from streampoll.model import QueueClass, RatesRow, Result
from streampoll.notifications.alert import decode_alert, decode_flush
from streampoll.notifications.message import decode_message
from streampoll.shards.entries import (
    VERSION,
    Delivered,
    Entry,
    Kind,
    decode_analyze,
    decode_event,
    decode_many_rates,
    decode_rates,
    decode_result,
    decode_results,
    decode_target,
)
from streampoll.shards.orders import Start, Work, decode_order
from streampoll.tasks.message import decode_call, decode_end
from streampoll.tracing.identity import (
    event_trace,
    flush_trace,
    message_trace,
    poll_trace,
    run_trace,
    task_trace,
)

Attribute = str | int | float | bool


@dataclass(slots=True)
class Way:
    """One entry's span."""

    trace: int
    name: str
    says: dict[str, Attribute] = field(default_factory=dict)
    first: bool = False  # what the trace begins with: the others hang from it
    linked: tuple[int, ...] = ()  # traces that this one comes of


def ways_of(delivered: Delivered) -> list[Way]:
    """Return an entry's spans, one a row; none for one that can't be read, or says nothing that a trace would show."""
    entry = delivered.entry
    if entry is None or entry.version != VERSION:
        return []
    try:
        ways = _read(delivered, entry)
    except EntryError:
        return []
    for way in ways:
        way.says |= {"streampoll.shard": delivered.shard, "streampoll.delivery": delivered.delivery}
    return ways


def _read(delivered: Delivered, entry: Entry) -> list[Way]:
    if entry.kind == Kind.RESULTS:
        return [_way_of_result(result, "store") for result in decode_results(entry)]
    if entry.kind == Kind.MANY_RATES:
        return [_way_of_rates(rates) for rates in decode_many_rates(entry)]
    if entry.kind in (Kind.ANALYZE, Kind.MANY_ANALYZE):
        return [_way_of_result(result, "analyse") for result, _ in decode_analyze(entry)]
    read = _READ.get(entry.kind)
    way = read(delivered, entry) if read else None
    return [way] if way else []


def about_poll(job: str, device: str, slot: int) -> dict[str, Attribute]:
    """Return what identifies a poll, as attributes."""
    return {"streampoll.job": job, "streampoll.device": device, "streampoll.slot": slot}


def _poll(_: Delivered, entry: Entry) -> Way:
    target, _attempt = decode_target(entry.body)
    says = about_poll(entry.job, target.device, entry.slot)
    says |= {"streampoll.profile": target.profile, "network.peer.address": target.address}
    return Way(poll_trace(entry.job, target.device, entry.slot), "poll", says)


def _result(_: Delivered, entry: Entry) -> Way:
    return _way_of_result(decode_result(entry), "store")


def _way_of_result(result: Result, name: str) -> Way:
    says = about_poll(result.job, result.device, result.slot) | {"streampoll.status": result.status.word}
    return Way(poll_trace(result.job, result.device, result.slot), name, says)


def _rates(_: Delivered, entry: Entry) -> Way:
    return _way_of_rates(decode_rates(entry))


def _way_of_rates(rates: RatesRow) -> Way:
    says = about_poll(rates.job, rates.device, rates.slot)
    return Way(poll_trace(rates.job, rates.device, rates.slot), "store rates", says)


def _event(delivered: Delivered, entry: Entry) -> Way | None:
    if delivered.queue is QueueClass.WORKFLOWS:
        return _run(delivered, entry)
    event = decode_event(entry)
    says: dict[str, Attribute] = {
        "streampoll.device": event.device, "streampoll.slot": event.at, "streampoll.rule": event.rule,
        "streampoll.change": event.change.value,
    }  # fmt: skip
    trace = event_trace(event.id, event.at)
    if delivered.queue is QueueClass.RESULTS:
        return Way(trace, "store event", says)
    return Way(trace, "route", says, first=delivered.delivery == 1)


def _alert(_: Delivered, entry: Entry) -> Way:
    alert = decode_alert(entry)
    says: dict[str, Attribute] = {"streampoll.device": alert.event.device, "streampoll.route": alert.taken.route}
    return Way(event_trace(alert.event.id, alert.event.at), "group", says)


def _flush(delivered: Delivered, entry: Entry) -> Way:
    flush = decode_flush(entry)
    trace = flush_trace(flush.route, flush.group, flush.serial)
    return Way(trace, "flush", {"streampoll.route": flush.route}, first=delivered.delivery == 1)


def _message(delivered: Delivered, entry: Entry) -> Way:
    message = decode_message(entry)
    says: dict[str, Attribute] = {
        "streampoll.channel": message.channel, "streampoll.route": message.route, "streampoll.attempt": message.attempt,
    }  # fmt: skip
    linked = tuple(event_trace(each.event.id, each.event.at) for each in message.listed)
    first = entry.kind == Kind.MESSAGE and delivered.delivery == 1
    name = "message" if entry.kind == Kind.MESSAGE else "send"
    return Way(message_trace(message.key), name, says, first, linked)


def _run(delivered: Delivered, entry: Entry) -> Way | None:
    match decode_order(entry):
        case Start(run, workflow, cause, _, _, event):
            says: dict[str, Attribute] = {"streampoll.workflow": workflow, "streampoll.run": run}
            says["streampoll.cause"] = cause
            return Way(run_trace(run), "workflow start", says, delivered.delivery == 1, _of_event(event))
        case Work(run, workflow, step, element, attempt):
            says = {"streampoll.workflow": workflow, "streampoll.run": run, "streampoll.step": step}
            says |= {"streampoll.element": element, "streampoll.attempt": attempt}
            return Way(run_trace(run), "workflow step", says)
    return None  # a look whether its time is over: nothing happens, again and again


def _of_event(event: Mapping[str, object]) -> tuple[int, ...]:
    """Return the trace of the event that started a run, if one did."""
    match event.get("id"), event.get("at"):
        case str(event_id), int(at):
            return (event_trace(int(event_id, 16), at),)
    return ()


def _task(delivered: Delivered, entry: Entry) -> Way:
    call = decode_call(entry)
    says: dict[str, Attribute] = {"streampoll.task": call.id, "streampoll.attempt": call.attempt}
    return Way(task_trace(call.id), f"task {call.name}", says, not call.attempt and delivered.delivery == 1)


def _task_end(_: Delivered, entry: Entry) -> Way:
    result, _value = decode_end(entry)
    says: dict[str, Attribute] = {"streampoll.task": result.id, "streampoll.status": result.state.word}
    return Way(task_trace(result.id), "store task", says)


_READ: dict[str, Callable[[Delivered, Entry], Way | None]] = {
    Kind.POLL: _poll, Kind.RESULT: _result, Kind.RATES: _rates, Kind.EVENT: _event,
    Kind.ALERT: _alert, Kind.FLUSH: _flush, Kind.MESSAGE: _message, Kind.SEND: _message, Kind.RUN: _run,
    Kind.TASK: _task, Kind.DONE: _task_end,
}  # fmt: skip
