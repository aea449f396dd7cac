"""Prometheus' text format of what the fleet counted and of how it stands now. Pure.

Counters and histograms come from the fleet's totals, so they do not depend on which process answers, and go on when
processes are replaced. Gauges are what `stats` shows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from streampoll.model import QueueClass
from streampoll.observe.catalogue import SPECS, Kind, Spec
from streampoll.observe.figures import Leader, QueueRow, Stats, WorkerRow, by_class
from streampoll.version import VERSION

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

Labels = tuple[str, ...]
Samples = Mapping[Labels, float]


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape read."""

    stats: Stats
    totals: Mapping[str, int]


def exposition(scrape: Scrape) -> bytes:
    """Return the page."""
    return page(_families(scrape))


def page(families: Iterable[Metric]) -> bytes:
    """Return families as text."""
    return generate_latest(_Collected(list(families)))  # it asks for no more of a registry


@dataclass(frozen=True, slots=True)
class _Collected:
    families: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.families


def _families(scrape: Scrape) -> Iterator[Metric]:
    gauges = _gauges(scrape)
    totals = _by_name(scrape.totals)
    for spec in SPECS:
        match spec.kind:
            case Kind.GAUGE:
                if (samples := gauges.get(spec.name)) is not None:
                    yield _gauge_family(spec, samples)
            case Kind.COUNTER if not scrape.stats.troubles:
                counts = dict.fromkeys(_from_the_beginning(spec, scrape.stats), 0) | totals.get(spec.counted, {})
                yield _counter_family(spec, counts)
            case Kind.HISTOGRAM if not scrape.stats.troubles:
                yield _histogram_family(spec, totals.get(spec.counted, {}))


def _by_name(totals: Mapping[str, int]) -> Mapping[str, dict[Labels, int]]:
    """Sort totals by name: labels -> count."""
    named: dict[str, dict[Labels, int]] = defaultdict(dict)
    for key, count in totals.items():
        name, *labels = key.split("|")
        named[name][tuple(labels)] = count
    return named


def _from_the_beginning(spec: Spec, stats: Stats) -> Iterable[Labels]:
    """Return the labels of a counter that are known before it counts.

    Prometheus sees no increase in a series that begins at 1, so an alert on the first dead letter would not fire.
    """
    values = {
        "class": [str(queue) for queue in QueueClass],
        "output": [row.output for row in stats.outputs],
        "cause": spec.causes,
    }
    return product(*(values.get(label, ()) for label in spec.labels))


def _counter_family(spec: Spec, counts: Mapping[Labels, int]) -> Metric:
    family = CounterMetricFamily(spec.name, spec.help, labels=spec.labels)
    for labels, count in sorted(counts.items()):
        if len(labels) == len(spec.labels):
            family.add_metric(labels, count * spec.scale)
    return family


def _histogram_family(spec: Spec, counts: Mapping[Labels, int]) -> Metric:
    family = HistogramMetricFamily(spec.name, spec.help, labels=spec.labels)
    own = len(spec.labels)
    for labels in sorted({each[:own] for each in counts} or ({()} if not own else set())):
        each = [counts.get((*labels, str(number)), 0) for number in range(len(spec.bounds) + 1)]
        buckets = zip([*map(_bound, spec.bounds), "+Inf"], accumulate(each), strict=True)
        family.add_metric(labels, list(buckets), counts.get((*labels, "sum"), 0) * spec.scale)
    return family


def _bound(value: float) -> str:
    return repr(float(value))


def _gauge_family(spec: Spec, samples: Samples) -> Metric:
    family = GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
    for labels, value in sorted(samples.items()):
        family.add_metric(labels, value)
    return family


def _gauges(scrape: Scrape) -> Mapping[str, Samples]:
    """Return the samples of every gauge; what is unknown has none."""
    stats = scrape.stats
    gauges: dict[str, Samples] = {"redis_up": {(): float(not stats.troubles)}, "build_info": {(VERSION,): 1.0}}
    if not stats.troubles:
        gauges |= {"alarms": {(): float(len(stats.alarms))}, "stores_waiting": {(): float(stats.stores_waiting)}}
        gauges["leader_present"] = {(): float(stats.leader is not None)}
        if stats.leader and stats.leader.since_s is not None:
            gauges["leader_since_seconds"] = {(): stats.leader.since_s}
        gauges["output_waiting"] = {(row.output,): float(row.waiting) for row in stats.outputs}
        gauges["output_lag_seconds"] = {(row.output,): row.lag_s for row in stats.outputs}
        gauges |= _queue_gauges(by_class(stats.queues)) | _worker_gauges([*stats.workers, *_as_worker(stats.leader)])
    return {f"streampoll_{name}": samples for name, samples in gauges.items()}


def _queue_gauges(rows: Sequence[QueueRow]) -> dict[str, Samples]:
    return {
        "queue_waiting": {(row.queue,): float(row.waiting) for row in rows if row.waiting is not None},
        "queue_in_flight": {(row.queue,): float(row.in_flight) for row in rows if row.in_flight is not None},
        "queue_delayed": {(row.queue,): float(row.delayed) for row in rows if row.delayed is not None},
        "queue_oldest_seconds": {(row.queue,): row.oldest_s or 0.0 for row in rows},
        "dead_letters": {(row.queue,): float(row.dead) for row in rows if row.dead is not None},
    }


def _worker_gauges(workers: Sequence[WorkerRow]) -> dict[str, Samples]:
    """Return the figures of processes; two under one name (one drains while its successor starts) show the greater."""
    states = Counter((row.pool or "", row.state or "unknown") for row in workers)
    known = [row for row in workers if row.state != "silent" and row.host is not None]
    return {
        "workers": {labels: float(count) for labels, count in states.items()},
        "worker_loop_lag_seconds": _greatest((_process(row), row.loop_lag_s) for row in known),
        "worker_resident_memory_bytes": _greatest((_process(row), row.rss_bytes) for row in known),
        "worker_uptime_seconds": _greatest((_process(row), row.uptime_s) for row in known),
    }


def _as_worker(leader: Leader | None) -> Iterable[WorkerRow]:
    """Return the leader's process as a row like the others', of a pool of its own."""
    if leader is not None and leader.host is not None:
        yield WorkerRow(
            leader.id, leader.host, pool="coordinator", state="running", rss_bytes=leader.rss_bytes,
            loop_lag_s=leader.loop_lag_s,
        )  # fmt: skip


def _process(row: WorkerRow) -> Labels:
    return row.host or "", row.pool or "", str(row.index or 0)


def _greatest(pairs: Iterable[tuple[Labels, float | None]]) -> Samples:
    found: dict[Labels, float] = {}
    for labels, value in pairs:
        if value is not None:
            found[labels] = max(value, found.get(labels, value))
    return found
