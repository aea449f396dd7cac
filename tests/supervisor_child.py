"""A supervised program for the tests, run by itself: `supervisor_child.py PROCESSES [KEY=VALUE…]`.

Its children say what befalls them as lines of "EVENT INDEX PID" in the file named by LOG; what they do is told by
files in the directory DO: `block-INDEX`, `crash-INDEX`, `stubborn-INDEX`, `silent-INDEX`, `refuse`; `reload` holds what
a SIGHUP reads. With `first` as the first word a crew of one stands before the workers, and ends all when it ends;
its events are `first-EVENT`, `end` makes it exit with 7.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from streampoll.errors import ConfigError, Fault
from streampoll.worker.child import ChildContext
from streampoll.worker.crew import Role
from streampoll.worker.policy import Rules
from streampoll.worker.supervisor import Supervisor

ORDERS = Path(os.environ["DO"])


def say(event: str, context: ChildContext) -> None:
    """Append one line; O_APPEND keeps those of several processes apart."""
    with open(os.environ["LOG"], "a") as log:
        event = event if context.role == "worker" else f"{context.role}-{event}"
        log.write(f"{event} {context.index} {os.getpid()}\n")


def told(order: str, context: ChildContext) -> bool:
    return (ORDERS / f"{order}-{context.index}").exists()


def stick() -> NoReturn:
    """Block the loop; a handled signal ends pause(), and changes nothing."""
    while True:
        signal.pause()


def run_child(context: ChildContext) -> int:
    """Beat every few milliseconds and do one task a beat until SIGTERM, like a consume loop with nothing to read."""
    if (ORDERS / "refuse").exists():
        raise ConfigError([Fault("streampoll.toml: redis.url", "unfit")])
    if told("crash", context):
        raise ZeroDivisionError
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    say("up", context)
    if told("silent", context):
        stick()
    done = 0
    while told("stubborn", context) or not signal.sigtimedwait([signal.SIGTERM], 0.01):
        context.beat.touch()
        context.beat.publish(done := done + 1, 1)
        if told("block", context):
            (ORDERS / f"block-{context.index}").unlink()
            stick()
    context.beat.drain()
    say("down", context)
    return 0


def run_first(context: ChildContext) -> int:
    """Live until told to end by a file or by SIGTERM; a slow drain ends when `linger` is gone."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    say("up", context)
    while not signal.sigtimedwait([signal.SIGTERM], 0.01):
        context.beat.touch()
        if (ORDERS / "end").exists():
            return 7
    say("told", context)
    while (ORDERS / "linger").exists():
        signal.sigtimedwait([signal.SIGTERM], 0.01)
    say("down", context)
    return 0


def roles(words: list[str]) -> list[Role]:
    options = options_of([word for word in words if word != "first"])
    workers = Role("worker", run_child, Rules(**options))  # type: ignore[arg-type]
    return [Role("first", run_first, Rules(), ends_all=True), workers] if "first" in words else [workers]


def reload() -> list[Role]:
    text = (ORDERS / "reload").read_text() if (ORDERS / "reload").exists() else ""
    if text == "bad":
        raise ConfigError([Fault("streampoll.toml:3", "unknown key 'procesess'", "write 'processes'")])
    return roles(text.split() or sys.argv[1:])


def options_of(words: list[str]) -> dict[str, float]:
    pairs = (word.split("=") for word in words)
    return {name: int(value) if value.isdigit() else float(value) for name, value in pairs}


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(levelname)s %(message)s")
    sys.exit(Supervisor(roles(sys.argv[1:]), reload).run())
