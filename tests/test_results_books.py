"""What plans and ledger say of one tick, on PostgreSQL."""

from streampoll.coordinator.losses import Loss
from streampoll.coordinator.plan import Plan, PlanTerms, build_plan
from streampoll.coordinator.planning import PlanRow
from streampoll.coordinator.schedule import Every
from streampoll.model import Device, LedgerEntry
from streampoll.results.books import Books, Said, read_books
from streampoll.results.partitions import DAY_S
from streampoll.results.plans import PostgresPlans, commit_plans
from streampoll.results.postgres import Postgres
from tests.results_support import NOON, bench, dispatched, ledger_entry, settings_of

JOB, SHARD = "interfaces", 7


def plan() -> Plan:
    return build_plan(PlanTerms(JOB, SHARD, Every(10, spread=False)), [Device("r1", "10.0.0.1")], "p")


def skipped(tick: int, tick_to: int, count: int, cause: str) -> LedgerEntry:
    return LedgerEntry(JOB, SHARD, tick, tick_to, 0, plan().id, 0, 0, count, cause)


async def test_the_books_of_a_tick_have_its_plan_its_entries_and_how_far_they_reach(fresh_database: str) -> None:
    wanted = plan()
    async with bench(fresh_database) as b:
        await commit_plans(b.connection, [PlanRow(wanted.id, JOB, SHARD, NOON, wanted.summary())])
        await b.handle(
            ledger_entry(dispatched("r1", plan=wanted.id)),
            ledger_entry(skipped(NOON + 10, NOON + 10, 1, "backlog")),
            ledger_entry(skipped(NOON + 20, NOON + 40, 3, "late")),
            ledger_entry(dispatched("r9", shard=3, tick=NOON + 20)),
        )
        postgres = Postgres(settings_of(fresh_database), 1)
        await PostgresPlans(postgres).record([Loss(SHARD, NOON + 30, NOON + 30, "gone")])
        await postgres.close()
        books = {at: await read_books(b.connection, JOB, SHARD, NOON + at) for at in (-10, 0, 10, 30, 50)}
        nothing = await read_books(b.connection, "nosuch", SHARD, NOON)

    assert [(said.count, said.cause) for said in books[0].entries] == [(1, "")]
    assert [(said.skipped, said.cause) for said in books[10].entries] == [(1, "backlog")]
    assert [(said.first, said.last, said.skipped) for said in books[30].entries] == [(NOON + 20, NOON + 40, 3)]
    assert (books[30].losses, books[10].losses) == (["gone"], [])
    assert books[50].entries == []
    assert (books[0].first, books[0].last) == (NOON, NOON + 40)
    assert books[-10].plan is None
    assert books[0].plan is not None
    assert books[0].plan.valid_from == NOON
    kept = books[0].kept_since
    assert kept is not None
    assert kept <= NOON
    assert kept % DAY_S == 0
    assert nothing == Books(kept)
    assert isinstance(books[0].entries[0], Said)
