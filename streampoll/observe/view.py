"""`Stats` as tables for a terminal of 80 columns or more, and as JSON."""

import time
from collections.abc import Callable, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streampoll.observe import words
from streampoll.observe.figures import JobRow, OutputRow, PauseRow, QueueRow, Stats, WorkerRow, by_class, eldest

_LAG_WARN_S = 0.1  # a loop this late begins to see time-outs that are its own
_OLD_WARN_S = 30.0
_NAME_WIDTH = 18
_STATES = {"running": "green", "draining": "yellow", "starting": "cyan"}


def to_json(stats: Stats) -> str:
    """Return the figures as one line of JSON; unknown is null."""
    return msgspec.json.encode(stats).decode()


def render(stats: Stats, shards: bool = False) -> RenderableType:
    """Lay out everything; with `shards`, each shard that holds something has its own line."""
    parts: list[RenderableType] = [heading(stats)]
    parts += [Text(f"! {line}", "bold red") for line in (*stats.troubles, *stats.alarms)]
    parts += [pause_line(row) for row in stats.pauses]
    if stats.queues:
        parts += ["", queue_table(stats.queues, shards)]
    if stats.jobs:
        parts += ["", job_table(stats.jobs)]
    if stats.outputs:
        parts += ["", output_table(stats.outputs)]
    if stats.workers:
        parts += ["", worker_table(stats.workers)]
    elif not stats.troubles:
        parts += ["", Text("No worker is alive: `streampoll worker` starts one.", "yellow")]
    return Group(*parts)


def heading(stats: Stats) -> Text:
    """Say when this was, and who leads."""
    line = Text.assemble(("streampoll", "bold"), time.strftime("  %Y-%m-%d %H:%M:%S", time.localtime(stats.at)))
    if stats.leader:
        since = stats.leader.since_s
        return line.append(f"  leader {stats.leader.id}" + (f" for {words.span(since)}" if since is not None else ""))
    if stats.troubles:
        return line.append("  leader unknown", "dim")
    return line.append("  nobody leads: nothing is dispatched", "bold red")


def pause_line(row: PauseRow) -> Text:
    """Say what is paused, by whom and why."""
    said = f"{row.kind} {row.name} is paused for {words.span(row.since_s)} by {row.by}"
    return Text(f"{said}: {row.reason}" if row.reason else said, "yellow")


def queue_table(rows: Sequence[QueueRow], shards: bool) -> Table:
    """One line a class; with `shards`, below it one for each of its shards that is not empty."""
    table = _table("Queue", "waiting", "in flight", "oldest", "delayed", "claimed", "dead", "done/s")
    for summed in by_class(rows):
        own = [row for row in rows if row.queue == summed.queue]
        worst = eldest(own)
        where = f" in {worst.shard:02}" if worst and worst.shard is not None and len(own) > 1 else ""
        table.add_row(*_queue_cells(summed.queue, summed, where))
        for row in (row for row in own if shards and not _empty(row)):
            table.add_row(*_queue_cells(f"  shard {row.shard:02}", row, ""), style="dim")
    return table


def _queue_cells(name: str, row: QueueRow, where: str) -> list[str | Text]:
    empty = row.waiting == row.in_flight == 0
    oldest = "" if empty else words.seconds(row.oldest_s) + (where if row.oldest_s is not None else "")
    return [
        name,
        words.short(row.waiting),
        words.short(row.in_flight),
        _alarm(oldest, row.oldest_s, _OLD_WARN_S),
        words.count(row.delayed),
        _alarm(words.count(row.claimed), row.claimed),
        _alarm(words.count(row.dead), row.dead, style="bold red"),
        words.rate(row.rate_per_s),
    ]


def _empty(row: QueueRow) -> bool:
    """Say whether a shard is known to hold nothing worth a line."""
    return row.waiting == row.in_flight == row.delayed == row.dead == 0


def job_table(rows: Sequence[JobRow]) -> Table:
    """One line a job. Lateness is stored minus due, cycle a slot's last row minus the slot."""
    table = _table("Job", "devices", "every", "open", "skipped", "late\np50", "late\np99", "cycle\np50", "cycle\np99")
    for row in rows:
        table.add_row(
            _name(row.job),
            words.short(row.devices),
            words.span(row.interval_s),
            words.short(row.unfinished),
            _alarm(words.short(row.skipped), row.skipped),
            *(words.seconds(s) for s in (row.lateness_p50_s, row.lateness_p99_s, row.cycle_p50_s, row.cycle_p99_s)),
        )
    return table


def output_table(rows: Sequence[OutputRow]) -> Table:
    """One line an output; below one that failed lately, why."""
    table = _table("Output", "waiting", "behind", "sent", "retried", "dropped", "failed")
    for row in rows:
        failed = "" if row.failed_s is None else f"{words.span(row.failed_s)} ago"
        table.add_row(
            _name(row.output),
            words.short(row.waiting),
            _alarm(words.seconds(row.lag_s), row.lag_s, _OLD_WARN_S),
            words.short(row.sent),
            words.short(row.retried),
            _alarm(words.short(row.dropped), row.dropped, style="bold red"),
            failed,
        )
        if row.error and row.lag_s > _OLD_WARN_S:
            table.add_row(Text(f"  {words.clip(row.error, 70)}", "red"))
    return table


def worker_table(rows: Sequence[WorkerRow]) -> Table:
    """One line a process, below the name of its host."""
    table = _table("Worker", "state", "in flight", "done", "done/s", "RSS", "lag", "up", left=2)
    for host in sorted({row.host or "" for row in rows}):
        own = [row for row in rows if (row.host or "") == host]
        table.add_row(_name(host or "host unknown"), style="dim")
        for row in sorted(own, key=lambda row: (row.pool or "", row.pid or 0)):
            table.add_row(*_worker_cells(row))
    return table


def sorted_workers(rows: Sequence[WorkerRow], order: Callable[[WorkerRow], float]) -> Table:
    """One line a process, in an order of its own, with the host in its name."""
    table = _table("Worker", "state", "in flight", "done", "done/s", "RSS", "lag", "up", left=2)
    for row in sorted(rows, key=order):
        table.add_row(_name(f"{row.pid or words.UNKNOWN} {row.host or ''}"), *_worker_cells(row)[1:])
    return table


def _worker_cells(row: WorkerRow) -> list[str | Text]:
    return [
        _name(f"  {row.pid or words.UNKNOWN} {row.pool or ''}"),
        _state(row),
        words.count(row.in_flight),
        words.short(row.done),
        words.rate(row.rate_per_s),
        words.size(row.rss_bytes),
        _alarm(words.seconds(row.loop_lag_s), row.loop_lag_s, _LAG_WARN_S),
        words.span(row.uptime_s),
    ]


def _state(row: WorkerRow) -> Text:
    """Name the state; what is not well is red, and says for how long where that is known."""
    if row.state is None:
        return Text(words.UNKNOWN)
    said = f"silent {words.span(row.seen_s)}" if row.state == "silent" and row.seen_s is not None else row.state
    return Text(said, _STATES.get(row.state, "bold red"))


def _alarm(said: str, value: float | None, above: float = 0, style: str = "yellow") -> Text:
    return Text(said, style if value is not None and value > above else "")


def _name(name: str) -> Text:
    """Cut a name that would push the figures out of sight; as text, for it may hold what rich takes for markup."""
    return Text(words.clip(name, _NAME_WIDTH))


def _table(*columns: str, left: int = 1) -> Table:
    """Make a table whose first columns are text, the others figures."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold cyan")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number >= left else "left", vertical="bottom", no_wrap=True)
    return table
