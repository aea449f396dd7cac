"""What the scripts of streams are called with, and what their answers mean: nouns to lists and back. Pure.

A script's keys and arguments stand in its head; here is the other end of each that has more than a few.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgpack

from streampoll.errors import RedisUnavailable
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Log
from streampoll.shards.keys import ShardKeys
from streampoll.shards.port import (
    SPACES,
    Answer,
    Dispatch,
    Dispatched,
    Ghost,
    Later,
    QueueFigures,
    Settled,
    ShardFigures,
)
from streampoll.shards.scripts import Call

QUEUES = tuple(QueueClass)
CLASSES = [queue.value for queue in QUEUES]
_MORE_ROWS = b":+"  # behind a class in `backlog`, and of no job: parts/rows.lua
_EMIT_KEY: dict[QueueClass | Log, int] = {
    **{queue: 6 + n for n, queue in enumerate(QUEUES)},  # the streams follow five keys of finish.lua
    Log.OUTPUTS: 6 + len(QUEUES),  # with their positions
}
_MORE_KEYS = 8 + len(QUEUES)  # the rest are sent where something needs them
_DELAYED_KEY = {queue: _MORE_KEYS + n for n, queue in enumerate(QUEUES)}
_STATE_KEY = {space: _MORE_KEYS + len(QUEUES) + n for n, space in enumerate(SPACES)}
_ONCE_KEY = _MORE_KEYS + len(QUEUES) + len(SPACES)


def finish_call(keys: ShardKeys, queue: QueueClass, consumer: str, settled: Sequence[Settled]) -> Call:
    """Return the call that finishes entries of a shard."""
    return "finish", _finish_keys(keys, queue, settled), _finish_arguments(queue, consumer, settled)


def _finish_keys(keys: ShardKeys, queue: QueueClass, settled: Sequence[Settled]) -> list[str]:
    own = [keys.stream(queue), keys.open, keys.backlog, keys.crashes(queue), keys.dead(queue)]
    own += [*(keys.stream(other) for other in QUEUES), keys.outputs, keys.positions]
    if any(item.later or item.writes for item in settled):  # polls have neither: nothing of it for them to carry
        own += [keys.delayed(other) for other in QUEUES]
        own += [*(keys.state(space) for space in SPACES), keys.once]
    return own


def _finish_arguments(queue: QueueClass, consumer: str, settled: Sequence[Settled]) -> list[Any]:
    arguments: list[Any] = [queue.value, consumer]
    for item in settled:
        if item.later or item.writes or item.rows > 1:
            arguments += _more_of(item)
            continue
        arguments += (item.id, item.job, item.slot, item.cause, len(item.emits))
        for target, entry in item.emits:
            arguments += (_EMIT_KEY[target], target.value, entry.kind, entry.job, entry.slot, entry.expiry, entry.body)
    return arguments


def _more_of(item: Settled) -> list[Any]:
    """Say an entry that is or does more than most."""
    emits = len(item.emits) + len(item.later)
    arguments: list[Any] = [item.id, item.job, item.slot, item.cause, f"{emits}+{len(item.writes)}+{item.rows}"]
    named: list[tuple[Any, QueueClass | Log, Entry]] = [
        (_EMIT_KEY[target], target, entry) for target, entry in item.emits
    ]
    for name, target, entry in [*named, *((_later(each), each.queue, each.entry) for each in item.later)]:
        arguments += (name, target.value, entry.kind, entry.job, entry.slot, entry.expiry, entry.body)
    for write in item.writes:
        arguments += (_STATE_KEY[write.space], write.name, write.before, write.after)
    return arguments


def _later(emit: Later) -> str:
    return f"{_EMIT_KEY[emit.queue]},{_DELAYED_KEY[emit.queue]},{emit.delay_ms},{_ONCE_KEY},{emit.unique}"


def dispatch_call(keys: ShardKeys, epoch: int, high_water: int, part: Dispatch) -> Call:
    """Return the call that dispatches one part of a tick."""
    streams = [keys.stream(QueueClass.POLLING), keys.stream(QueueClass.RESULTS)]
    names = [*streams, keys.open, keys.backlog, keys.dispatched, keys.epoch, keys.plans]
    return "dispatch", names, _dispatch_arguments(epoch, high_water, part)


def _dispatch_arguments(epoch: int, high_water: int, part: Dispatch) -> list[Any]:
    planned = part.skipped or len(part.polls) if part.cause else len(part.polls)
    arguments: list[Any] = [
        epoch, part.mark, part.previous or "", part.job, part.tick, part.tick_to or part.tick, part.shard, part.part,
        part.plan, part.hash_sum, part.devices, high_water, part.cause, planned,
    ]  # fmt: skip
    if not part.cause:  # as one argument: hundreds would cost the client more than everything else about a part
        arguments.append(msgpack.packb(list(chain.from_iterable(part.polls)), use_bin_type=False))
    return arguments


def dispatched(reply: Sequence[bytes] | RedisUnavailable) -> Dispatched:
    """Read what `dispatch` answers."""
    if isinstance(reply, RedisUnavailable):
        return Dispatched(Answer.AWAY)
    answer, detail = Answer(reply[0].decode()), reply[1].decode()
    if answer is Answer.SKIPPED:
        return Dispatched(answer, cause=detail)
    return Dispatched(answer, stored=int(detail or 0))


def figures_call(keys: ShardKeys) -> Call:
    """Return the call that reads what a shard holds."""
    return "figures", [keys.open, keys.backlog, keys.dispatched, *_queue_keys(keys)], CLASSES


def depth_keys(keys: ShardKeys) -> list[str]:
    """Return a shard's keys as `depths` wants them."""
    return [keys.backlog, *_queue_keys(keys)]


