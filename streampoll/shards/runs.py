"""Polls that somebody asks for now: ad hoc entries, each part with a ledger entry, so that audit knows of them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import msgpack

from streampoll.model import QueueClass
from streampoll.shards.keys import Keys
from streampoll.shards.scripts import Scripts

_AT_ONCE = 500  # polls in one script call


@dataclass(frozen=True, slots=True)
class AdHoc:
    """Polls of a job in a shard that share a slot."""

    shard: int
    job: str
    slot: int  # seconds since the epoch
    expiry: int
    polls: Sequence[tuple[int, bytes]]  # (the device's hash, body)


class Runs:
    """Adds them on Redis."""

    def __init__(self, scripts: Scripts, keys: Keys) -> None:
        self._scripts = scripts
        self._keys = keys

    async def run(self, parts: Sequence[AdHoc], now: int) -> int:
        """Add polls; return how many were: fewer where a job was run less than two seconds ago in a shard."""
        added, begun = 0, dict[tuple[int, str], bool]()
        for part in parts:
            place = part.shard, part.job
            for first in range(0, len(part.polls), _AT_ONCE):
                if begun.get(place, True):
                    count = await self._add(part, part.polls[first : first + _AT_ONCE], now, place not in begun)
                    begun[place] = bool(count)
                    added += count
        return added

    async def _add(self, part: AdHoc, polls: Sequence[tuple[int, bytes]], now: int, first: bool) -> int:
        keys = self._keys.shard(part.shard)
        ledger = ad_hoc_ledger(part.shard, part.slot, [hashed for hashed, _ in polls])
        bodies = msgpack.packb([body for _, body in polls], use_bin_type=False)  # Lua's msgpack knows no other
        added: int = await self._scripts.one(
            "run",
            [keys.stream(QueueClass.POLLING), keys.stream(QueueClass.RESULTS), keys.open, keys.backlog, keys.ran],
            [part.job, now, int(first), part.slot, part.expiry, ledger, bodies],
        )
        return added


def ad_hoc_ledger(shard: int, slot: int, hashes: Sequence[int]) -> bytes:
    """Pack the ledger entry of ad hoc polls: plan 0, and a part number of its own, since nothing orders them."""
    part, hash_sum = secrets.randbelow(1 << 31), sum(hashes) % 2**64
    packed: bytes = msgpack.packb((shard, slot, part, "0", len(hashes), str(hash_sum), 0, ""))
    return packed
