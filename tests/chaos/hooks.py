"""What a worker does to itself when the harness asks: its poll of one device blocks, eats memory, or kills the process.

A worker loads `poisonable` by STREAMPOLL_TEST_POLL_HOOK, an environment variable that nothing but tests sets. Poison is
a file named after a device in the directory STREAMPOLL_TEST_POISON; its text says what the device does to its poller,
once; or, as "always PROFILE …", at every poll by that profile.
"""

import os
import signal
import time
from pathlib import Path

from streampoll.model import Outcome, Target
from streampoll.pollers.handler import Poll

_EATEN: list[bytearray] = []
_MB = 1 << 20


def poisonable(poll: Poll) -> Poll:
    """Return the poll with poison in it for the devices that have some."""
    poison = Path(os.environ["STREAMPOLL_TEST_POISON"])

    async def poll_poisoned(target: Target, deadline: float) -> Outcome:
        dose = poison / target.device
        if dose.exists():
            order = dose.read_text()
            if order.startswith("always "):
                _, profile, order = order.split(" ", 2)
                if target.profile != profile:
                    return await poll(target, deadline)
            else:
                dose.unlink(missing_ok=True)
            swallow(order)
        return await poll(target, deadline)

    return poll_poisoned


def swallow(order: str) -> None:
    """Do as the poison says: "block SECONDS", "eat MEGABYTES" or "segfault"."""
    word, _, number = order.partition(" ")
    match word:
        case "block":
            time.sleep(float(number))  # blocks the loop, as a C extension without a timeout does
        case "eat":
            _EATEN.append(bytearray(os.urandom(4096)) * (int(number) * _MB // 4096))
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
