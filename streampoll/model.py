"""The words of streampoll: nouns as frozen dataclasses, states as enums.

Nouns of which one is made for every poll are msgspec's Structs, here and elsewhere: made in half of a dataclass's time,
in a tenth of a frozen one's. `gc=False` where none can be part of a cycle, so that the collector need not look. A copy
with changes is made by `msgspec.structs.replace`.

Everything that crosses from one package to another is defined here, so this page is the vocabulary of the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import Final, Protocol, overload

import msgspec

Value = int | float | str | bytes | None
"""What a device said. OCTET STRING is bytes unless the profile calls it text, Counter64 an exact int, TimeTicks an int
in hundredths of a second; None is a value that is missing, whose reason stands in `missing`."""

Scalar = str | int | float | bool
"""What an override in the inventory may be."""


class QueueClass(StrEnum):
    """A kind of work, with a stream a shard and limits of its own."""

    POLLING = "polling"  # one entry = one poll of one device
    RESULTS = "results"  # one entry = one row for PostgreSQL (a poll's result or a ledger entry)
    WORKFLOWS = "workflows"  # multi-step work
    ANALYSIS = "analysis"  # rates, thresholds, device state
    NOTIFICATIONS = "notifications"  # messages to people
    URGENT = "urgent"  # users' tasks that are sent with priority; read by every process that serves tasks

    @property
    def internal(self) -> bool:
        """True for a class that pools do not name: who serves what goes through it serves it too."""
        return self is QueueClass.URGENT


SERVED = tuple(queue for queue in QueueClass if not queue.internal)
"""The classes that a pool may serve."""


class Status(IntEnum):
    """How a poll ended. The numbers are stored: never renumber one."""

    OK = 0  # everything asked for was answered (or does not exist on the device)
    PARTIAL = 1  # some of it was answered; `error` says what is missing
    TIMEOUT = 2  # no answer within the time-outs and retries
    UNREACHABLE = 3  # the network said so: no route, host or port unreachable
    REFUSED = 4  # the device refused: an SNMP error-status, an HTTP 4xx, a closed SSH port
    AUTH = 5  # credentials not accepted
    DECODE = 6  # what came back can't be read
    ERROR = 7  # our fault: a bug, a limit reached, a row PostgreSQL refused
    CONFIG = 8  # a profile, credential or OID that this worker does not know, an empty selection
    EXPIRED = 9  # its next slot began before it could be polled
    CRASHED = 10  # it killed the process that polled it

    @property
    def word(self) -> str:
        """The name as shown to people and programs: `timeout`."""
        return self.name.lower()

    @property
    def answered(self) -> bool:
        """True if the device gave an answer that was used (what lateness is measured over)."""
        return self in (Status.OK, Status.PARTIAL)


class Device(msgspec.Struct, frozen=True, gc=False):
    """One line of the inventory; a Struct since there may be a million."""

    name: str  # unique; what rows and messages call it
    address: str  # IPv4 or IPv6 address, or a host name
    port: int = 0  # 0: the protocol's default
    profile: str = ""  # "": the job must name one
    credential: str = ""  # a name, never a secret; "": the default of the configuration
    groups: tuple[str, ...] = ()
    site: str = ""
    role: str = ""
    vendor: str = ""
    tags: tuple[str, ...] = ()
    interval_s: int = 0  # overrides the job's `every`; 0: the job's
    parent: str = ""  # the device that this one is behind
    enabled: bool = True
    overrides: Mapping[str, Scalar] = msgspec.field(default_factory=dict)  # per-protocol settings (`snmp.timeout_s`)


class Target(msgspec.Struct, frozen=True, gc=False):
    """What a poller is pointed at; travels in the entry's body. Names, never secrets."""

    device: str
    address: str
    port: int  # 0: the protocol's default
    profile: str
    credential: str
    overrides: Mapping[str, Scalar]


