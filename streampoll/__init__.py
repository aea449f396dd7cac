"""streampoll polls network devices on a schedule and accounts for every poll.

    from streampoll import task, send

What tasks and the programs that send them need is imported when it is asked for: the command line must start fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from streampoll.version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from streampoll.app.task_client import Client, SyncClient, send, send_sync
    from streampoll.tasks.client import call
    from streampoll.tasks.declare import task
    from streampoll.tasks.port import RetryLater, SoftLimitReached

_HOMES = {
    "task": "streampoll.tasks.declare",
    "call": "streampoll.tasks.client",
    "RetryLater": "streampoll.tasks.port",
    "SoftLimitReached": "streampoll.tasks.port",
    "send": "streampoll.app.task_client",
    "send_sync": "streampoll.app.task_client",
    "Client": "streampoll.app.task_client",
    "SyncClient": "streampoll.app.task_client",
}

__all__ = ["Client", "RetryLater", "SoftLimitReached", "SyncClient", "call", "send", "send_sync", "task"]


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
