"""Stream entries: their fields as bytes, both ways. docs/protocol.md describes the same layout for other programs.

The envelope (version, kind, job, slot, expiry) never changes and stands in fields of its own; the body is msgpack and
belongs to the kind. Names only: never a secret, never a profile's text.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgpack
import msgspec

from streampoll.errors import EntryError
from streampoll.model import (
    Change,
    Device,
    Event,
    LedgerEntry,
    QueueClass,
    RatesRow,
    Result,
    Scalar,
    Severity,
    Status,
    Target,
)

VERSION = b"1"


class Kind(StrEnum):
    """What an entry asks for. A worker that doesn't know one hands it back once, then buries it."""

    POLL = "poll"  # polling: poll one device
    RESULT = "result"  # results: store one row
    RESULTS = "results"  # results: store several rows of one job and slot
    LEDGER = "ledger"  # results: store one ledger entry
    ANALYZE = "analyze"  # analysis: make rates and events of one result
    MANY_ANALYZE = "many_analyze"  # analysis: of several of one job and slot
    RATES = "rates"  # results: store the rates that one result brought
    MANY_RATES = "many_rates"  # results: store those that several results of one slot brought
    EVENT = "event"  # results: store a change of an event; notifications: tell people; workflows: see who waits for it
    RUN = "run"  # workflows: start one
    ALERT = "alert"  # notifications: an event joins a group
    FLUSH = "flush"  # notifications: a group's time has come
    MESSAGE = "message"  # notifications: a message on its way to its channel
    SEND = "send"  # notifications: send a message
    TASK = "task"  # any class but results: run a task of a user
    DONE = "done"  # results: what became of such a task


class Log(StrEnum):
    """Where a handler's emit may go besides a queue class; the expiry of its entry is how many are kept there.

    In a worker's heartbeat it stands for "serves outputs", beside the classes that it serves.
    """

    OUTPUTS = "outputs"


class Entry(msgspec.Struct, gc=False):
    """One unit of work, as it stands in a stream."""

    kind: str
    job: str
    slot: int  # seconds since the epoch
    expiry: int  # seconds since the epoch after which it is not to be started; 0: never
    body: bytes
    version: bytes = VERSION  # of the body; another one is another release's


class Delivered(msgspec.Struct, gc=False):
    """An entry that this consumer holds a lease on."""

    queue: QueueClass
    shard: int
    id: bytes  # the stream's id, b"1700000000000-0"
    entry: Entry | None  # None: the envelope can't be read; `raw` has the fields
    delivery: int  # 1 for the first
    leased: float  # monotonic seconds when the read was sent: the lease runs from here
    raw: Sequence[bytes] = ()  # the fields as read, only where `entry` is None

    @property
    def dispatched(self) -> float:
        """When the entry was added, wall-clock seconds of Redis."""
        return int(self.id.partition(b"-")[0]) / 1000


def encode_fields(entry: Entry) -> tuple[bytes, ...]:
    """Return an entry's fields in XADD's order: name, value, name, value…"""
    return (
        b"v", VERSION, b"k", entry.kind.encode(), b"j", entry.job.encode(),
        b"s", b"%d" % entry.slot, b"x", b"%d" % entry.expiry, b"b", entry.body,
    )  # fmt: skip


def decode_fields(fields: Sequence[bytes]) -> Entry:
    """Read an entry's fields.

    Raises:
        EntryError: a field is missing or malformed. Another version is not an error: its envelope can still be read.
    """
    if len(fields) == 12 and fields[0::2] == _NAMES:
        _, version, _, kind, _, job, _, slot, _, expiry, _, body = fields
    else:
        version, kind, job, slot, expiry, body = _by_name(dict(zip(fields[0::2], fields[1::2], strict=False)))
    if len(slot) > _DIGITS or len(expiry) > _DIGITS:
        raise EntryError(f"entry envelope: a time of more than {_DIGITS} digits")
    try:
        return Entry(kind.decode(), job.decode(), int(slot), int(expiry), body, version)
    except ValueError as error:
        raise EntryError(f"entry envelope: {error}") from None


def deliver(
    queue: QueueClass, shard: int, entry_id: bytes, fields: Sequence[bytes], delivery: int, leased: float
) -> Delivered:
    """Make a delivery of an entry's fields; those that can't be read stay raw, for the loop to refuse."""
    try:
        return Delivered(queue, shard, entry_id, decode_fields(fields), delivery, leased)
    except EntryError:
        return Delivered(queue, shard, entry_id, None, delivery, leased, fields)


_packed = msgspec.msgpack.Encoder().encode
_DIGITS = 19  # of a slot or expiry, as 64 bits have: thousands of them would make an integer that no float holds
_NAMES = [b"v", b"k", b"j", b"s", b"x", b"b"]
_TARGET_TYPES = frozenset((str, str, int, str, str, overrides, int) for overrides in (dict, type(None)))
_EVENT_TYPES = frozenset(
    (int, str, str, str, int, dict, int, int, str, value, str, str, str) for value in (float, int, type(None))
)
_RESULT_TYPES = (str, int, int, bytes)  # compared whole: a match on the bodies took three times as long


