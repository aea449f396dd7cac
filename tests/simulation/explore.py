"""Many runs of a scenario; the first that fails is made small and told as a story."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.choices import Choices, Decisions, shrink
from tests.simulation.laws import COMES_TO_REST, NO_BUGS, Broken
from tests.simulation.loop import Stuck
from tests.simulation.scenarios import Scenario
from tests.simulation.world import START_S, World


@dataclass(frozen=True, slots=True)
class Finding:
    """A run in which a law did not hold."""

    law: str
    how: str
    seed: int
    decisions: Decisions
    story: Sequence[tuple[float, str, str]]

    def __str__(self) -> str:
        lines = [f"{at:8.3f} s  {who:>4}  {what}" for at, who, what in self.story]
        return "\n".join([f"seed {self.seed}, time from {START_S}:", *lines, f"BROKEN: {self.law}", self.how])


def run_once(scenario: Scenario, choices: Choices, seed: int = 0) -> Finding | None:
    """Run once; return what was found."""
    world = World(scenario, choices)
    try:
        world.run()
    except Broken as broken:
        return Finding(broken.law, str(broken), seed, choices.made, world.story)
    except (TimeoutError, Stuck) as stuck:
        return Finding(COMES_TO_REST, repr(stuck), seed, choices.made, world.story)
    except Exception as error:
        return Finding(NO_BUGS, repr(error), seed, choices.made, world.story)
    return None


def explore(scenario: Scenario, seeds: Sequence[int], shrinks: int = 200) -> Finding | None:
    """Run with each seed until a law is broken; return that run, made small."""
    for seed in seeds:
        found = run_once(scenario, Choices(seed), seed)
        if found is not None:
            return smallest(scenario, found, shrinks)
    return None


def smallest(scenario: Scenario, found: Finding, tries: int) -> Finding:
    """Return a calmer run that breaks the same law."""

    def fails(decisions: Decisions) -> bool:
        again = run_once(scenario, Choices(told=decisions))
        return again is not None and again.law == found.law

    decisions = shrink(found.decisions, fails, tries)
    again = run_once(scenario, Choices(told=decisions), found.seed)
    return again if again is not None and again.law == found.law else found
