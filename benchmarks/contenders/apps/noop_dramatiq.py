"""No-op tasks on dramatiq."""

import os
import time

import dramatiq
import tally
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["BROKER_URL"]))


@dramatiq.actor
def noop(sent: float) -> None:
    """Do nothing."""
    tally.done(sent)


def send(count: int, gap_s: float) -> None:
    """Send tasks."""
    for _ in range(count):
        noop.send(time.time())
        time.sleep(gap_s)


if __name__ == "__main__":
    import sys

    send(int(sys.argv[1]), float(sys.argv[2]))
