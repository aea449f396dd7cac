"""What Redis lost is on record, as far as it may have been there and no further."""

from collections.abc import Mapping, Sequence

import pytest

from streampoll.coordinator.line import Line, Setback, WentBack
from streampoll.coordinator.losses import Loss, Losses, final_before, forgotten, last_final, went_back
from streampoll.coordinator.planning import Place
from streampoll.errors import PostgresUnavailable
from streampoll.model import QueueClass
from streampoll.shards.port import Ghost, ShardFigures, mark_of

POLLING, RESULTS, ANALYSIS = QueueClass.POLLING, QueueClass.RESULTS, QueueClass.ANALYSIS
MARK = mark_of(100, 0)


def shard_with(marks: Mapping[str, int], **unfinished: int) -> ShardFigures:
    """A shard that holds these marks, and one unfinished poll at each of these slots (`job=slot`)."""
    return ShardFigures(3, {(RESULTS, job, slot): 1 for job, slot in unfinished.items()}, {}, marks)


def test_a_shard_is_final_up_to_its_oldest_unfinished_slot():
    assert final_before(shard_with({"j": MARK}, j=90), {("j", 3): (MARK, 101)}) == 89


def test_a_shard_with_nothing_unfinished_is_final_up_to_what_was_dispatched():
    lines = {("j", 3): (MARK, 101), ("late", 3): (mark_of(60, 0), 61), ("elsewhere", 4): (mark_of(20, 0), 21)}
    assert final_before(shard_with({"j": MARK, "late": mark_of(60, 0)}), lines) == 60


def test_work_of_other_classes_does_not_keep_polls_from_being_final():
    shard = ShardFigures(3, {(ANALYSIS, "j", 50): 1}, {}, {"j": MARK})
    assert final_before(shard, {("j", 3): (MARK, 101)}) == 100


def test_a_shard_without_its_marks_is_not_called_final():
    """Else FLUSHALL, which leaves nothing unfinished, would hide what it took."""
    assert final_before(shard_with({}), {("j", 3): (MARK, 101)}) is None


def test_where_marks_are_gone_everything_that_was_not_final_may_be_lost():
    losses = went_back([Setback("j", 3, MARK, 0), Setback("k", 3, mark_of(99, 0), 0)], {3: 89})
    assert [(loss.shard, loss.first, loss.last) for loss in losses] == [(3, 90, 100)]


def test_where_a_mark_went_back_only_the_step_may_be_lost():
    (loss,) = went_back([Setback("j", 3, MARK, mark_of(97, 0))], {3: 50})
    assert (loss.first, loss.last) == (97, 100)


def test_what_a_new_leader_goes_over_again_may_be_lost():
    losses = forgotten({("j", 3): (96, 100), ("k", 3): (81, 80)})
    assert [(loss.shard, loss.first, loss.last) for loss in losses] == [(3, 96, 100)]


def test_a_line_without_a_mark_goes_on_behind_what_was_final():
    assert last_final(dispatched=100, began=50, final=89) == 89


def test_a_line_without_a_mark_never_goes_on_further_than_its_ledger():
    """Its last entries may have been lost with the mark."""
    assert last_final(dispatched=80, began=50, final=89) == 80


def test_a_line_of_which_nothing_is_known_to_be_final_begins_where_its_first_plan_did():
    assert last_final(dispatched=100, began=50, final=None) == 49
    assert last_final(dispatched=100, began=50, final=40) == 49


def test_ticks_from_before_the_first_plan_that_a_clock_had_dispatched_are_gone_over_too():
    assert last_final(dispatched=30, began=50, final=20) == 20


class Store:
    """A `LossStore` that can be away."""

    def __init__(self, final: Mapping[int, int], ledger: Mapping[Place, int]) -> None:
        self.noted = dict(final)
        self.firsts: dict[Place, int] = dict.fromkeys(ledger, 50)
        self.ledger = ledger
        self.losses: list[Loss] = []
        self.away = False

    async def final(self) -> Mapping[int, int]:
        self._check()
        return dict(self.noted)

    async def note_final(self, ticks: Mapping[int, int]) -> None:
        self._check()
        self.noted |= ticks

    async def dispatched(self, places: Sequence[Place]) -> Mapping[Place, int]:
        self._check()
        return {place: self.ledger[place] for place in places if place in self.ledger}

    async def began(self, places: Sequence[Place]) -> Mapping[Place, int]:
        self._check()
        return {place: self.firsts[place] for place in places if place in self.firsts}

    async def record(self, losses: Sequence[Loss]) -> None:
        self._check()
        self.losses += losses

    def _check(self) -> None:
        if self.away:
            raise PostgresUnavailable("PostgreSQL: away")


class Streams:
    """Streams of which nothing but the figures is asked, and what is open without being there."""

    def __init__(self, *shards: ShardFigures, ghosts: Sequence[Ghost] = ()) -> None:
        self.shards = list(shards)
        self.ghosts = list(ghosts)

    async def reconcile(self, shards: Sequence[int]) -> list[Ghost]:
        ghosts, self.ghosts = self.ghosts, []
        return ghosts

    async def figures(self, shards: Sequence[int]) -> list[ShardFigures]:
        return self.shards


