"""What is in flight to one agent, over all jobs, and what waits for its turn."""

from typing import Generic, TypeVar

from streampoll.snmp.engine import Address, Failure

T = TypeVar("T")


class Window(Generic[T]):
    """An agent's window: exists only while something is in flight, waiting, or too soon after the last sending."""

    __slots__ = ("address", "dropped", "in_flight", "not_before", "size", "waiting")

    def __init__(self, address: Address, size: int) -> None:
        self.address = address
        self.size = size
        self.in_flight: list[T] = []
        self.waiting: list[T] = []  # a few at the most: a deque, ten times its size, is one for each poll in flight
        self.not_before = 0.0  # the loop's clock; where a least gap is set
        self.dropped: Failure | None = None  # what the last datagram from this address was dropped for

    def open(self, now: float) -> bool:
        """Tell whether another request may go out now."""
        return len(self.in_flight) < self.size and now >= self.not_before
