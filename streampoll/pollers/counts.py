"""What has been polled since the process started, by protocol: how it ended, how long it took, how late it began."""

from collections.abc import Mapping

from streampoll.model import Outcome, Status
from streampoll.tally import LATE_S, POLL_S, Counted, Histogram, by_label, field, together

_NO_PROTOCOL = "none"  # expired before it was polled, or a profile that is not known
_WORDS = {status: status.word for status in Status}


class _Lane:
    """One protocol's polls."""

    __slots__ = ("duration", "late", "outcomes", "requests", "timeouts", "varbinds")

    def __init__(self) -> None:
        self.outcomes = [0] * len(Status)
        self.duration = Histogram(POLL_S)
        self.late = Histogram(LATE_S)
        self.timeouts: dict[str, int] = {}  # by cause
        self.requests = 0
        self.varbinds = 0


class PollCounts:
    """What has been polled since the process started."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}

    def note(self, outcome: Outcome, took_s: float, late_s: float) -> None:
        """Count an outcome: how long its poll took, and how long after its slot it began."""
        lane = self._lanes.get(outcome.protocol)
        if lane is None:
            lane = self._lanes[outcome.protocol] = _Lane()
        lane.outcomes[outcome.status] += 1
        lane.requests += outcome.requests
        lane.varbinds += outcome.varbinds
        lane.duration.note(took_s)
        lane.late.note(late_s)
        if outcome.status is Status.TIMEOUT:
            cause = _timeout_cause(outcome)
            lane.timeouts[cause] = lane.timeouts.get(cause, 0) + 1

    @property
    def by_status(self) -> Mapping[str, int]:
        """Polls by how they ended, over all protocols."""
        sums = [sum(counts) for counts in zip(*(lane.outcomes for lane in self._lanes.values()), strict=True)]
        return {_WORDS[Status(number)]: count for number, count in enumerate(sums) if count}

    @property
    def requests(self) -> int:
        """Requests sent, retries included."""
        return sum(lane.requests for lane in self._lanes.values())

    @property
    def varbinds(self) -> int:
        """Values received."""
        return sum(lane.varbinds for lane in self._lanes.values())

    def lay_out(self) -> Counted:
        """Return all of it as counts."""
        return together(_lay_out(name or _NO_PROTOCOL, lane) for name, lane in self._lanes.items())


def _lay_out(name: str, lane: _Lane) -> Counted:
    outcomes = {_WORDS[Status(number)]: count for number, count in enumerate(lane.outcomes)}
    return {
        **by_label("polls", outcomes, name),
        **by_label("poll_timeouts", lane.timeouts, name),
        **lane.duration.lay_out("poll_duration", name),
        **lane.late.lay_out("poll_start_lateness", name),
        field("poll_requests", name): lane.requests,
        field("poll_values", name): lane.varbinds,
    }


def _timeout_cause(outcome: Outcome) -> str:
    """Say how a device timed out: in which step of its protocol, where that has steps.

    Else `silent` from the start, or `midway`, after it had answered something. `unsent`: it was not asked, since its
    window or the socket was busy until the poll's end; that is our own doing.
    """
    if outcome.step:
        return outcome.step
    if outcome.first_reply:
        return "midway"
    return "unsent" if outcome.protocol == "snmp" and not outcome.requests else "silent"
