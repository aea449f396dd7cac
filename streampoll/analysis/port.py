"""The seam between the analysis of a poll and the rules on it: one `Sample` in, one `Judgement` out, nothing awaited.

The handler decodes the poll, makes its rates, and keeps the judge's state with the device's record in Redis; the judge
(`judge.py`) knows neither Redis nor entries. State is plain data that msgpack holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from streampoll.model import Described, Event, Outcome

Rate = float | None
"""A second; None: there is none for this interval (first sample, reset, gap that can't be told from one)."""


class Facts(Described, Protocol):
    """What is known of a device beside its polls: its line of the inventory."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def parent(self) -> str: ...


@dataclass(slots=True)
class TableRates:
    """Rates of one table's counters, column by column; all lists are as long as `rows`."""

    rows: Sequence[str]  # stable keys (ifName), as they stand in the table's order
    per_s: Mapping[str, Sequence[Rate]] = field(default_factory=dict)  # counter -> rate
    percent: Mapping[str, Sequence[Rate]] = field(default_factory=dict)  # octets -> share of the speed


@dataclass(slots=True)
class Above:
    """What is known of the device that another is behind."""

    failing: bool = False  # it is down, or its last poll went without an answer
    answered: int = 0  # the slot of the last poll that it answered; 0: none is known


@dataclass(slots=True)
class Sample:
    """One analysed poll."""

    facts: Facts
    job: str
    slot: int  # seconds since the epoch
    interval_s: int  # of the job; 0: unknown (an ad hoc poll)
    outcome: Outcome
    duration_ms: int
    tables: Mapping[str, TableRates] = field(default_factory=dict)
    rates: Mapping[str, Rate] = field(default_factory=dict)  # of scalars
    lag_s: float = 0.0  # of the poller's event loop when it gave up waiting: a starved poller calls no device down
    parent: Above | None = None  # where there was no answer; None: it is behind none, or that was not asked


@dataclass(slots=True)
class Judgement:
    """What a sample leads to."""

    state: dict[str, Any]  # to be kept, in the place of what was given
    standing: str = "unknown"  # up, degraded, down, unreachable, unknown
    above: Above = field(default_factory=Above)  # what the devices behind it ask for
    changes: Sequence[Event] = ()  # to be stored
    notify: Sequence[Event] = ()  # of those, what people are to be told
    runs: Sequence[Event] = ()  # of those, what starts the workflow `event.run`


class Judge(Protocol):
    """Judges samples; pure."""

    def judge(self, sample: Sample, state: Mapping[str, Any]) -> Judgement:
        """Say what a sample means, given the state that the last one left (empty: there was none)."""
