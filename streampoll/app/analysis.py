"""Analysis of a worker process, put together."""

from collections.abc import Callable, Mapping

from streampoll.analysis.counters import Counters
from streampoll.analysis.handler import AnalysisHandler, AnalysisPorts
from streampoll.analysis.port import Judge
from streampoll.app.redis_side import RedisSide
from streampoll.config.jobs import Job
from streampoll.config.profile_port import PollPlan
from streampoll.config.settings import Settings
from streampoll.shards.facts import DeviceFacts


def analysis_handler(
    settings: Settings, side: RedisSide, profiles: Mapping[str, PollPlan], jobs: Mapping[str, Job], judge: Judge
) -> AnalysisHandler:
    """Return the handler of class analysis; profiles may change under way, as their files do."""
    return AnalysisHandler(
        AnalysisPorts(
            side.streams, side.facts.read, Counters(profiles), judge, side.clock.now,
            settings.analysis.cache_bytes, _intervals(jobs),
        )
    )  # fmt: skip


def _intervals(jobs: Mapping[str, Job]) -> Callable[[str, DeviceFacts | None], int]:
    """Return what says how often a device is polled by a job; 0: by a cron schedule, or nobody knows."""

    def interval_of(job: str, facts: DeviceFacts | None) -> int:
        known = jobs.get(job)
        if known is None or known.cron:
            return 0
        return (facts.interval_s if facts else 0) or int(known.every_s)

    return interval_of
