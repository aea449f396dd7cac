"""Figures for the tests of the views, and how a view looks as text."""

import io

from rich.console import Console, RenderableType

from streampoll.observe.figures import JobRow, Leader, QueueRow, Stats, WorkerRow


def text(view: RenderableType, width: int = 80) -> str:
    """Render as a terminal without colours would show it."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False, color_system=None)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def busy_stats() -> Stats:
    """A deployment with every figure at its widest."""
    queues = [
        QueueRow("polling", 0, 98_765, 4_000, 41.0, 12, 3, 0, 3012.4, "edge-1-4711-a1b2c3"),
        QueueRow("polling", 7, 1_234_567, 4_000, 99.9, 12, 3, 0, 3012.4, "edge-1-4711-a1b2c3"),
        QueueRow("notifications", 0, 0, 0, None, 0, 0, 0, 0.0),
        QueueRow("notifications", 7, 0, 0, None, 0, 0, 1, 0.0),
    ]
    host = "poller-frankfurt-17.example.net"
    workers = [
        WorkerRow(
            "a", host, 4194304, "general", "running", (), 4_000, 91_204_567, 3012.4, 58 << 20, 0.212, 11_520, 0.4
        ),
        WorkerRow("b", host, 4194305, "general", "silent", (), 4_000, 91_204_567, 3012.4, 58 << 20, 0.003, 999_000, 42),
    ]
    jobs = [JobRow("interfaces-of-the-whole-core", 1_000_000, 300, 99_999, 98_765, 0.31, 12.7, 41.0, 99.9)]
    return Stats(1_763_900_000.0, queues, workers, Leader("edge-1-4711-a1b2c3", 1_763_900_000_123, 11_520), jobs)
