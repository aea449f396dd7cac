"""What a batch becomes before PostgreSQL sees it, and the figures of a store: pure."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.model import LedgerEntry, Result, Status
from streampoll.results.batch import clamp, digest, halves, reduce_ledger, reduce_results, signed, stands_in
from streampoll.results.figures import StoreFigures, bucket_of, merge, percentile, seconds_of

statuses = st.sampled_from([Status.OK, Status.TIMEOUT, Status.EXPIRED, Status.CRASHED])
payloads = st.sampled_from([b"1", b"2"])
results = st.builds(
    Result, st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 3), statuses, st.just(1), payloads
)


def _key(result: Result) -> tuple[int, str, str]:
    return result.slot, result.device, result.job


@given(st.lists(results, max_size=30))
def test_each_key_has_one_outcome(batch: list[Result]) -> None:
    keys = [_key(result) for result in reduce_results(batch).results]
    assert sorted(keys) == sorted({_key(result) for result in batch})


@given(st.lists(results, max_size=30))
def test_the_first_attempt_stays_and_a_stand_in_only_where_there_is_none(batch: list[Result]) -> None:
    for kept in reduce_results(batch).results:
        rivals = [result for result in batch if _key(result) == _key(kept)]
        attempts = [result for result in rivals if not stands_in(result)]
        assert kept == (attempts or rivals)[0]


ledgers = st.builds(
    LedgerEntry, st.just("j"), st.just(0), st.integers(0, 1), st.integers(0, 1), st.just(0), st.just(5),
    st.integers(0, 1), st.just(0), st.just(0), st.sampled_from(["", "late"]),
)  # fmt: skip


@given(st.lists(ledgers, max_size=12))
def test_what_was_dispatched_stays_dispatched_and_a_skip_of_it_shows(batch: list[LedgerEntry]) -> None:
    for kept in reduce_ledger(batch):
        rivals = [entry for entry in batch if (entry.tick, entry.tick_to) == (kept.tick, kept.tick_to)]
        assert kept.count == max(entry.count for entry in rivals)
        if {entry.count for entry in rivals} == {0, 1} and all(entry.cause for entry in rivals if not entry.count):
            assert kept.cause


@given(st.lists(results, max_size=30))
def test_only_attempts_that_differ_are_repeats(batch: list[Result]) -> None:
    reduced = reduce_results(batch)
    kept = {_key(result): result for result in reduced.results}
    assert all(not stands_in(repeat) for repeat in reduced.repeats)
    assert all(digest(repeat) != digest(kept[_key(repeat)]) for repeat in reduced.repeats)


@given(st.integers(0, 2**64 - 1))
def test_an_unsigned_number_survives_as_a_signed_one(value: int) -> None:
    assert -(1 << 63) <= signed(value) < 1 << 63
    assert signed(value) % 2**64 == value


@pytest.mark.parametrize(("given", "kept"), [(1e30, 2**31 - 1), (-1e30, 1 - 2**31), (2.9, 2)])
def test_a_lateness_fits_an_integer(given: float, kept: int) -> None:
    assert clamp(given) == kept


@given(st.lists(results, min_size=2))
def test_halves_are_smaller_and_lose_nothing(batch: list[Result]) -> None:
    first, second = halves(batch)
    assert [*first, *second] == batch
    assert first
    assert second


@given(st.floats(0.001, 1e6))
def test_a_bucket_tells_a_duration_to_within_three_percent(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(seconds, rel=0.03)


def test_figures_of_stores_sum_up_and_survive_msgpack() -> None:
    parts = []
    for rows in (3, 5):
        part = StoreFigures()
        part.note("j", 1000, rows, rows - 1, 1000.0 + rows)
        parts.append(StoreFigures.unpack(msgpack.unpackb(msgpack.packb(part.packable()), strict_map_key=False)))
    job = merge(parts).jobs["j"]
    assert (job.slots[1000].rows, job.slots[1000].last_stored_ms) == (8, 5000)
    assert sum(job.lateness_since(1006.0).values()) == 6
    assert percentile(job.lateness_since(1006.0), 0.99) == pytest.approx(5.0, rel=0.03)


def test_figures_forget_what_is_older_than_a_minute() -> None:
    figures = StoreFigures()
    figures.note("j", 1000, 1, 1, 1001.0)
    for slot in range(2000, 2100):
        figures.note("j", slot, 1, 1, slot + 1.0)
    figures.forget(2100.0)
    assert 1000 not in figures.jobs["j"].slots
    assert sum(figures.jobs["j"].lateness_since(2100.0).values()) <= 60


def test_a_percentile_of_nothing_is_unknown() -> None:
    assert percentile({}, 0.5) is None
