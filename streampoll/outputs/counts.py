"""What one process has done for one output: for `stats` and for the fleet's metrics."""

from dataclasses import dataclass, field
from typing import Any

from streampoll.tally import CALL_S, Counted, Histogram, by_label
from streampoll.tally import field as named


@dataclass(slots=True)
class OutputCounts:
    """One output."""

    sent: int = 0
    retried: int = 0  # results that were sent again, or will be
    dropped: dict[str, int] = field(default_factory=dict)  # by cause: behind, refused, unreadable
    took: Histogram = field(default_factory=lambda: Histogram(CALL_S))
    error: str = ""  # the last one
    failed_at: float = 0.0  # when that was, wall-clock seconds; 0.0: never
    away: bool = False  # the last send failed

    def drop(self, cause: str, count: int) -> None:
        """Count results that never get there."""
        if count:
            self.dropped[cause] = self.dropped.get(cause, 0) + count

    def fail(self, error: Exception, now: float) -> None:
        """Note what went wrong."""
        self.error, self.failed_at = str(error), now

    def published(self) -> dict[str, Any]:
        """Return what `stats` shows of it."""
        return {"sent": self.sent, "retried": self.retried, "dropped": dict(self.dropped), "error": self.error,
                "failed_at": self.failed_at, "away": self.away}  # fmt: skip

    def lay_out(self, name: str) -> Counted:
        """Return it as counts."""
        return {
            named("output_sent", name): self.sent,
            named("output_retried", name): self.retried,
            **by_label("output_dropped", self.dropped, name),
            **self.took.lay_out("output_send_duration", name),
        }
