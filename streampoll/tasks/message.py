"""A task and its result as bytes: bodies of entries of kinds `task` and `done`. docs/protocol.md has the same layout.

Arguments and results are msgpack: nil, booleans, integers of 64 bits, floats, text, bytes, lists, maps. Nothing that is
unpacked runs code, so who may write to Redis may not thereby run what they like.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgpack

from streampoll.errors import ConfigError, EntryError, Fault
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Kind
from streampoll.tasks.port import Call, Failure, State, Step, TaskResult

JOB_PREFIX: Final = "task:"
"""Before a task's name where an entry has a job's: what is counted by job must not be mixed up with polls."""

_CALL: Final = (str, str, list, dict, int)
_RETRIES, _KEEP, _THEN = "r", "k", "t"


def encode_call(call: Call, expiry: int, max_bytes: int) -> Entry:
    """Make the entry of a call; its body is [id, name, arguments, named arguments, attempt, sent, more or nil].

    Raises:
        ConfigError: the arguments are not data, or too many bytes of it.
    """
    body = _packed(_plain_call(call), f"task {call.name!r}: its arguments", max_bytes)
    return Entry(Kind.TASK, JOB_PREFIX + call.name, int(call.sent), expiry, body)


def decode_call(entry: Entry) -> Call:
    """Read back what `encode_call` made.

    Raises:
        EntryError: it is something else.
    """
    try:
        return _read_call(msgpack.unpackb(entry.body, strict_map_key=False))
    except (ValueError, TypeError, KeyError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"a task's body is not [id, name, arguments, named, attempt, sent, more]: {error}") from None


def next_attempt(entry: Entry, call: Call) -> Entry:
    """Make the entry of a call's next attempt."""
    call.attempt += 1
    body: bytes = msgpack.packb(_plain_call(call))
    return Entry(entry.kind, entry.job, entry.slot, entry.expiry, body)


def encode_value(value: Any, max_bytes: int) -> bytes:
    """Pack what a task returned.

    Raises:
        ConfigError: it is not data, or too much of it.
    """
    return _packed(value, "what it returned", max_bytes)


def encode_end(result: TaskResult, value: bytes) -> Entry:
    """Make the results entry of a task that has ended, with its packed value.

    Its body is [id, state, sent, started, finished, attempts, worker, value, [type, text, traceback] or nil].
    """
    failure = result.failure and (result.failure.type, result.failure.text, result.failure.traceback)
    body = msgpack.packb(
        (result.id, int(result.state), result.sent, result.started, result.finished, result.attempts, result.worker,
         value, failure)
    )  # fmt: skip
    return Entry(Kind.DONE, JOB_PREFIX + result.name, int(result.sent), 0, body)


def decode_end(entry: Entry) -> tuple[TaskResult, bytes]:
    """Read back what `encode_end` made: the result without its value, and that, packed.

    Raises:
        EntryError: it is something else.
    """
    try:
        task_id, state, sent, started, finished, attempts, worker, value, failure = msgpack.unpackb(entry.body)[:9]
        result = TaskResult(
            str(task_id), entry.job.removeprefix(JOB_PREFIX), State(state), float(sent), float(started),
            float(finished), int(attempts), str(worker), None, Failure(*map(str, failure)) if failure else None,
        )  # fmt: skip
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"a task's end can't be read: {error}") from None
    if not isinstance(value, bytes):
        raise EntryError("a task's end has no value")
    return result, value


def decode_value(value: bytes) -> Any:
    """Unpack what a task returned."""
    return msgpack.unpackb(value, strict_map_key=False) if value else None


def _plain_call(call: Call) -> tuple[Any, ...]:
    more: dict[str, Any] = {}
    if call.retries is not None:
        more[_RETRIES] = call.retries
    if call.keep:
        more[_KEEP] = True
    if call.then:
        more[_THEN] = [(step.queue, *_plain_call(step.call)) for step in call.then]
    return (call.id, call.name, call.args, call.kwargs, call.attempt, call.sent, more or None)


def _read_call(fields: Sequence[Any]) -> Call:
    task_id, name, args, kwargs, attempt, sent, more = fields[:7]
    call = Call(task_id, name, args, kwargs, attempt, sent)
    if (type(task_id), type(name), type(args), type(kwargs), type(attempt)) != _CALL or not isinstance(
        sent, int | float
    ):
        raise TypeError("a field is of another type")
    if more:
        call.retries, call.keep = more.get(_RETRIES), bool(more.get(_KEEP))
        call.then = [Step(QueueClass(step[0]), _read_call(step[1:])) for step in more.get(_THEN, ())]
    return call


def _packed(data: Any, what: str, max_bytes: int) -> bytes:
    try:
        packed: bytes = msgpack.packb(data)
        msgpack.unpackb(packed, strict_map_key=False)  # a tuple as a key can be packed, and not be read back
    except (TypeError, ValueError, OverflowError) as error:
        text = " ".join(str(error).split())[:200]
        instead = "use None, numbers of 64 bits, text, bytes, lists and dicts"
        raise ConfigError([Fault(what, f"can't be sent: {text}", instead)]) from None
    if len(packed) > max_bytes:
        instead = f"at most {max_bytes:,} (tasks.max_bytes); store it elsewhere and send its name"
        raise ConfigError([Fault(what, f"has {len(packed):,} bytes", instead)])
    return packed
