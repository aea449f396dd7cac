"""What a store has written since its process started, as counts for the fleet's metrics."""

from streampoll.tally import CALL_S, LATE_S, ROWS, Counted, Histogram


class StoreCounts:
    """Batches and rows of one store."""

    def __init__(self) -> None:
        self._rows = Histogram(ROWS)
        self._took = Histogram(CALL_S)
        self._late = Histogram(LATE_S)
        self.stored = 0
        self.refused = 0

    def note_batch(self, records: int, took_s: float) -> None:
        """Count a batch that was committed."""
        self._rows.note(records)
        self._took.note(took_s)

    def note_rows(self, rows: int, answered: int, late_s: float) -> None:
        """Count rows of one slot; lateness is measured over those of devices that answered."""
        self.stored += rows
        if answered:
            self._late.note(late_s, answered)

    def lay_out(self) -> Counted:
        """Return all of it as counts."""
        return {
            "rows_stored": self.stored,
            "rows_refused": self.refused,
            **self._rows.lay_out("store_batch_records"),
            **self._took.lay_out("store_batch_duration"),
            **self._late.lay_out("row_lateness"),
        }
