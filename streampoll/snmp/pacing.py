"""How fast one process sends: a bound on requests a second, so that replies find room in the receive buffer."""


class Pacer:
    """A leaky bucket as a single number (GCRA): when the next sending would be on time."""

    __slots__ = ("_due", "_gap_s", "_slack_s")

    def __init__(self, packets_per_s: int, slack_s: float = 0.005) -> None:
        self._gap_s = 1 / packets_per_s if packets_per_s else 0.0
        self._slack_s = slack_s  # how far ahead of its time a sending may go: the burst
        self._due = 0.0

    def take(self, now: float) -> bool:
        """Take the right to send one packet at `now`, if there is one."""
        due = self._due
        if due > now + self._slack_s:
            return False
        self._due = (due if due > now else now) + self._gap_s
        return True
