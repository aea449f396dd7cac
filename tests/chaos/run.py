"""One run: start, wait until polling is normal, torment, wait, …, stop dispatching, drain, audit."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from streampoll.config.secret import Secret
from streampoll.config.settings import PostgresSettings
from streampoll.results.audit import AuditReport, audit
from streampoll.results.postgres import connected
from tests.chaos.fault import Fault, Torment
from tests.chaos.rounds import Tick, normal_from, read_ticks
from tests.chaos.system import CLAIM_IDLE_S, HOSTS, Scale, System, running, wait_for
from tests.servers_support import run_now

BAR_S = CLAIM_IDLE_S + 5
WITHIN_S = float(CLAIM_IDLE_S)  # a row that is stored later after its slot than this is not normal
_LATE_S = 2  # the rows of a tick may take this long before we look
_GIVE_UP_S = 45.0  # polling that is not normal after this is a finding; the run goes on
_START_S = 60.0
_DRAIN_S = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    seed: int
    minutes: float
    faults: Sequence[Fault]
    scale: Scale
    long_s: float = 60.0
    once: bool = False  # each fault once, whatever the time
    keep: Path | None = None


@dataclass(slots=True)
class Event:
    """One fault as it went."""

    fault: Fault
    began: float  # seconds since the epoch
    ended: float
    measured: float  # from when the bar counts
    told: str
    until: float = 0.0  # the next one began
    normal_s: float | None = None  # after `measured`; None: not before the next
    ticks: Sequence[Tick] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Which fault, and when."""
        return f"{self.fault.name} at {time.strftime('%H:%M:%S', time.gmtime(self.began))}"

    @property
    def lasted_s(self) -> float:
        """How long the fault was there."""
        return self.ended - self.began

    @property
    def cost(self) -> int:
        """Polls that were not done because of it."""
        return sum(self.figures.get(name, 0) for name in ("expired", "skipped", "lost"))


@dataclass(slots=True)
class Verdict:
    """What a run found."""

    seed: int
    events: list[Event]
    audit: AuditReport
    wrong: list[str]  # polls that are missing or doubled, a process that ended unasked, a bug's traceback, …
    slow: list[
        str
    ]  # later normal, or dearer, than what is promised; a machine that is busy with other things may be why

    @property
    def passed(self) -> bool:
        """True if there is nothing to complain of."""
        return not self.wrong and not self.slow


def run(options: Options, say: Say) -> Verdict:
    """Run; `say` gets a line for each thing that happens."""
    rng = random.Random(options.seed)
    with running(options.scale, options.keep) as system:
        began = int(time.time()) - 1
        torment = Torment(system, rng, options.long_s)
        if not wait_for(lambda: system.ended or _normal(system, began), _START_S, 0.5) or system.ended:
            raise SystemExit("polling did not become normal before the first fault\n" + system.said()[-4000:])
        say("polling is normal")
        events = [_torment(torment, fault, say) for fault in _schedule(options, rng)]
        for event, after in zip(events, [*events[1:], None], strict=True):
            event.until = after.began if after else time.time()
        wrong = list(_wind_down(system))
        return _judge(system, options, events, began, wrong)


def _schedule(options: Options, rng: random.Random) -> Iterator[Fault]:
    """Yield faults in a seeded order, all of them before any comes again, until the time is up."""
    until = time.monotonic() + options.minutes * 60
    while True:
        for fault in rng.sample(list(options.faults), len(options.faults)):
            if not options.once and time.monotonic() > until:
                return
            yield fault
        if options.once:
            return


def _torment(torment: Torment, fault: Fault, say: Say) -> Event:
    """Inject one fault and wait until polling is normal again."""
    torment.told.clear()
    began = time.time()
    measured = fault.inject(torment)
    ended = time.time()
    event = Event(fault, began, ended, measured or ended, ", ".join(torment.told))
    since = int(max(ended, event.measured))
    back = wait_for(lambda: _normal(torment.system, since), _GIVE_UP_S, 0.5)
    torment.system.restart_ended()
    how = "normal again" if back else "NOT NORMAL"
    say(f"{fault.name} ({event.told or '-'}): {how} {time.time() - ended:.1f} s later")
    return event


