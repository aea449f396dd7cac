"""What a fleet is told, and what is wrong with it."""

from dataclasses import dataclass, field

from streampoll.embedded.fleet.addresses import MAX_DEVICES
from streampoll.errors import ConfigError, Fault

MAX_REBOOT_S = 200 * 86_400  # a longer uptime would outgrow its four bytes


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """A simulated fleet. What a device is like follows from `seed` and its address alone."""

    port: int = 0  # UDP; 0: one that is free
    seed: int = 1
    devices: int = 1414  # how many are in the inventory; every other address of 127.0.0.0/8 answers all the same
    silent: float = 0.0  # share of devices that never answer: of the first N, N times this, plus or minus one
    loss: float = 0.0  # share of requests that get no reply, over all devices
    latency_ms: tuple[float, float] = (5.0, 250.0)  # each device has one latency in this range
    interfaces: tuple[int, int] = (4, 24)  # each device has a number of interfaces in this range
    community: str = field(default="public", repr=False)
    v3_passphrase: str = field(default="", repr=False)  # of the v3 user "fleet" (SHA-256, AES-128); "": no v3
    reboot_every_s: float = MAX_REBOOT_S  # each device boots once in this time, at a moment of its own
    max_reply_bytes: int = 1400  # a GETBULK reply is cut here, another is tooBig above it
    too_big_bytes: int = 0  # above it everything is tooBig, GETBULK too; 0: off
    recordings: tuple[str, ...] = ()  # FILE: one of those that devices take in turn; FILE=ADDRESS: for one device


def check(settings: FleetSettings) -> FleetSettings:
    """Return the settings if they can be used.

    Raises:
        ConfigError: with a fault for each that can't.
    """
    low_ms, high_ms = settings.latency_ms
    fewest, most = settings.interfaces
    rules = (
        ("port", 0 <= settings.port <= 65_535, settings.port, "a port number, or 0 for one that is free"),
        ("devices", 1 <= settings.devices <= MAX_DEVICES, settings.devices, f"1 to {MAX_DEVICES:,}"),
        ("silent", 0 <= settings.silent <= 1, settings.silent, "a share from 0 to 1"),
        ("loss", 0 <= settings.loss <= 1, settings.loss, "a share from 0 to 1"),
        ("latency", 0 <= low_ms <= high_ms <= 60_000, f"{low_ms:g}-{high_ms:g}", "milliseconds as LOW-HIGH, to 60000"),
        ("interfaces", 0 <= fewest <= most <= 4096, f"{fewest}-{most}", "numbers as LOW-HIGH, to 4096"),
        ("community", len(settings.community.encode()) <= 127, "(hidden)", "at most 127 bytes"),
        ("v3", not settings.v3_passphrase or len(settings.v3_passphrase) >= 8, "(hidden)", "at least 8 characters"),
        ("reboot-every", 1 <= settings.reboot_every_s <= MAX_REBOOT_S, settings.reboot_every_s, "1 s to 200 days"),
        ("max-reply", 484 <= settings.max_reply_bytes <= 65_000, settings.max_reply_bytes, "484 to 65000 bytes"),
        ("too-big", settings.too_big_bytes >= 0, settings.too_big_bytes, "bytes, or 0 for off"),
    )
    faults = [
        Fault(f"--{name}", f"{value} can't be used", f"give {want}") for name, good, value, want in rules if not good
    ]
    if faults:
        raise ConfigError(faults)
    return settings
