"""What the inventory says of devices, for processes that don't read it: the hash `sp:{07}:facts` of a device's shard.

The leader writes it when a configuration is loaded. Under the name "" stands a digest of all the lines of the shard, so
that an unchanged shard costs one read; it goes first and comes back last, so a write that was cut short is found.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from streampoll.errors import EntryError
from streampoll.model import Device, Scalar
from streampoll.shards.connection import raise_errors
from streampoll.shards.keys import Keys
from streampoll.shards.ring import shard_of
from streampoll.shards.topology import Command, Topology

DIGEST: Final = ""
_AT_ONCE: Final = 500


class DeviceFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of the inventory, and where the device that it is behind is kept; packed, an array in this order."""

    name: str
    address: str
    port: int = 0
    profile: str = ""
    credential: str = ""  # a name, never a secret
    groups: tuple[str, ...] = ()
    site: str = ""
    role: str = ""
    vendor: str = ""
    tags: tuple[str, ...] = ()
    parent: str = ""  # the device that this one is behind; "": none
    overrides: dict[str, Scalar] = msgspec.field(default_factory=dict)
    interval_s: int = 0  # 0: its job's
    parent_shard: int = -1  # -1: it has no parent, or one that the inventory does not know


_packed = msgspec.msgpack.Encoder().encode
_facts = msgspec.msgpack.Decoder(DeviceFacts).decode


def encode_facts(device: Device, parent_shard: int = -1) -> bytes:
    """Pack a device's facts."""
    return _packed(
        DeviceFacts(
            device.name, device.address, device.port, device.profile, device.credential, tuple(device.groups),
            device.site, device.role, device.vendor, tuple(device.tags), device.parent, dict(device.overrides),
            device.interval_s, parent_shard,
        )
    )  # fmt: skip


def decode_facts(packed: bytes) -> DeviceFacts:
    """Unpack facts; what another release has added at their end is ignored.

    Raises:
        EntryError: they are none.
    """
    try:
        return _facts(packed)
    except (msgspec.MsgspecError, ValueError) as error:
        raise EntryError(f"facts of a device: {error}") from None


Lines = dict[str, bytes]
"""A shard's facts by device, packed."""


def lay_out_facts(devices: Sequence[Device], shards: int) -> dict[int, Lines]:
    """Pack the facts of the devices that are polled, by shard."""
    parents = {device.parent for device in devices if device.parent}
    homes = {device.name: shard_of(device.address, shards) for device in devices if device.name in parents}
    lines: dict[int, Lines] = {shard: {} for shard in range(shards)}
    for device in devices:
        if device.enabled:
            packed = encode_facts(device, homes.get(device.parent, -1))
            lines[shard_of(device.address, shards)][device.name] = packed
    return lines


def digest_of(lines: Lines) -> bytes:
    """Return the digest of a shard's facts, whatever order they come in."""
    total = 0
    for packed in lines.values():  # it has the name; a sum needs no sorting of a million lines
        total += int.from_bytes(blake2b(packed, digest_size=16).digest())
    return b"%d:%032x" % (len(lines), total % 2**128)


class Facts:
    """The facts of a deployment's devices, on Redis."""

    def __init__(self, topology: Topology, keys: Keys, shards: int) -> None:
        self._topology = topology
        self._keys = keys
        self._shards = shards

    async def read(self, names: Mapping[int, Sequence[str]]) -> dict[tuple[int, str], DeviceFacts]:
        """Return the facts of devices, by shard and name, for those that have any; in one round trip."""
        slices = [
            (shard, wanted[first : first + _AT_ONCE])
            for shard, wanted in names.items() for first in range(0, len(wanted), _AT_ONCE)
        ]  # fmt: skip
        keys = [self._keys.shard(shard).facts for shard, _ in slices]
        replies = await self._run([(key, ("HMGET", key, *some)) for key, (_, some) in zip(keys, slices, strict=True)])
        return {
            (shard, name): found
            for (shard, some), reply in zip(slices, replies, strict=True)
            for name, packed in zip(some, reply, strict=True)
            if (found := _read(packed)) is not None
        }

    async def find(self, name: str) -> tuple[int, DeviceFacts] | None:
        """Return the shard and the facts of a device; None if no shard knows it."""
        keys = [self._keys.shard(shard).facts for shard in range(self._shards)] if name else []
        for shard, packed in enumerate(await self._run([(key, ("HGET", key, name)) for key in keys])):
            if (found := _read(packed)) is not None:
                return shard, found
        return None

    async def names(self, shard: int) -> list[str]:
        """Return the devices of a shard."""
        key = self._keys.shard(shard).facts
        [known] = await self._run([(key, ("HKEYS", key))])
        return sorted(name.decode(errors="replace") for name in known if name != DIGEST.encode())

    async def digests(self) -> list[bytes]:
        """Return the digest of each shard's facts, b"" where none were written whole."""
        keys = [self._keys.shard(shard).facts for shard in range(self._shards)]
        return [reply or b"" for reply in await self._run([(key, ("HGET", key, DIGEST)) for key in keys])]

    async def write(self, shard: int, lines: Lines) -> None:
        """Replace a shard's facts."""
        key = self._keys.shard(shard).facts
        [known] = await self._run([(key, ("HKEYS", key))])
        gone = [name for name in known if name.decode(errors="replace") not in lines]
        await self._run([(key, ("HDEL", key, DIGEST, *gone))])
        flat = list(lines.items())
        for first in range(0, len(flat), _AT_ONCE):
            words = [word for pair in flat[first : first + _AT_ONCE] for word in pair]
            await self._run([(key, ("HSET", key, *words))])
        await self._run([(key, ("HSET", key, DIGEST, digest_of(lines)))])

    async def _run(self, commands: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        if not commands:
            return []
        return raise_errors(await self._topology.run([Command(key, words) for key, words in commands]))


def _read(packed: bytes | None) -> DeviceFacts | None:
    """Return facts; those that can't be read are as if there were none."""
    try:
        return decode_facts(packed) if packed else None
    except EntryError:
        return None
