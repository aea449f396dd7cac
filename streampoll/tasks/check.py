"""What only shows when tasks and settings are seen together: a class that no pool serves, a limit that never comes."""

from streampoll.config.report import Report
from streampoll.config.settings import Settings
from streampoll.tasks.port import Tasks


def check_tasks(tasks: Tasks, settings: Settings, report: Report) -> None:
    """Note what works and is likely not meant."""
    served = {queue for pool in settings.pools.values() for queue in pool.queues}
    for name, task in tasks.items():
        options, where = task.options, f"task {name!r}"
        if options.queue not in served:
            what = f"no pool serves its class '{options.queue}'"
            report.notice(where, what, "it waits until a worker elsewhere does")
        limit_s = settings.queues[options.queue].soft_limit_s
        own_s = options.hard_limit_s or options.soft_limit_s
        if limit_s and own_s > limit_s:
            first = f"queues.{options.queue}.soft_limit_s ({limit_s:g} s)"
            report.notice(where, f"{first} comes before its limit of {own_s:g} s", "raise that, or lower this")
