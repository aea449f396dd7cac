"""The protocol under thousands of interleavings, with crashes, freezes and lost answers anywhere; and that bugs show.

A red run prints the smallest story of it and its seed; `bin/simulate` goes deeper.
"""

import gc
from collections.abc import Iterator

import pytest

from tests.simulation.choices import Choices, shrink
from tests.simulation.explore import Finding, explore, run_once
from tests.simulation.planted import MISTAKES, Mistake
from tests.simulation.scenarios import SCENARIOS

# A process that is killed leaves its coroutines where they stand; what they say when they are collected is nobody's.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

RUNS = 15
MOST_RUNS = 250  # until a planted mistake has shown; most show within ten


DESIGN = (
    "acknowledge and emit in two calls", "owner check of finish removed", "fence removed", "XDEL removed",
    "commit after acknowledge",
)  # fmt: skip


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect what a test's killed processes left behind, so that no other test meets it."""
    yield
    gc.collect()


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_breaks_the_laws_hold(name: str) -> None:
    found = explore(SCENARIOS[name], range(RUNS))
    assert found is None, f"bin/simulate --once --seed {found.seed} {name}\n{found}"


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_planted_mistake_breaks_its_law(mistake: Mistake) -> None:
    found = explore(mistake.scenario, range(mistake.first, mistake.first + MOST_RUNS), shrinks=0)
    assert found is not None, "nobody noticed"
    assert found.law in mistake.breaks, str(found)


def test_the_mistakes_that_the_design_names_are_planted() -> None:
    assert {mistake.name for mistake in MISTAKES} >= set(DESIGN)


def test_a_run_is_its_seed() -> None:
    """Without that a red run could not be brought again."""
    stories = []
    for _ in range(2):
        found = explore(MISTAKES[0].scenario, range(MOST_RUNS), shrinks=0)
        assert found is not None
        stories.append((found.seed, found.story))
    assert stories[0] == stories[1]


def test_a_run_is_told_again_by_its_decisions() -> None:
    found = explore(MISTAKES[0].scenario, range(MOST_RUNS), shrinks=0)
    assert found is not None

    again = run_once(MISTAKES[0].scenario, Choices(told=found.decisions))

    assert again is not None
    assert again.story == found.story


def test_a_broken_run_is_made_small() -> None:
    found = explore(MISTAKES[0].scenario, range(MOST_RUNS), shrinks=0)
    small = explore(MISTAKES[0].scenario, range(MOST_RUNS), shrinks=100)
    assert found is not None
    assert small is not None

    assert small.law == found.law
    assert _decided(small) < _decided(found), str(small)
    assert "BROKEN: nothing is missing" in str(small)


def _decided(found: Finding) -> int:
    """How many decisions were not the calm one."""
    return sum(1 for made in found.decisions.values() for one in made if one)


def test_decisions_are_made_small_one_stream_after_the_other() -> None:
    def fails(told: dict[str, list[int]]) -> bool:
        return 7 in told["faults"] and sum(told["order"]) >= 3

    small = shrink({"faults": [1, 7, 3], "order": [1, 2, 0, 3]}, fails)

    assert small == {"faults": [7], "order": [3]}
