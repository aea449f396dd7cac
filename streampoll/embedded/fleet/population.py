"""Which personality each device of a fleet has: made-up ones, or recordings."""

import ipaddress
from pathlib import Path

from streampoll.embedded.fleet.addresses import device_index
from streampoll.embedded.fleet.device import Population
from streampoll.embedded.fleet.personality import Personality
from streampoll.embedded.fleet.recording import load_recording
from streampoll.embedded.fleet.settings import FleetSettings
from streampoll.embedded.fleet.synthetic import make_personalities
from streampoll.errors import ConfigError, Fault


def make_population(settings: FleetSettings) -> Population:
    """Make the devices of a fleet; recordings without an address take the place of the made-up personalities.

    Raises:
        ConfigError: a recording can't be read, or its address is not in 127.0.0.0/8.
    """
    in_turn: list[Personality] = []
    pinned: dict[int, Personality] = {}
    for option in settings.recordings:
        path, _, address = option.rpartition("=") if _is_pinned(option) else (option, "", "")
        personality = load_recording(Path(path))
        if address:
            pinned[_index(address, option)] = personality
        else:
            in_turn.append(personality)
    return Population(settings, in_turn or make_personalities(*settings.interfaces), pinned)


def _is_pinned(option: str) -> bool:
    """Tell FILE=ADDRESS from a FILE whose name has a "="."""
    return "=" in option and not Path(option).exists()


def _index(address: str, option: str) -> int:
    try:
        packed = ipaddress.IPv4Address(address).packed
    except ValueError:
        packed = b"\0"
    if packed[0] != 127:
        fault = Fault("--recording", f"{address!r} in {option!r} is not an address of a device", "127.1.0.1 and up")
        raise ConfigError([fault])
    return device_index(packed)
