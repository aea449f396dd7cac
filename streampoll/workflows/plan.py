"""What a workflow is, compiled from its file: steps, what each needs, when it is started.

A step's own words (`spec`) are kept as the file has them: `{{ … }}` in them is filled in when the step is run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from streampoll.config.selector import Selector

MOST_STEPS: Final = 100
MOST_ELEMENTS: Final = 10_000
"""Elements that one step may be done for."""
MOST_AT_ONCE: Final = 200
LONGEST_STEP_S: Final = 240.0
LONGEST_WAIT_S: Final = 30 * 86_400.0
LONGEST_RUN_S: Final = 31 * 86_400.0
DEVICES: Final = "devices"
"""`for_each = "devices"`: the devices that the run was started for."""


class Does(StrEnum):
    """What a step does; the key that says so in its table."""

    POLL = "poll"  # polls a device by a profile
    SSH = "ssh"  # runs commands on a device
    HTTP = "http"  # sends a request
    WAIT = "wait"  # waits
    CONDITION = "condition"  # is skipped, with all that need it, unless an expression is true
    NOTIFY = "notify"  # tells people
    TASK = "task"  # runs a task of the users' own
    REDISCOVER = "rediscover"  # asks a device who it is, and proposes a profile


@dataclass(frozen=True, slots=True)
class Step:
    """One step."""

    name: str
    does: Does
    spec: Any  # what stands under that key
    needs: tuple[str, ...] = ()
    device: str = ""  # a template of the device's name; "": the element, else the run's first device
    credential: str = ""  # instead of the device's own
    for_each: str = ""  # "devices", or an expression that gives a list; "": it is done once
    select: Selector | None = None  # done for each device that this selects
    at_once: int = 10  # elements under way at a time
    timeout_s: float = 60.0  # of one attempt
    retries: int = 0
    backoff_s: float = 5.0  # before the first; each further pause is twice as long, an hour at most
    once: bool = False  # recorded before it runs, and after a crash never run again by itself
    undo: str = ""  # the step that makes up for this one when the run fails
    allow_failure: bool = False  # what needs it goes on whatever became of it
    keep: str = ""  # the name under which what an SSH step read is kept, version by version

    @property
    def fans_out(self) -> bool:
        """Whether it is done for each of a list."""
        return bool(self.for_each) or self.select is not None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a workflow is started by itself."""

    every_s: int = 0
    cron: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow, checked."""

    name: str
    description: str
    steps: Mapping[str, Step]  # in the file's order
    inputs: Mapping[str, Any] = field(default_factory=dict)  # with their defaults
    schedule: Schedule | None = None
    select: Selector | None = None  # the devices of a run that names none; None: it has none then
    timeout_s: float = 3600.0  # of a whole run
    enabled: bool = True  # False: not started by its schedule, nor by events
    definition: Mapping[str, Any] = field(default_factory=dict)  # as written, `extends` followed

    @property
    def undoing(self) -> frozenset[str]:
        """Steps that are only run to make up for others."""
        return frozenset(step.undo for step in self.steps.values() if step.undo)