class TableTime(msgspec.Struct, gc=False):
    """When a run of a table's rows was received."""

    rows: int  # how many rows, in order, came with this reply
    at: float  # wall clock when the reply arrived, seconds since the epoch
    uptime: int | None  # sysUpTime of the same PDU, hundredths of a second; None where the device has none


Rows = range | tuple[int, ...]
"""Rows by number, from 0; a range for all of them."""


class ColumnRows(Sequence[Sequence[Value]]):
    """Rows that are held column by column, the index first, as walks bring them and payloads store them.

    Whoever works on columns takes `data`, and no row is ever made; all columns are equally long.
    """

    __slots__ = ("data",)

    def __init__(self, data: Sequence[Sequence[Value]]) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data[0]) if self.data else 0

    def __iter__(self) -> Iterator[Sequence[Value]]:
        return iter(zip(*self.data, strict=True))

    @overload
    def __getitem__(self, row: int) -> Sequence[Value]: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Sequence[Value]]: ...
    def __getitem__(self, row: int | slice) -> Sequence[Value] | Sequence[Sequence[Value]]:
        if isinstance(row, slice):
            return ColumnRows([column[row] for column in self.data])
        return tuple([column[row] for column in self.data])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*map(tuple, self)] == [*map(tuple, other)]

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return repr(list(self))


class Table(msgspec.Struct, gc=False):
    """A collected table, row by row: `rows[i][0]` is the index, the rest are in the order of `columns`."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Value]]
    times: Sequence[TableTime] = ()
    complete: bool = True  # False: cut by a row cap, an error or the deadline
    key: str = ""  # the column that names a row to people (ifName); "": the index does
    counter32: Mapping[str, Rows] = msgspec.field(default_factory=dict)  # rows that came as a Counter32, by column


RETRIES_TIMED: Final = 6
"""Of so many retries of a poll it is kept when each was; the rest is only counted."""


LAG_TOLD_S: Final = 0.25
"""A worker that is late by less does not say so in its rows."""


class Asked(msgspec.Struct, gc=False):
    """When a device was asked in one poll, and asked again: wall-clock seconds, 0.0 where it is not known."""

    first: float = 0.0  # the first request was sent
    last_reply: float = 0.0  # the last reply that was used came
    retries: int = 0  # requests sent again, since no answer came or the connection was lost
    retried: tuple[float, ...] = ()  # when, the first RETRIES_TIMED of them

    def note_retry(self, at: float) -> None:
        """Note that a request is sent again."""
        self.retries += 1
        if len(self.retried) < RETRIES_TIMED:
            self.retried += (at,)

    def shift(self, by_s: float) -> None:
        """Tell all times by another clock."""
        self.first = self.first and self.first + by_s
        self.last_reply = self.last_reply and self.last_reply + by_s
        if self.retried:
            self.retried = tuple(at + by_s for at in self.retried)

    def go_on_from(self, before: "Asked") -> None:
        """Take in what came before in the same poll."""
        self.first = before.first or self.first
        self.last_reply = self.last_reply or before.last_reply
        self.retries += before.retries
        self.retried = (*before.retried, *self.retried)[:RETRIES_TIMED]


class Outcome(msgspec.Struct, gc=False):
    """What became of one poll of one device: data, also when it failed."""

    status: Status
    error: str = ""  # one line with the cause, "" when ok; never a secret
    values: Mapping[str, Value] = msgspec.field(default_factory=dict)  # scalars by metric name
    tables: Mapping[str, Table] = msgspec.field(default_factory=dict)
    missing: Mapping[str, str] = msgspec.field(default_factory=dict)  # metric -> reason (noSuchObject, timeout, …)
    at: float = 0.0  # wall clock when the scalars arrived; 0.0 if none did
    first_reply: float = 0.0  # wall clock of the first reply; 0.0 if none came
    requests: int = 0  # requests sent, retries included
    varbinds: int = 0  # values received (SNMP variable bindings; 0 for other protocols)
    profile: str = ""  # by which the values are shown; "": nobody says
    counter32: tuple[str, ...] = ()  # scalars that came as a Counter32
    half_wrap_s: float = 0.0  # half the time in which its fastest 32-bit octet counter wraps; 0.0: none; not stored
    protocol: str = ""  # over which it was polled; "": it was not; not stored
    asked: Asked = msgspec.field(default_factory=Asked)  # stored in its trace
    step: str = ""  # in which step of its protocol it timed out (connect, login, …); "": in none; not stored


class Trace(msgspec.Struct, gc=False):
    """A poll's way, in wall-clock seconds of the one clock (Redis TIME)."""

    dispatched: float
    read: float
    started: float
    first_reply: float  # 0.0: none came
    done: float
    delivery: int  # 1 for the first delivery
    consumer: str
    asked: Asked = msgspec.field(default_factory=Asked)
    lag_s: float = 0.0  # how late the worker's event loop was by then, where that was LAG_TOLD_S or more


