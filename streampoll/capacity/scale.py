"""A slice of a large deployment, small enough to be simulated: so many of its workers with their share of the rest."""

from dataclasses import replace

from streampoll.capacity.model import Needs, shards_for
from streampoll.capacity.scenario import Scenario

_POLLS_PER_S = 1_500  # that a simulation follows
_SHARED = ("coordinator", "redis", "postgres")
_SECONDS, _WARM_S = 20, 5


def scenario_of(needs: Needs) -> Scenario:
    """Return a scenario of the deployment's utilisation, with each process on a core of its own.

    What all workers share (Redis) serves fewer polls in the slice, so that each takes it longer in the same measure.
    """
    question, workers = needs.question, needs.role("worker").processes
    share = min(1.0, _POLLS_PER_S / question.polls_per_s)
    processes = min(workers, max(2, round(workers * share)))
    share = processes / workers
    cpu_us = dict(question.load.cpu_us)
    for name in _SHARED:
        role = needs.role(name)
        serving = needs.regions if name == "coordinator" else role.processes
        cpu_us[name] = role.cores / serving / (question.polls_per_s * share) * 1e6
    stores = max(1, round(needs.role("store").processes * share)) if cpu_us["store"] else 0
    return Scenario(
        devices=max(1, round(question.devices * share)), interval_s=max(1, round(question.interval_s)),
        load=replace(question.load, cpu_us=cpu_us), processes=processes, stores=stores,
        shards=shards_for(processes), cores=processes + stores + len(_SHARED), concurrency=needs.concurrency,
        latency_s=(0.0, 2 * question.latency_s), silent=question.silent, seconds=_SECONDS, warm_s=_WARM_S,
    )  # fmt: skip
