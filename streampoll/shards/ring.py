"""Which shard a device is in, and which worker process is a shard's home: pure hashing, the same everywhere for ever.

Every figure here is blake2b, so that it is equal in every process and release (Python's `hash` is salted).
"""

from collections.abc import Iterable
from hashlib import blake2b


def hash64(*parts: str) -> int:
    """Return an unsigned 64-bit hash of the parts, in order (blake2b, big-endian; parts are parted by a NUL)."""
    return _hash("\0".join(parts))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def device_hash(name: str) -> int:
    """Return a device's hash, whose sums the ledger and the audit compare."""
    return _hash(name)


def shard_of(address: str, count: int) -> int:
    """Return the shard of an address: all jobs of one agent share a shard, hence a process."""
    return _hash(address) % count


def phase_of(device: str, job: str, interval_s: int) -> int:
    """Return the second within its interval at which a device is due: stable for as long as the names are."""
    return _hash(f"{device}\0{job}") % interval_s


def home_of(queue: str, shard: int, workers: Iterable[str]) -> str | None:
    """Return the home of a (class, shard) among the live workers by rendezvous hashing; None if there is none.

    A worker that comes or goes moves only its own share.
    """
    return max(workers, key=lambda worker: (hash64(worker, queue, str(shard)), worker), default=None)