def _by_name(fields: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """Pick the envelope's fields whatever their order; fields that a newer version added are ignored."""
    try:
        return tuple(fields[name] for name in _NAMES)
    except KeyError as missing:
        raise EntryError(f"entry has no field {missing}") from None


def encode_target(target: Target, attempt: int = 0) -> bytes:
    """Pack a poll's body: [device, address, port, profile, credential, overrides or nil, attempt]."""
    overrides = dict(target.overrides) if target.overrides else None
    return _packed((target.device, target.address, target.port, target.profile, target.credential, overrides, attempt))


def encode_device(device: Device, profile: str) -> bytes:
    """Pack the body of a device's first attempt, as `encode_target` does, without a target in between."""
    overrides = dict(device.overrides) if device.overrides else None
    return _packed((device.name, device.address, device.port, profile, device.credential, overrides, 0))


_NOT_AS_USUAL = (msgspec.MsgspecError, ValueError, RecursionError)


class _PollBody(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A poll's body as it nearly always is: unpacked and checked at once."""

    device: str
    address: str
    port: int
    profile: str
    credential: str
    overrides: dict[str, Scalar] | None
    attempt: int


_poll_body = msgspec.msgpack.Decoder(_PollBody).decode


def decode_target(body: bytes) -> tuple[Target, int]:
    """Unpack a poll's body into (target, attempt)."""
    try:
        found = _poll_body(body)
    except _NOT_AS_USUAL:  # rare: fields of a newer version, odd overrides, nonsense
        return _decode_any_target(body)
    overrides = found.overrides or {}
    return Target(found.device, found.address, found.port, found.profile, found.credential, overrides), found.attempt


def _decode_any_target(body: bytes) -> tuple[Target, int]:
    """Do the same step by step."""
    fields = _unpack(body)
    if type(fields) is list and tuple(map(type, fields[:7])) in _TARGET_TYPES:
        device, address, port, profile, credential, overrides, attempt = fields[:7]
        return Target(device, address, port, profile, credential, overrides or {}), attempt
    raise EntryError("a poll's body is not [device, address, port, profile, credential, overrides, attempt]")


def encode_result(result: Result, expiry: int = 0) -> Entry:
    """Make the results entry of a finished poll; its body is [device, status, duration_ms, payload]."""
    body = _packed((result.device, int(result.status), result.duration_ms, result.payload))
    return Entry(Kind.RESULT, result.job, result.slot, expiry, body)


class _ResultBody(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A result's body as it nearly always is."""

    device: str
    status: Status
    duration_ms: int
    payload: bytes


class _Analysis(_ResultBody, forbid_unknown_fields=False, gc=False):
    """The body of an analysis entry: a result's, and what stands behind it where that matters."""

    lag_ms: Any = 0

    @property
    def lag_s(self) -> float:
        """The same in seconds; 0.0 for what is no time."""
        return self.lag_ms / 1000 if type(self.lag_ms) is int and 0 <= self.lag_ms < 1 << 32 else 0.0


_analysis = msgspec.msgpack.Decoder(_Analysis).decode
_analyses = msgspec.msgpack.Decoder(list[_Analysis]).decode
_result_body = msgspec.msgpack.Decoder(_ResultBody).decode
_result_bodies = msgspec.msgpack.Decoder(list[_ResultBody]).decode


def decode_result(entry: Entry) -> Result:
    """Read back what `encode_result` made."""
    try:
        found = _result_body(entry.body)
    except _NOT_AS_USUAL:
        return _decode_any_result(entry)
    return Result(entry.job, found.device, entry.slot, found.status, found.duration_ms, found.payload)


def decode_results(entry: Entry) -> list[Result]:
    """Read an entry of several rows, as `rows.join` makes it: all of them or none."""
    try:
        found = _result_bodies(entry.body)
    except _NOT_AS_USUAL:
        found = []
    if not found:
        return _decode_any_results(entry)
    job, slot = entry.job, entry.slot
    return [Result(job, row.device, slot, row.status, row.duration_ms, row.payload) for row in found]


def _decode_any_result(entry: Entry) -> Result:
    """Do the same step by step."""
    return _result_of(entry, _unpack(entry.body))


def _decode_any_results(entry: Entry) -> list[Result]:
    """Do the same step by step."""
    rows = _unpack(entry.body)
    if type(rows) is not list or not rows:
        raise EntryError("results are not an array of [device, status, duration_ms, payload]")
    return [_result_of(entry, fields) for fields in rows]


def _result_of(entry: Entry, fields: Any) -> Result:
    if type(fields) is list and tuple(map(type, fields[:4])) == _RESULT_TYPES:
        device, status, duration_ms, payload = fields[:4]
        try:
            return Result(entry.job, device, entry.slot, Status(status), duration_ms, payload)
        except ValueError as error:
            raise EntryError(f"a result's body: {error}") from None
    raise EntryError("a result's body is not [device, status, duration_ms, payload]")


def decode_ledger(entry: Entry) -> LedgerEntry:
    """Read a ledger entry, whose body the dispatch script packs.

    Its body is [shard, tick_to, part, plan, count, hash_sum, skipped, cause]; plan and hash_sum are decimal text, since
    numbers in Lua hold 53 bits.
    """
    match _unpack(entry.body):
        case [int(shard), int(tick_to), int(part), str(plan), int(count), str(hash_sum), int(skipped), str(cause), *_]:
            try:
                sums = int(plan), int(hash_sum)
            except ValueError as error:
                raise EntryError(f"a ledger entry's body: {error}") from None
            return LedgerEntry(entry.job, shard, entry.slot, tick_to, part, sums[0], count, sums[1], skipped, cause)
    raise EntryError("a ledger entry's body is not [shard, tick_to, part, plan, count, hash_sum, skipped, cause]")


def encode_analyze(result: Entry, lag_ms: int = 0) -> Entry:
    """Make the analysis entry of a finished poll out of its results entry: the body is the same.

    Behind it stands how late the poller's loop was, where that matters: a starved poller calls no device down.
    """
    body = result.body
    if lag_ms:
        body = _packed([*_unpack(body), lag_ms])
    return Entry(Kind.ANALYZE, result.job, result.slot, 0, body)


def decode_analyze(entry: Entry) -> list[tuple[Result, float]]:
    """Read an analysis entry, of one result or several: each, and how late the loop of its poller was, in seconds."""
    try:
        found = _analyses(entry.body) if entry.kind == Kind.MANY_ANALYZE else [_analysis(entry.body)]
    except _NOT_AS_USUAL:
        found = []
    if not found:
        raise EntryError("results to be analysed are not [device, status, duration_ms, payload, lag_ms], or an array")
    job, slot = entry.job, entry.slot
    return [(Result(job, each.device, slot, each.status, each.duration_ms, each.payload), each.lag_s) for each in found]


def encode_rates(rates: RatesRow) -> Entry:
    """Make the results entry of rates; its body is [job, device, payload].

    The entry's own job is "rates": what is open of the polls' job says which of its slots are final, and rates may come
    much later.
    """
    return Entry(Kind.RATES, "rates", rates.slot, 0, _packed((rates.job, rates.device, rates.payload)))


class _RatesBody(msgspec.Struct, array_like=True, gc=False):
    """The body of rates; what a newer version has behind it is ignored."""

    job: str
    device: str
    payload: bytes


_rates_body = msgspec.msgpack.Decoder(_RatesBody).decode
_rates_bodies = msgspec.msgpack.Decoder(list[_RatesBody]).decode


def decode_rates(entry: Entry) -> RatesRow:
    """Read back what `encode_rates` made."""
    try:
        found = _rates_body(entry.body)
    except _NOT_AS_USUAL:
        raise EntryError("rates are not [job, device, payload]") from None
    return RatesRow(found.job, found.device, entry.slot, found.payload)


def decode_many_rates(entry: Entry) -> list[RatesRow]:
    """Read an entry of several, as `rows.join` makes it: all of them or none."""
    try:
        found = _rates_bodies(entry.body)
    except _NOT_AS_USUAL:
        found = []
    if not found:
        raise EntryError("rates are not an array of [job, device, payload]")
    return [RatesRow(each.job, each.device, entry.slot, each.payload) for each in found]


def encode_event(event: Event) -> Entry:
    """Make the entry of a change of an event; its job is `event:` and the rule, its slot that of the change.

    Its body is [id, rule, device, row, severity, labels, opened, at, change, value, text, run, suppressed].
    """
    body = _packed(
        (
            event.id, event.rule, event.device, event.row, int(event.severity), dict(event.labels), event.opened,
            event.at, event.change.value, event.value, event.text, event.run, event.suppressed,
        )
    )  # fmt: skip
    return Entry(Kind.EVENT, f"event:{event.rule}", event.at, 0, body)


def decode_event(entry: Entry) -> Event:
    """Read back what `encode_event` made."""
    fields = _unpack(entry.body)
    if type(fields) is not list or tuple(map(type, fields[:13])) not in _EVENT_TYPES:
        raise EntryError("an event's body is not [id, rule, device, row, severity, labels, opened, at, change, …]")
    event_id, rule, device, row, severity, labels, opened, at, change, *rest = fields[:13]
    if not all(type(name) is type(label) is str for name, label in labels.items()):
        raise EntryError("an event's labels are not texts")
    try:
        return Event(event_id, rule, device, row, Severity(severity), labels, opened, at, Change(change), *rest)
    except ValueError as error:
        raise EntryError(f"an event's body: {error}") from None


def _unpack(body: bytes) -> Any:
    """Unpack msgpack from anybody (its sizes are bounded by the body's own length); errors as EntryError."""
    try:
        return msgpack.unpackb(body)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"not msgpack: {error}") from None
