"""What a fault is, and the list of all of them."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.system import Servers, System


@dataclass(slots=True)
class Torment:
    """What a fault works with."""

    system: System
    rng: random.Random
    long_s: float  # how long a long outage is: a minute, or less in a short run
    told: list[str] = field(default_factory=list)  # what was chosen, for the log

    def tell(self, what: str) -> None:
        """Note a choice."""
        self.told.append(what)

    def wait(self, seconds: float) -> None:
        """Let the fault last."""
        time.sleep(seconds)


Inject = Callable[[Torment], float | None]
"""Does the harm and, for one that ends, undoes it. Returns the moment (seconds since the epoch) from which polling has
the bar's time to be normal again; None: from its return."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of harm."""

    name: str
    what: str  # for people
    inject: Inject
    loses: bool = False  # Redis loses data by it: polls may be `lost`, each put on record
    on: Servers | None = None  # how Redis must run for it; None: either way


FAULTS: dict[str, Fault] = {}


def fault(what: str, loses: bool = False, on: Servers | None = None) -> Callable[[Inject], Inject]:
    """Add a function to the list of faults, under its own name."""

    def add(inject: Inject) -> Inject:
        name = inject.__name__.replace("_", "-")
        FAULTS[name] = Fault(name, what, inject, loses, on)
        return inject

    return add
