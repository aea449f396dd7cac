"""A supervised program for the tests, run by itself: `supervisor_child.py PROCESSES [KEY=VALUE…]`.

Its children say what befalls them as lines of "EVENT INDEX PID" in the file named by LOG; what they do is told by
files in the directory DO: `block-INDEX`, `crash-INDEX`, `stubborn-INDEX`, `silent-INDEX`, `refuse`; `reload` holds what
a SIGHUP reads.
"""

import logging
import os
import signal
import sys
from pathlib import Path

from streampoll.errors import ConfigError, Fault
from streampoll.worker.child import ChildContext
from streampoll.worker.crew import Role
from streampoll.worker.policy import Rules
from streampoll.worker.supervisor import Supervisor

ORDERS = Path(os.environ["DO"])


def say(event: str, context: ChildContext) -> None:
    """Append one line; O_APPEND keeps those of several processes apart."""
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{event} {context.index} {os.getpid()}\n")


def told(order: str, context: ChildContext) -> bool:
    return (ORDERS / f"{order}-{context.index}").exists()


def run_child(context: ChildContext) -> int:
    """Beat every few milliseconds and do one task a beat until SIGTERM, like a consume loop with nothing to read."""
    if (ORDERS / "refuse").exists():
        raise ConfigError([Fault("streampoll.toml: redis.url", "unfit")])
    if told("crash", context):
        raise ZeroDivisionError
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    say("up", context)
    if told("silent", context):
        signal.pause()
    done = 0
    while told("stubborn", context) or not signal.sigtimedwait([signal.SIGTERM], 0.01):
        context.beat.touch()
        context.beat.publish(done := done + 1, 1)
        if told("block", context):
            (ORDERS / f"block-{context.index}").unlink()
            signal.pause()
    context.beat.drain()
    say("down", context)
    return 0


def roles(options: dict[str, float]) -> list[Role]:
    return [Role("worker", run_child, Rules(**options))]  # type: ignore[arg-type]


def reload() -> list[Role]:
    text = (ORDERS / "reload").read_text() if (ORDERS / "reload").exists() else ""
    if text == "bad":
        raise ConfigError([Fault("streampoll.toml:3", "unknown key 'procesess'", "write 'processes'")])
    return roles(options_of(text.split() or sys.argv[1:]))


def options_of(words: list[str]) -> dict[str, float]:
    pairs = (word.split("=") for word in words)
    return {name: int(value) if value.isdigit() else float(value) for name, value in pairs}


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(levelname)s %(message)s")
    sys.exit(Supervisor(roles(options_of(sys.argv[1:])), reload).run())