def losses_of(store: Store, streams: Streams, *lines: Line) -> Losses:
    losses = Losses(store, streams, [3])  # type: ignore[arg-type]
    losses.begin({(line.job, line.shard): line for line in lines})
    return losses


async def test_a_loss_met_while_postgres_is_away_is_recorded_once_it_is_back_and_as_long_as_it_was():
    """By the next term of the same process, which goes on from what Redis holds then."""
    store, streams = Store({3: 89}, {}), Streams(shard_with({"j": MARK}, j=90))
    losses = losses_of(store, streams, Line("j", 3, 0, MARK))
    await losses.keep()
    store.away, streams.shards = True, [shard_with({"j": mark_of(101, 0)})]
    losses.notice(Setback("j", 3, MARK, 0))
    losses.begin({("j", 3): Line("j", 3, 0, mark_of(101, 0))})
    for _ in range(2):
        with pytest.raises(PostgresUnavailable):
            await losses.keep()
    store.away = False
    await losses.keep()
    assert [(loss.shard, loss.first, loss.last) for loss in store.losses] == [(3, 90, 100)]
    await losses.keep()
    assert len(store.losses) == 1
    assert store.noted == {3: 100}  # a further part of tick 101 may come


async def test_a_line_with_nothing_to_dispatch_is_set_back_when_what_is_final_is_looked_at():
    """A job that is due each hour met its older mark an hour later, or never: its last tick was missing."""
    store, streams = Store({3: 89}, {}), Streams(shard_with({"j": mark_of(97, 0)}))
    losses = losses_of(store, streams, Line("j", 3, 0, MARK))
    with pytest.raises(WentBack):
        await losses.keep()
    assert store.noted == {3: 89}
    losses.begin({("j", 3): Line("j", 3, 0, mark_of(97, 0))})
    await losses.keep()
    assert [(loss.first, loss.last) for loss in store.losses] == [(97, 100)]


async def test_a_line_that_the_clock_brings_back_meanwhile_is_not_set_back():
    line, back = Line("j", 3, 0, MARK), mark_of(70, 0)

    class Moving(Streams):
        async def figures(self, shards: Sequence[int]) -> list[ShardFigures]:
            line._adopt(back)
            return await super().figures(shards)

    await losses_of(Store({3: 89}, {}), Moving(shard_with({"j": mark_of(60, 0)})), line).keep()


async def test_a_line_that_redis_forgot_goes_over_all_again_that_was_not_final():
    """Of what its last entries in the ledger say nothing, for these may have been lost too: polls were missing."""
    store, line = Store({3: 89}, {("j", 3): 100}), Line("j", 3, 107)
    losses = losses_of(store, Streams(shard_with({})), line)
    await losses.resolve()
    losses.settle()
    assert line.tick == 90
    await losses.keep()
    assert [(loss.first, loss.last) for loss in store.losses] == [(90, 100)]


async def test_nothing_is_noted_as_final_before_it_is_known_where_lines_without_a_mark_go_on():
    store, line = Store({3: 89}, {("j", 3): 100}), Line("j", 3, 107)
    losses = losses_of(store, Streams(shard_with({})), line)
    await losses.keep()
    assert store.noted == {3: 89}
    await losses.resolve()
    losses.settle()
    await losses.keep()
    assert store.noted == {3: 89}


async def test_a_new_leader_knows_by_the_ledger_that_a_mark_went_back():
    """Redis came back older while nobody led; the ticks of the step were missing, for no leader had met them."""
    store = Store({3: 89}, {("j", 3): 103, ("k", 3): 100, ("ahead", 3): 900})
    lines = [Line(job, 3, 0, MARK) for job in ("j", "k", "ahead")]
    losses = losses_of(store, Streams(shard_with(dict.fromkeys(("j", "k", "ahead"), MARK))), *lines)
    await losses.look_back(now=110)
    await losses.keep()
    assert [(loss.first, loss.last) for loss in store.losses] == [(100, 103)]


async def test_a_new_leader_does_not_wait_for_a_ledger_that_is_away():
    store, streams = Store({3: 89}, {("j", 3): 103}), Streams(shard_with({"j": MARK}))
    losses = losses_of(store, streams, Line("j", 3, 0, MARK))
    store.away = True
    await losses.look_back(now=110)
    assert store.losses == []


async def test_a_line_that_is_new_begins_now_and_nothing_is_lost():
    store, line = Store({3: 89}, {}), Line("new", 3, 107)
    losses = losses_of(store, Streams(shard_with({})), line)
    await losses.resolve()
    losses.settle()
    await losses.keep()
    assert (line.tick, store.losses) == (107, [])


async def test_entries_that_are_gone_from_their_stream_are_a_loss_of_their_slot_only():
    ghosts = [Ghost(3, QueueClass.POLLING, "j", 95, 2), Ghost(3, QueueClass.ANALYSIS, "j", 96, 1)]
    store = Store({3: 89}, {})
    losses = losses_of(store, Streams(shard_with({"j": MARK}), ghosts=ghosts), Line("j", 3, 0, MARK))
    await losses.keep()
    assert [(loss.shard, loss.first, loss.last) for loss in store.losses] == [(3, 95, 95)]
