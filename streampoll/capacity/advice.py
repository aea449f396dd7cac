"""What needs mean for a deployment: settings to write, and what one of a kind can't carry any more. Pure."""

from collections.abc import Iterator

from streampoll.capacity.constants import LIVE
from streampoll.capacity.model import SHARDS_MOST, Needs, ledger_entries

FEW_POLLS = 5.0  # of a shard in a second: below it dispatch and ledger cost more than their share


def settings_of(needs: Needs) -> dict[str, int | str]:
    """Return settings, and kernel parameters, by name; those of one deployment where there are several."""
    analysis = needs.role("analysis") if needs.question.load.analysed else None
    return {
        "shards.count": needs.shards,
        "pools.polling.processes": -(-needs.role("worker").processes // needs.regions),
        "pools.polling.concurrency": needs.concurrency,
        "pools.results.processes": -(-needs.role("store").processes // needs.regions),
        **({"pools.analysis.processes": -(-analysis.processes // needs.regions)} if analysis else {}),
        "postgres.retention_days": needs.question.retention_days,
        "maxmemory (redis.conf)": round(needs.redis.maxmemory_bytes / needs.regions),
        "net.core.rmem_max (sysctl)": needs.rmem_bytes,
        "open files (ulimit -n)": max(1024, 2 * needs.descriptors),
    }


def remarks(needs: Needs) -> Iterator[str]:
    """Yield what a person should know beside the numbers, a sentence each."""
    yield from _estimates(needs)
    yield from _workers(needs)
    yield from _servers(needs)


def _estimates(needs: Needs) -> Iterator[str]:
    load = needs.question.load
    if load.estimated:
        yield f"{load.name} was not measured: its cost is estimated from loads that were ({load.about})"
    if load.source.benchmark == LIVE:
        return
    if load.analysed:
        yield "analysis is in it with rates and no rules: each rule takes a little more (docs/benchmarks.md)"
    else:
        yield (
            "this is of polls that are stored and not analysed: where [analysis] is on (it is by default), ask with "
            "--analysis"
        )


def _workers(needs: Needs) -> Iterator[str]:
    worker, question = needs.role("worker"), needs.question
    if worker.busiest > question.utilisation:
        yield (
            f"{worker.processes} processes and {needs.shards} shards leave the busiest process {worker.busiest:.0%} "
            f"busy: more shards than {SHARDS_MOST} there can't be, so divide the inventory into several deployments"
        )
    after = worker.busiest * worker.processes / max(1, worker.processes - 1)
    if after > 1.0:
        yield "with one worker process dead the others can't keep up: add processes or lower --utilisation"
    per_tick = question.polls_per_s / needs.regions / needs.shards
    if per_tick < FEW_POLLS and needs.shards > 16:
        yield (
            f"a shard has {per_tick:.1f} polls a second: {ledger_entries(per_tick) / per_tick:.1f} ledger rows a poll; "
            "fewer shards would do"
        )
    if needs.redis.outage_s < question.outage_s:
        yield (
            f"coordinator.results_high_water lets {needs.redis.outage_s / 60:.0f} minutes of results wait in Redis; "
            "after that polls are skipped, and counted: raise it for a longer outage of PostgreSQL"
        )


def _servers(needs: Needs) -> Iterator[str]:
    if needs.regions > 1:
        yield (
            f"{needs.regions} deployments (regions), each with coordinators, Redis and PostgreSQL of its own: a "
            "coordinator is one process; what is to be set is that of one of them"
        )
    if (masters := needs.redis.nodes // needs.regions) > 1:
        yield f"a Redis Cluster of {masters} masters (redis.url = cluster://…): one is one core"
    if needs.postgres.servers > 1:
        yield (
            f"{needs.postgres.servers} PostgreSQL servers' worth of rows: by region, or tables distributed by device "
            "(Citus); see docs/capacity.md"
        )