def _queue_keys(keys: ShardKeys) -> list[str]:
    of_queues = [(keys.stream(queue), keys.delayed(queue), keys.dead(queue)) for queue in QUEUES]
    return [key for three in of_queues for key in three]


def reconcile_call(keys: ShardKeys) -> Call:
    """Return the call that forgets what is counted as open where nothing is left."""
    of_queues = [(keys.stream(queue), keys.delayed(queue)) for queue in QUEUES]
    return "reconcile", [keys.open, keys.backlog, *chain.from_iterable(of_queues)], CLASSES


def ghosts_of(shard: int, reply: Sequence[bytes]) -> list[Ghost]:
    """Read what `reconcile` answers."""
    return [Ghost(shard, *_open_field(name), int(count)) for name, count in pairs(reply)]


def figures_of(shard: int, reply: Sequence[Any]) -> ShardFigures:
    """Read what `figures` answers."""
    return ShardFigures(
        shard,
        {_open_field(name): int(count) for name, count in pairs(reply[0])},
        {_backlog_field(name): int(count) for name, count in pairs(reply[1]) if not name.endswith(_MORE_ROWS)},
        {job.decode(): int(mark) for job, mark in pairs(reply[2])},
        depths_of(reply[3]),
    )


def depths_of(reply: Sequence[Any]) -> Mapping[QueueClass, QueueFigures]:
    """Read what `depths` answers of a shard."""
    return {queue: _figures(found) for queue, found in zip(QUEUES, reply, strict=True)}


def _figures(reply: Sequence[Any]) -> QueueFigures:
    length, pending, oldest, delayed, dead, rows = reply
    return QueueFigures(length, pending, int(oldest.partition(b"-")[0]) / 1000 if oldest else None, delayed, dead, rows)


def _open_field(name: bytes) -> tuple[QueueClass, str, int]:
    queue, _, rest = name.decode().partition(":")
    job, _, slot = rest.rpartition(":")
    return QueueClass(queue), job, int(slot)


def _backlog_field(name: bytes) -> tuple[QueueClass, str]:
    queue, _, job = name.decode().partition(":")
    return QueueClass(queue), job


def pairs(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Return the fields and values of a hash, which come one after the other."""
    return zip(flat[0::2], flat[1::2], strict=True)
