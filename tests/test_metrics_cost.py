"""What counting costs the hot path: less than a hundredth of what a poll costs a worker."""

import time

from streampoll.model import Outcome, Status
from streampoll.pollers.counts import PollCounts

POLL_S = 168e-6  # CPU of a worker for the cheapest poll, a GET of 10 (streampoll/capacity/measured.toml)
SHARE = 0.01


def test_counting_a_poll_costs_next_to_nothing() -> None:
    counts, outcome = PollCounts(), Outcome(Status.OK, requests=2, varbinds=9, protocol="snmp")

    def once() -> float:
        began = time.process_time()
        for _ in range(20_000):
            counts.note(outcome, 0.02, 0.3)
        return (time.process_time() - began) / 20_000

    cost_s = min(once() for _ in range(5))
    print(f"{cost_s * 1e9:.0f} ns a poll")
    assert cost_s < SHARE * POLL_S
