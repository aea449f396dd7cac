"""Times as requests write them: 10m, 2h, 7d before now, seconds since the epoch, or ISO 8601 in UTC."""

import time
from typing import Annotated

from msgspec import Meta

from streampoll.api.problem import ProblemError
from streampoll.config.units import parse_since

_DATE = "20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})"
_PATTERN = rf"^([0-9]{{1,5}}[smhd]|[0-9]{{9,10}}|{_DATE})$"

Moment = Annotated[
    str,
    Meta(pattern=_PATTERN, description="10m, 2h or 7d before now, seconds since the epoch, or 2026-01-31T08:00:00Z"),
]


def seconds(moment: str) -> int:
    """Return a moment as seconds since the epoch.

    Raises:
        ProblemError: there is no such date.
    """
    try:
        return int(parse_since(moment, time.time()))
    except ValueError:
        raise ProblemError(400, f"{moment!r} is not a time; write 10m, 2h or 2026-01-31T08:00:00Z") from None
