"""Warns of devices whose 32-bit counters may wrap unseen between two polls: once a device and process."""

import logging
from typing import Final

from streampoll.logs import about
from streampoll.model import Outcome

log = logging.getLogger(__name__)

_MOST: Final = 10_000  # devices remembered; a fleet with more of them has been told


class WrapWarnings:
    """Who has been warned of."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def note(self, device: str, outcome: Outcome, interval_s: int) -> None:
        """Warn if a device is polled more slowly than half the time in which its fastest 32-bit counter wraps."""
        half_s = outcome.half_wrap_s
        if not 0.0 < half_s < interval_s or device in self._warned or len(self._warned) >= _MOST:
            return
        self._warned.add(device)
        log.warning(
            "device %s: its 32-bit octet counters can wrap in %.0f s at the speed of its fastest interface, and it is "
            "polled every %d s; poll it every %.0f s, or by SNMPv2c or v3 where it has 64-bit counters",
            device, 2 * half_s, interval_s, half_s, extra=about(device=device),
        )  # fmt: skip
