"""What is run: each scenario brings out another part of the protocol."""

from dataclasses import dataclass, field, replace

from streampoll.pollers.handler import PollHandler
from streampoll.results.store import Store
from streampoll.shards.memory import MemoryStreams
from streampoll.worker.consume import Consumer
from streampoll.worker.quarantine import Solitude
from tests.simulation.nemesis import (
    CLOCK,
    CRASH,
    FREEZE,
    HARMLESS,
    LOST_REPLY,
    NO_DATA,
    OLDER_DATA,
    PROMOTED,
    TABLES_AWAY,
    Torments,
)
from tests.simulation.redis import Client


@dataclass(frozen=True, slots=True)
class JobOf:
    """A job of the run."""

    name: str
    interval_s: int
    devices: tuple[str, ...]
    spread: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """What runs, and what may go wrong."""

    torments: Torments = field(default_factory=Torments)
    jobs: tuple[JobOf, ...] = (JobOf("fast", 5, ("d1", "d2", "d3")), JobOf("slow", 40, ("d1", "d4", "d5", "d6")))
    added: str = ""  # a device that joins the jobs in mid-run
    poison: tuple[str, ...] = ()  # to poll one of these kills the process
    polls_last_s: tuple[float, ...] = (0.05, 0.05, 0.3, 2.5)
    shards: int = 2
    coordinators: int = 2
    workers: int = 2
    concurrency: int = 8
    claim_idle_s: float = 4.0
    lease_s: float = 3.0
    grace_s: int = 4
    active_s: int = 25
    consumer: type[Consumer] = Consumer
    solitude: type[Solitude] = Solitude
    handler: type[PollHandler] = PollHandler
    streams: type[MemoryStreams] = MemoryStreams
    store: type[Store] = Store
    client: type[Client] = Client


_AT_ONCE = JobOf("slow", 60, ("d1", "d4", "d5", "d6", "d7"), spread=False)

PLAIN = Scenario()
CHANGE = Scenario(added="d9")
POISON = Scenario(poison=("d4",), jobs=(PLAIN.jobs[0], _AT_ONCE))
POISONS = Scenario(
    poison=("d4", "d7"), active_s=40, jobs=(JobOf("fast", 10, ("d7", "d2")), _AT_ONCE), polls_last_s=(0.3, 2.5)
)
FROZEN = Scenario(
    torments=Torments((FREEZE,), most=4, gap=60),
    jobs=(JobOf("slow", 40, ("d1", "d2", "d3", "d4"), spread=False),),
    polls_last_s=(2.5, 18.0),
)
# Polls of two slots that end at once: their results are joined, by slot.
JOINED = Scenario(
    torments=Torments((CRASH, FREEZE, LOST_REPLY, LOST_REPLY, LOST_REPLY), most=8, gap=30),
    jobs=(JobOf("often", 2, tuple(f"d{number}" for number in range(6)), spread=False),),
    polls_last_s=(0.1, 0.1, 0.2, 2.1),
    concurrency=24,
    shards=1,
)
# Leaders that freeze as they dispatch, and plans that can't be committed.
LEADERS = Scenario(
    torments=Torments(
        (FREEZE, FREEZE, TABLES_AWAY, LOST_REPLY), most=6, gap=8, whom=("coordinator",), where="dispatch"
    ),
    jobs=(JobOf("often", 1, ("d1", "d2", "d3")), JobOf("slow", 4, ("d4", "d5"))),
    added="d9",
)
# So many long polls that what a dead process leaves stands behind more held entries than one claim looks at.
CROWD = Scenario(
    torments=Torments((CRASH,), most=2, gap=60),
    jobs=(JobOf("slow", 60, tuple(f"d{number}" for number in range(64)), spread=False),),
    polls_last_s=(18.0,) * 15 + (0.3,),
    concurrency=58,
    shards=1,
)

SCENARIOS = {
    "plain": PLAIN,
    "change": CHANGE,
    "poison": POISON,
    "poisons": POISONS,
    "leaders": LEADERS,
    "frozen": FROZEN,
    "crowd": CROWD,
    "joined": JOINED,
}
"""What must hold whatever breaks, as long as Redis keeps what it was told and its clock goes on."""


def with_torments(scenario: Scenario, *kinds: str) -> Scenario:
    """Return a scenario in which more may go wrong."""
    return replace(scenario, torments=replace(scenario.torments, kinds=HARMLESS + kinds))


HARDER = {
    "older-data": with_torments(PLAIN, OLDER_DATA),
    "no-data": with_torments(PLAIN, NO_DATA),
    "clock": with_torments(PLAIN, CLOCK),
    "promoted": with_torments(CHANGE, PROMOTED),
    "older-change": with_torments(CHANGE, OLDER_DATA),
    "no-change": with_torments(CHANGE, NO_DATA),
    "clock-change": with_torments(CHANGE, CLOCK),
    "worst": replace(
        with_torments(CHANGE, PROMOTED, OLDER_DATA, NO_DATA, CLOCK, OLDER_DATA, NO_DATA, CLOCK),
        torments=Torments(HARMLESS + (PROMOTED, OLDER_DATA, NO_DATA, CLOCK) * 2, most=9, gap=60),
    ),
}
"""Redis loses data, or its clock steps."""