def _normal(system: System, since: int) -> bool:
    """Tell whether the last whole round, after `since`, is good."""
    last = int(time.time()) - _LATE_S
    first = last - system.scale.fast_s + 1
    if first < since:
        return False
    try:
        ticks = read_ticks(system.dsn, first, last)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    return len(ticks) >= system.scale.fast_s - 1 and all(tick.good(WITHIN_S) for tick in ticks)


def _wind_down(system: System) -> Iterator[str]:
    """Stop dispatching, let the workers finish everything, stop them; yield what went wrong."""
    for host in HOSTS:
        if code := system.daemons[f"coordinator-{host}"].terminate(30):
            yield f"coordinator-{host} ended with {code}"
    if not wait_for(lambda: _drained(system), _DRAIN_S, 0.25):
        yield f"not drained: {_open(system)}"
    for host in HOSTS:
        if code := system.daemons[f"worker-{host}"].terminate(30):
            yield f"worker-{host} ended with {code}"


def _drained(system: System) -> bool:
    return not _open(system)


def _open(system: System) -> dict[str, int]:
    with system.redis_client() as client:
        return {
            f"{shard} {name.decode()}": int(count)
            for shard in range(system.scale.shards)
            for name, count in client.hgetall(f"sp:{{{shard:02d}}}:open").items()
        }


def _judge(system: System, options: Options, events: list[Event], began: int, wrong: list[str]) -> Verdict:
    interval_s, slow = system.scale.fast_s, list[str]()
    whole = _audit(system.dsn, began, int(time.time()))
    for event in events:
        first, last = int(event.began) - interval_s, int(event.until) - interval_s - 1
        event.ticks = read_ticks(system.dsn, first, last)
        event.figures = _audit(system.dsn, first, last).total.as_json()
        at = normal_from(event.ticks, WITHIN_S)
        event.normal_s = None if at is None else max(0.0, at - event.measured)
        slow += _too_slow(event, system.scale)
        if event.figures.get("lost") and not event.fault.loses:
            wrong.append(f"{event.name}: {event.figures['lost']} lost, though Redis lost nothing by it")
    tally = whole.total.tally
    if tally.missing or tally.duplicates:
        wrong.append(f"missing {tally.missing}, duplicates {tally.duplicates}")
        wrong += [str(shortfall) for shortfall in tally.shortfalls if shortfall.count > shortfall.lost][:20]
    wrong += _unasked(system)
    return Verdict(options.seed, events, whole, wrong, slow)


def _too_slow(event: Event, scale: Scale) -> Iterator[str]:
    if event.normal_s is None:
        yield f"{event.name}: polling was not normal again before the next fault"
    elif event.normal_s > BAR_S:
        yield f"{event.name}: polling was normal again after {event.normal_s:.1f} s (bar: {BAR_S} s)"
    rate = scale.devices / scale.fast_s + scale.devices / scale.slow_s
    allowed = rate * (event.lasted_s + scale.fast_s)
    if event.cost > allowed:
        yield f"{event.name}: cost {event.cost} polls, {allowed:.0f} allowed"


def _unasked(system: System) -> Iterator[str]:
    """Yield what the logs have that they must not: a process that ended by itself, a bug's traceback."""
    for daemon in system.daemons.values():
        for line in daemon.log.read_text(errors="replace").splitlines():
            if line.startswith("Traceback"):
                yield f"{daemon.name}: a traceback"
            if "ERROR" in line and ("exited with" in line or "ended by" in line):
                pid = int(line.partition("(pid ")[2].partition(")")[0] or 0)
                if pid not in system.killed:
                    yield f"{daemon.name}: {line}"


def _audit(dsn: str, first: int, last: int) -> AuditReport:
    async def ask() -> AuditReport:
        async with connected(PostgresSettings(dsn=Secret(dsn))) as connection:
            return await audit(connection, first, last, _all_final)

    return run_now(ask())


async def _all_final() -> dict[tuple[str, int], int]:
    """Everything is final: the run is over, and whatever is unfinished in Redis is a complaint of its own."""
    return {}
