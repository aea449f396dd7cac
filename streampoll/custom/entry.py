"""Custom pollers are the entry points of installed packages; nothing of theirs is imported to know their names.

[project.entry-points."streampoll.pollers"]
acme-ups = "acme_ups:poll"
"""

from importlib.metadata import entry_points
from typing import Any, Final

GROUP: Final = "streampoll.pollers"


class EntryPointError(Exception):
    """A poller can't be had; the text says why, in one line."""


def poller_names() -> list[str]:
    """Return the names of all custom pollers that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load_poller(name: str) -> Any:
    """Import a poller.

    Raises:
        EntryPointError: there is none, two packages have one of that name, or its import fails.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    packages = {point.dist.name if point.dist else "?" for point in points}
    if not points:
        raise EntryPointError(f"no installed package has a poller {name!r}")
    if len(packages) > 1:
        said = ", ".join(sorted(packages))
        raise EntryPointError(f"{len(packages)} packages have a poller {name!r} ({said}); uninstall all but one")
    point = points[0]
    try:
        poller = point.load()
    except Exception as error:
        raise EntryPointError(f"poller {name!r} ({point.value}) can't be imported: {type(error).__name__}") from error
    if not callable(poller):
        raise EntryPointError(f"poller {name!r} ({point.value}) is no function")
    return poller
