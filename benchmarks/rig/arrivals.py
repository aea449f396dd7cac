"""The order in which results come to stores, as seen in `endtoend`: it decides how full the pages of an index are.

Of each slot as many devices are due. A device answers after its own 5 to 250 ms, one in twenty not at all, which is
known after 4 to 6 s; on the way to a store up to 0.1 s passes. Each of two workers stores half of the devices, and
writes what has come in 50 ms.
"""

import random
from collections import defaultdict
from dataclasses import dataclass

_LATENCY_S = 0.005, 0.25
_SILENCE_S = 4.0, 6.0
_ONE_SILENT_IN = 20
_ON_THE_WAY_S = 0.1
_GATHERED_S = 0.05
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Due:
    """What is polled."""

    a_slot: int  # devices that are due in it
    interval: int  # slots until they are due again
    slots: int


def arrivals(due: Due, chance: random.Random) -> list[list[list[tuple[int, int]]]]:
    """Return what is written at a time, in order: a batch of each worker, of (slot, device), both counted from 0."""
    answered_s = [_answered_s(chance) for _ in range(due.a_slot * due.interval)]
    worker = [chance.randrange(_WORKERS) for _ in answered_s]
    came = sorted(
        (slot + answered_s[device] + chance.uniform(0, _ON_THE_WAY_S), slot, device)
        for slot in range(due.slots)
        for device in range(slot % due.interval, len(answered_s), due.interval)
    )
    written: defaultdict[int, list[list[tuple[int, int]]]] = defaultdict(lambda: [[] for _ in range(_WORKERS)])
    for at, slot, device in came:
        written[int(at / _GATHERED_S)][worker[device]].append((slot, device))
    return [[batch for batch in batches if batch] for batches in written.values()]


def _answered_s(chance: random.Random) -> float:
    return chance.uniform(*(_LATENCY_S if chance.randrange(_ONE_SILENT_IN) else _SILENCE_S))
