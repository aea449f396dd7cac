"""What a person should look at before it costs polls. Pure.

A PostgreSQL that is away costs nothing while Redis has memory: results wait there. So the alarm comes at once, and says
how far it is to the mark at which the source is throttled.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from streampoll.model import QueueClass
from streampoll.observe import words
from streampoll.observe.figures import QueueRow

BACKLOG_SHARE = 0.1  # of the results at which polls are skipped
ANALYSIS_LATE_S = 60.0  # what waits longer to be analysed is too late for an event


def alarms(rows: Sequence[QueueRow], published: Iterable[Mapping[str, Any]], high_water: int) -> Iterator[str]:
    """Yield one line for each alarm; `published` is what workers say of themselves, `high_water` 0 if unknown."""
    yield from _away(published)
    yield from _undelivered(rows)
    yield from _unserved(rows)
    yield from _unanalysed(rows)
    if high_water:
        yield from _backlog(rows, high_water)


def _away(published: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Say why stores do not write, and how many of them."""
    causes = Counter(str(said["store_away"]) for said in published if said.get("store_away"))
    for cause, stores in causes.most_common():
        yield f"rows wait in Redis, {stores} {'stores wait' if stores > 1 else 'store waits'}: {cause}"


def _undelivered(rows: Sequence[QueueRow]) -> Iterator[str]:
    """Say that people were not told of something: nobody but they would notice."""
    letters = sum(row.dead or 0 for row in rows if row.queue == QueueClass.NOTIFICATIONS)
    if letters:
        told = f"{words.short(letters)} {'messages' if letters > 1 else 'message'}"
        yield f"notifications: {told} could not be delivered; `streampoll dead list --queue notifications` says why"


def _unserved(rows: Sequence[QueueRow]) -> Iterator[str]:
    """Name the classes in which something waits that no worker serves: it would wait for ever, unseen."""
    for queue in dict.fromkeys(row.queue for row in rows):
        own = [row for row in rows if row.queue == queue]
        held = sum((row.waiting or 0) + (row.delayed or 0) for row in own)
        if held and not any(row.home for row in own):
            yield f"{queue}: {words.short(held)} {'wait' if held > 1 else 'waits'}, and no worker serves the class"


def _unanalysed(rows: Sequence[QueueRow]) -> Iterator[str]:
    """Say that events come late since analysis does not keep up; that nobody serves the class is said elsewhere."""
    own = [row for row in rows if row.queue == QueueClass.ANALYSIS]
    waiting = sum(row.waiting or 0 for row in own)
    oldest_s = max((row.oldest_s or 0.0 for row in own if row.waiting), default=0.0)
    if oldest_s > ANALYSIS_LATE_S and any(row.home for row in own):
        yield f"analysis: {words.short(waiting)} wait, the oldest for {words.span(oldest_s)}: events come so much later"


def _backlog(rows: Sequence[QueueRow], high_water: int) -> Iterator[str]:
    """Say where results pile up, of the shard that is nearest to its mark."""
    held = {row.shard: (row.waiting or 0) + (row.in_flight or 0) for row in rows if row.queue == QueueClass.RESULTS}
    shard, most = max(held.items(), key=lambda each: each[1], default=(None, 0))
    if most > high_water:
        yield f"results: {words.short(most)} in shard {shard:02} are over the high water: its polls are skipped"
    elif most >= BACKLOG_SHARE * high_water:
        share = f"{100 * most / high_water:.0f} % of those at which polls are skipped"
        yield f"results: {words.short(most)} wait in shard {shard:02}, {share}"
