"""A device's record in Redis: 8 bytes of version, then msgpack. It holds the baseline of each job and the rules' state.

    [1, {job: baseline, packed}, state, failing, answered]

The version is a hash of the rest: equal versions are equal records, so what a writer read is what it replaces. A record
that can't be read, or that would be too large, counts as none: the next poll is the first.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import msgspec

from streampoll.analysis.baseline import Baseline, pack, unpack
from streampoll.analysis.port import Above
from streampoll.shards.port import VERSION_BYTES

FORMAT: Final = 1
MAX_BYTES: Final = 4 << 20
MOST_JOBS: Final = 64  # of one device: the one that was polled longest ago goes first


@dataclass(slots=True)
class DeviceRecord:
    """What is kept of a device."""

    jobs: dict[str, bytes] = field(default_factory=dict)  # job -> its baseline, packed: others' are not looked at
    state: dict[str, Any] = field(default_factory=dict)  # of the rules
    above: Above = field(default_factory=Above)  # what the devices behind it ask for
    version: bytes = b""  # as read; b"": there was none

    def baseline(self, job: str) -> Baseline:
        """Return a job's baseline; an empty one if there is none that can be read."""
        packed = self.jobs.get(job)
        try:
            return unpack(packed) if packed else Baseline()
        except ValueError:
            return Baseline()

    def keep(self, job: str, base: Baseline) -> None:
        """Replace a job's baseline."""
        self.jobs.pop(job, None)
        self.jobs[job] = pack(base)
        while len(self.jobs) > MOST_JOBS:
            del self.jobs[next(iter(self.jobs))]


class _Body(msgspec.Struct, array_like=True):
    """What stands behind the version."""

    format: int
    jobs: dict[str, bytes]
    state: dict[str, Any]
    failing: bool
    answered: int = 0


_packed = msgspec.msgpack.Encoder().encode
_body = msgspec.msgpack.Decoder(_Body).decode


def encode_record(record: DeviceRecord) -> bytes:
    """Pack a record behind its version; without its baselines if it would be too large."""
    above = record.above.failing, record.above.answered
    packed = _packed(_Body(FORMAT, record.jobs, record.state, *above))
    if len(packed) > MAX_BYTES:
        packed = _packed(_Body(FORMAT, {}, record.state, *above))
    if len(packed) > MAX_BYTES:
        packed = _packed(_Body(FORMAT, {}, {}, *above))
    version: bytes = blake2b(packed, digest_size=VERSION_BYTES).digest()
    return version + packed


def decode_record(packed: bytes | None) -> DeviceRecord:
    """Unpack a record; one that can't be read is empty, and is replaced by the next."""
    if not packed:
        return DeviceRecord()
    version = packed[:VERSION_BYTES]
    try:
        body = _body(packed[VERSION_BYTES:])
    except (msgspec.MsgspecError, ValueError):
        return DeviceRecord(version=version)
    if body.format != FORMAT:
        return DeviceRecord(version=version)
    return DeviceRecord(body.jobs, body.state, Above(body.failing, body.answered), version)
