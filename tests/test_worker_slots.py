"""Slots: a busy class may use what nobody wants, and starves nobody."""

from hypothesis import given
from hypothesis import strategies as st

from streampoll.model import QueueClass
from streampoll.worker.slots import Slots

POLLING, ANALYSIS, NOTIFICATIONS = QueueClass.POLLING, QueueClass.ANALYSIS, QueueClass.NOTIFICATIONS


def test_a_class_alone_may_take_every_slot() -> None:
    slots = Slots(10, {POLLING: 8, ANALYSIS: 2})
    assert slots.free(ANALYSIS) == 10
    slots.take(ANALYSIS, 10)
    assert (slots.free(ANALYSIS), slots.free(POLLING)) == (0, 0)


def test_the_share_of_a_class_that_waits_is_kept_free_for_it() -> None:
    slots = Slots(10, {POLLING: 8, ANALYSIS: 2})
    slots.want(POLLING, lambda: None)
    assert (slots.free(ANALYSIS), slots.free(POLLING)) == (2, 10)
    slots.take(POLLING, 8)
    assert (slots.free(ANALYSIS), slots.free(POLLING)) == (2, 2)
    slots.want(POLLING, None)
    assert slots.free(ANALYSIS) == 2


def test_the_least_class_has_a_slot_however_small_its_weight() -> None:
    slots = Slots(4, {POLLING: 100, ANALYSIS: 1})
    slots.want(ANALYSIS, lambda: None)
    assert slots.free(POLLING) == 3


def test_others_that_wait_are_told_when_a_slot_is_given_back() -> None:
    slots, told = Slots(1, {POLLING: 1, ANALYSIS: 1, NOTIFICATIONS: 1}), []
    slots.take(POLLING, 1)
    slots.want(ANALYSIS, lambda: told.append(ANALYSIS))
    slots.want(POLLING, lambda: told.append(POLLING))
    slots.give(POLLING, 1)
    assert told == [ANALYSIS]  # the giver looks by itself


@given(st.lists(st.tuples(st.sampled_from([POLLING, ANALYSIS, NOTIFICATIONS]), st.integers(-3, 5)), max_size=40))
def test_no_more_slots_are_offered_than_there_are(steps: list[tuple[QueueClass, int]]) -> None:
    slots, used = Slots(12, {POLLING: 8, ANALYSIS: 2, NOTIFICATIONS: 2}), dict.fromkeys(QueueClass, 0)
    for queue, change in steps:
        count = min(change, slots.free(queue)) if change > 0 else -min(-change, used[queue])
        used[queue] += count
        slots.take(queue, count) if count > 0 else slots.give(queue, -count)
        slots.want(queue, (lambda: None) if change else None)
        assert sum(used.values()) <= 12
        assert all(0 <= slots.free(each) <= 12 - sum(used.values()) for each in (POLLING, ANALYSIS, NOTIFICATIONS))
