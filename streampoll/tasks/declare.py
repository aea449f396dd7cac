"""`@task`: makes a function one that can be sent. It registers nothing anywhere: workers look through the modules that
the configuration names, and through entry points.

    @task(retries=3)
    async def greet(name: str) -> str: ...
"""

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from streampoll.model import QueueClass
from streampoll.tasks.port import NAME, Options, RunIn, Task

P = ParamSpec("P")
R = TypeVar("R")

_CLASSES = tuple(queue for queue in QueueClass if queue not in (QueueClass.RESULTS, QueueClass.URGENT))


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(*, name: str = "", **options: Any) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(function: Any = None, /, *, name: str = "", **options: Any) -> Any:
    """Declare a task, by its function's dotted name if it is given none.

    Options are those of `Options`: queue, run_in, retries, back_off_s, back_off_most_s, soft_limit_s, hard_limit_s,
    results.

    Raises:
        TypeError, ValueError: an option is wrong; the text says which.
    """
    if function is not None:
        return _declared(function, name, options)
    return lambda wrapped: _declared(wrapped, name, options)


def _declared(function: Callable[P, R], name: str, options: dict[str, Any]) -> Task[P, R]:
    name = name or f"{function.__module__}.{function.__qualname__}".replace(".<locals>", "")
    where = f"task {name!r}"
    if not NAME.fullmatch(name):
        raise ValueError(f"{where}: a name has letters, digits, _ . : -, at most 120, and begins with a letter")
    if unknown := options.keys() - set(Options.__slots__):
        raise TypeError(f"{where}: no option {min(unknown)!r}; there are {', '.join(Options.__slots__)}")
    is_async = inspect.iscoroutinefunction(function)
    options = {"run_in": RunIn.LOOP if is_async else RunIn.THREAD} | options
    options["run_in"] = _one_of(RunIn, options["run_in"], f"{where}: run_in")
    if is_async != (options["run_in"] is RunIn.LOOP):
        who, other = (
            ("an async function runs", "loop") if is_async else ("only async functions run", "thread or process")
        )
        raise ValueError(f"{where}: {who} in the loop; declare it run_in = {other}")
    if "queue" in options:
        options["queue"] = _one_of(QueueClass, options["queue"], f"{where}: queue", _CLASSES)
    _check_numbers(where, options)
    return Task(function, name, Options(**options))


def _one_of(words: Any, said: Any, where: str, allowed: Any = ()) -> Any:
    """Return a member of an enumeration by its word."""
    allowed = tuple(allowed or words)
    if said not in list(allowed):
        raise ValueError(f"{where}: {said!r} is none of {', '.join(allowed)}")
    return words(said)


def _check_numbers(where: str, options: dict[str, Any]) -> None:
    for key, value in options.items():
        if key in ("retries", "back_off_s", "back_off_most_s", "soft_limit_s", "hard_limit_s"):
            wanted = int if key == "retries" else (int, float)
            if not isinstance(value, wanted) or isinstance(value, bool) or not 0 <= value < 1e9:
                raise ValueError(f"{where}: {key} is {value!r}; write a number from 0")
    soft, hard = options.get("soft_limit_s", 0), options.get("hard_limit_s", 0)
    if hard and soft >= hard:
        raise ValueError(f"{where}: hard_limit_s ({hard:g}) is not above soft_limit_s ({soft:g})")
