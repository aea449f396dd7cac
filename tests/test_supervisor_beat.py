"""The page of memory that parent and child share."""

import subprocess
import sys

from streampoll.worker.beat import Beat, State


def test_a_new_beat_says_nothing_has_happened() -> None:
    beat = Beat()
    assert (beat.at, beat.state, beat.done, beat.in_flight) == (0.0, State.STARTING, 0, 0)
    beat.close()


def test_the_first_touch_ends_the_start_and_none_ends_the_drain() -> None:
    now = iter([10.5, 11.5])
    beat = Beat(clock=lambda: next(now))

    beat.touch()
    assert (beat.at, beat.state) == (10.5, State.RUNNING)
    beat.drain()
    beat.touch()

    assert (beat.at, beat.state) == (11.5, State.DRAINING)
    beat.close()


def test_what_a_child_writes_its_parent_reads() -> None:
    program = """
import os
from streampoll.worker.beat import Beat
beat = Beat(clock=lambda: 3.25)
if not os.fork():
    beat.touch(); beat.publish(done=2**40, in_flight=7); os._exit(0)
os.wait()
print(beat.at, beat.state.name, beat.done, beat.in_flight)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["3.25", "RUNNING", str(2**40), "7"]