class Result(msgspec.Struct, gc=False):
    """A finished poll on its way to a row; (job, device, slot) identifies it."""

    job: str
    device: str
    slot: int  # seconds since the epoch
    status: Status
    duration_ms: int
    payload: bytes  # results.codec: version byte + gzip(msgpack)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What the coordinator did about one part of a tick (or a range of ticks) of a job in a shard."""

    job: str
    shard: int
    tick: int  # the slot, seconds since the epoch
    tick_to: int  # equals `tick`, but for a range of skipped ticks
    part: int  # a tick with many devices is dispatched in parts, from 0
    plan: int  # the plan's id, 64-bit; 0 for ad hoc polls
    count: int  # polls dispatched
    hash_sum: int  # sum of their device hashes, modulo 2**64
    skipped: int = 0  # polls not dispatched
    cause: str = ""  # why they were not: backlog, results, memory, late, lost


@dataclass(slots=True)
class RatesRow:
    """The rates that one result brought, on their way to a row; (job, device, slot) identifies them."""

    job: str
    device: str
    slot: int  # seconds since the epoch
    payload: bytes  # results.rates_codec


class Severity(IntEnum):
    """How bad an event is. The numbers are stored: never renumber one."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The name as shown to people and programs: `warning`."""
        return self.name.lower()


class Change(StrEnum):
    """What happened to an event."""

    OPENED = "opened"
    UPDATED = "updated"  # another value, severity or text
    CLOSED = "closed"
    ACKNOWLEDGED = "acknowledged"  # somebody has it in hand


@dataclass(frozen=True, slots=True)
class Event:
    """A change of something that is wrong; there is at most one open event for each (rule, device, row)."""

    id: int  # unsigned 64-bit: the hash of rule, device, row and `opened`
    rule: str
    device: str
    row: str  # the stable key of a table's row; "": the device
    severity: Severity
    labels: Mapping[str, str]  # site, role, vendor, groups (joined by ","), and what the rule adds
    opened: int  # the slot it was opened in, seconds since the epoch
    at: int  # the slot of this change
    change: Change
    value: float | None = None  # what the rule looked at; None: nothing that is a number
    text: str = ""  # one line for people
    run: str = ""  # the workflow that is to run; "": none
    suppressed: str = ""  # why nobody is told: maintenance, parent, lag, flapping; "": they are


class Described(Protocol):
    """What the inventory says of a device, wherever that is read."""

    @property
    def site(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def vendor(self) -> str: ...
    @property
    def groups(self) -> Sequence[str]: ...
    @property
    def tags(self) -> Sequence[str]: ...


def labels_of(device: Described) -> dict[str, str]:
    """Return what every event of a device is labelled with; "" where the inventory says nothing."""
    lists = {"groups": ",".join(device.groups), "tags": ",".join(device.tags)}
    return {"site": device.site, "role": device.role, "vendor": device.vendor, **lists}


def event_id(rule: str, device: str, row: str, opened: int) -> int:
    """Return the id of the event that a rule opened on a row of a device in a slot."""
    said = "\0".join((rule, device, row, str(opened))).encode()
    return int.from_bytes(blake2b(said, digest_size=8).digest())
