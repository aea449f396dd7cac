"""No-op tasks on Celery, without a result backend."""

import os
import time

import tally
from celery import Celery

app = Celery("noop", broker=os.environ["BROKER_URL"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop(sent: float) -> None:
    """Do nothing."""
    tally.done(sent)


def send(count: int, gap_s: float) -> None:
    """Send tasks."""
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            noop.apply_async((time.time(),), producer=producer)
            time.sleep(gap_s)


if __name__ == "__main__":
    import sys

    send(int(sys.argv[1]), float(sys.argv[2]))
