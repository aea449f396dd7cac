"""Which tasks there are: looked for in the modules that the configuration names, and in installed packages.

    [tasks]                        [project.entry-points."streampoll.tasks"]
    modules = ["network_tasks"]    acme = "acme.tasks"

A module is imported once a process, before workers fork: it is to start nothing.
"""

import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from streampoll.config.report import nearest
from streampoll.errors import ConfigError, Fault, UnknownTask
from streampoll.tasks.port import GROUP, Task


def load_tasks(modules: Sequence[str], beside: Path) -> dict[str, Task[Any, Any]]:
    """Import the modules and return their tasks by name; they may lie in the directory `beside` the configuration.

    Raises:
        ConfigError: one can't be imported, has no task, or two tasks have one name.
    """
    faults: list[Fault] = []
    found: dict[str, Task[Any, Any]] = {}
    for where, name, things in (*_of_modules(modules, beside, faults), *_of_packages(faults)):
        tasks = [thing for thing in things if isinstance(thing, Task)]
        if not tasks:
            faults.append(Fault(where, f"{name} has no task", "write @task from streampoll above a function"))
        faults += [
            Fault(where, f"two tasks have the name '{task.name}'", "name one of them: @task(name=…)")
            for task in tasks
            if found.setdefault(task.name, task) is not task
        ]
    if faults:
        raise ConfigError(faults)
    return found


def unknown(name: str, known: Iterable[str]) -> UnknownTask:
    """Make the error of a name that nobody registered."""
    names = sorted(known)
    none = "no worker that lives has a task: set tasks.modules where workers run"
    instead = nearest(name, names) or ("`streampoll task list --known` names all" if names else none)
    return UnknownTask([Fault(f"task {name!r}", "nobody has registered it", instead)])


Found = tuple[str, str, Iterable[Any]]
"""Where it is named, what it is called, what is in it."""


def _of_modules(modules: Sequence[str], beside: Path, faults: list[Fault]) -> Iterator[Found]:
    if modules and str(beside) not in sys.path:
        sys.path.append(str(beside))  # last: nothing there may stand in for an installed package
    for name in modules:
        try:
            yield "tasks.modules", f"module {name!r}", vars(importlib.import_module(name)).values()
        except Exception as error:  # noqa: BLE001 - somebody else's code
            faults.append(_not_imported("tasks.modules", f"module {name!r}", error))


def _of_packages(faults: list[Fault]) -> Iterator[Found]:
    for point in entry_points(group=GROUP):
        where = f"package {point.dist.name if point.dist else '?'}"
        try:
            thing = point.load()
        except Exception as error:  # noqa: BLE001 - somebody else's code
            faults.append(_not_imported(where, f"its tasks ({point.value})", error))
        else:
            yield where, f"{point.value!r}", vars(thing).values() if isinstance(thing, ModuleType) else (thing,)


def _not_imported(where: str, what: str, error: Exception) -> Fault:
    text = " ".join(str(error).split())[:300]
    return Fault(where, f"{what} can't be imported: {type(error).__name__}: {text}", "correct it, or leave it out")
