"""How the harness judges a fault: when polling was normal again, and what it cost."""

import pytest

from tests.chaos.fault import Fault
from tests.chaos.rounds import Tick, normal_from
from tests.chaos.run import BAR_S, Event, _too_slow
from tests.chaos.system import Scale

SCALE = Scale(devices=2000)
POLLS_PER_S = 2000 / SCALE.fast_s + 2000 / SCALE.slow_s
FAULT = Fault("made-up", "a fault of ten seconds", lambda torment: None)


def event(cost: float, normal_s: float | None = 1.0) -> Event:
    """A fault of ten seconds that cost so many polls, of three kinds."""
    third = int(cost / 3)
    figures = {"expired": third, "skipped": third, "lost": int(cost) - 2 * third}
    return Event(FAULT, 0.0, 10.0, 10.0, "", normal_s=normal_s, figures=figures)


@pytest.mark.parametrize("over", [0, 1])
def test_a_fault_may_cost_the_slots_of_its_time_and_one_interval_and_no_poll_more(over: int) -> None:
    allowed = int(POLLS_PER_S * (10 + SCALE.fast_s))

    assert len(list(_too_slow(event(allowed + over), SCALE))) == over


@pytest.mark.parametrize(("normal_s", "said"), [(BAR_S, ""), (BAR_S + 0.1, "normal again after"), (None, "not normal")])
def test_polling_is_to_be_normal_within_the_bar(normal_s: float | None, said: str) -> None:
    assert said in "".join(_too_slow(event(0, normal_s), SCALE))


def test_normal_is_from_when_on_every_tick_is_good() -> None:
    ticks = [Tick(1, 5, 5), Tick(2, 5, 4), Tick(3, 5, 5, last_ms=6000), Tick(4, 5, 5), Tick(5, 5, 5)]

    assert normal_from(ticks, 4.0) == 9.0  # the late rows of tick 3 came then
    assert normal_from(ticks[:3], 4.0) is None
    assert normal_from([Tick(1, 5, 5, bad=1), Tick(2, 5, 5)], 4.0) == 2.0
