"""What each device is: everything follows from the seed and its index, and nothing is kept.

A device's record is derived in a few microseconds. The records of the devices seen first are kept for speed; in a fleet
larger than that the others are derived again at each request.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streampoll.embedded.fleet.addresses import device_index, device_name, device_site, packed_address
from streampoll.embedded.fleet.personality import RECORDING, Personality
from streampoll.embedded.fleet.settings import FleetSettings
from streampoll.embedded.fleet.values import Moment

KEPT = 1 << 16  # records kept, about 500 bytes each
PER_MILLION = 1_000_000
LOAD_HOLD_CS = 3_000  # LOAD changes each half minute


def mix(number: int) -> int:
    """Return 64 bits that look random and depend on every bit of `number` (the finaliser of splitmix64)."""
    number = (number + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return number ^ number >> 31


def is_silent(index: int, share: float, seed: int) -> bool:
    """Tell if a device is one of the silent share.

    The devices are cut into runs of 1 / share, and one of each run, drawn by the seed, is silent. So of the first N
    devices N * share are, plus or minus one, for every N, and a device's lot does not depend on N.
    """
    per_million = round(share * PER_MILLION)
    if not per_million:
        return False
    run = index * per_million // PER_MILLION
    first, following = -(-run * PER_MILLION // per_million), -(-(run + 1) * PER_MILLION // per_million)
    return index == first + mix(seed ^ run << 32) % (following - first)


@dataclass(frozen=True, slots=True)
class Device:
    """One device, as far as it does not change with time."""

    personality: Personality
    silent: bool
    latency_s: float
    phase_cs: int  # where it stands in its cycle of reboots, hundredths of a second
    pace: int  # its traffic: 32..255
    load_seed: int
    fixed: tuple[int, ...]  # the quantities from BASE on


class Population:
    """The devices of a fleet."""

    def __init__(
        self, settings: FleetSettings, personalities: Sequence[Personality], pinned: dict[int, Personality]
    ) -> None:
        self._settings = settings
        self._personalities = personalities
        self._pinned = pinned  # index -> personality
        self._period_cs = max(round(settings.reboot_every_s * 100), 1)
        self._kept: dict[bytes, Device] = {}

    def at(self, packed: bytes) -> Device:
        """Return the device at an address of four bytes."""
        device = self._kept.get(packed)
        if device is None:
            device = self.derive(device_index(packed))
            if len(self._kept) < KEPT:
                self._kept[packed] = device
        return device

    def derive(self, index: int) -> Device:
        """Work a device out from its index."""
        settings = self._settings
        chance = mix(settings.seed << 24 ^ index)
        low_ms, high_ms = settings.latency_ms
        return Device(
            personality=self._pinned.get(index) or self._personality(index, chance),
            silent=is_silent(index, settings.silent, settings.seed),
            latency_s=(low_ms + (high_ms - low_ms) * (chance & 0xFFFF) / 0xFFFF) / 1000,
            phase_cs=chance % self._period_cs,
            pace=32 + chance % 224,
            load_seed=chance,
            fixed=(chance >> 32, packed_address(index), *_texts(index, chance)),
        )

    def moment(self, device: Device, now_cs: int) -> Moment:
        """Return the quantities of a device at a time, in hundredths of a second since the epoch."""
        boots, uptime_cs = divmod(now_cs + device.phase_cs, self._period_cs)
        load = (device.load_seed ^ now_cs // LOAD_HOLD_CS * 0x9E3779B1) % 9973 % 100
        digits = load // 10 * 256 + load % 10
        return (uptime_cs, uptime_cs * device.pace, boots, uptime_cs // 100, load, digits, *device.fixed)

    def _personality(self, index: int, chance: int) -> Personality:
        """Recordings are taken in turn, so that each is met; made-up personalities are drawn."""
        choice = index if self._personalities[0].role == RECORDING else chance >> 20
        return self._personalities[choice % len(self._personalities)]


def _texts(index: int, chance: int) -> tuple[int, int, int]:
    """Return NAME, SITE and SERIAL as numbers."""
    texts = device_name(index), device_site(index), f"{chance & 0xFFFFFFFF:08X}"
    name, site, serial = (int.from_bytes(text.encode(), "big") for text in texts)
    return name, site, serial
