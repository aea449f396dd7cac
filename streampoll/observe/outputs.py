"""How outputs besides PostgreSQL stand: what waits, how old it is, what went wrong last."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from streampoll.observe import words
from streampoll.observe.figures import OutputRow
from streampoll.shards.outputs import Followed, OutputStreams

_LATE_S = 60.0


async def output_rows(
    streams: OutputStreams, outputs: Sequence[str], shards: int, published: Iterable[Mapping[str, Any]], now: float
) -> list[OutputRow]:
    """Read how far each output is; `published` is what workers say of themselves."""
    said = [each["outputs"] for each in published if "outputs" in each]
    return [
        _row(name, await streams.follow(name, range(shards), 1), [each[name] for each in said if name in each], now)
        for name in outputs
    ]


def _row(name: str, followed: Sequence[Followed], said: Sequence[Mapping[str, Any]], now: float) -> OutputRow:
    oldest = min((each.kept[0].added for each in followed if each.kept), default=now)
    latest = max(said, key=lambda each: float(each["failed_at"]), default=None)
    failed_at = float(latest["failed_at"]) if latest else 0.0
    return OutputRow(
        name,
        waiting=sum(each.waiting for each in followed),
        lag_s=max(0.0, now - oldest),
        sent=sum(each["sent"] for each in said),
        retried=sum(each["retried"] for each in said),
        dropped=sum(sum(each["dropped"].values()) for each in said),
        error=str(latest["error"]) if latest else "",
        failed_s=max(0.0, now - failed_at) if failed_at else None,
    )


def output_alarms(rows: Iterable[OutputRow]) -> Iterator[str]:
    """Yield one line for each output that is behind."""
    for row in rows:
        if row.lag_s > _LATE_S:
            why = f": {row.error}" if row.error else ""
            yield f"output {row.output}: {words.short(row.waiting)} results wait, {words.span(row.lag_s)} behind{why}"
