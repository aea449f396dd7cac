"""Which node of a Redis Cluster serves a key: hash slots, and the map of them as `CLUSTER SLOTS` tells it. Pure."""

from binascii import crc_hqx
from collections.abc import Iterable, Sequence
from typing import Any

from streampoll.config.redis_url import Node

SLOTS = 16_384


def slot_of(key: str) -> int:
    """Return a key's slot: CRC16 (XMODEM) of its hash tag, or of all of it (Redis Cluster specification)."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return crc_hqx((tag if opened and closed and tag else key).encode(), 0) % SLOTS


class SlotMap:
    """slot -> master."""

    def __init__(self, ranges: Iterable[tuple[int, int, Node]] = ()) -> None:
        """Make a map of (first slot, last slot, master)."""
        self._owners: list[Node | None] = [None] * SLOTS
        for first, last, node in ranges:
            self._owners[first : last + 1] = [node] * (last + 1 - first)
        self._nodes = frozenset(node for node in self._owners if node)

    @property
    def nodes(self) -> frozenset[Node]:
        """Every master that serves a slot."""
        return self._nodes

    def owner(self, key: str) -> Node | None:
        """Return the master that serves a key; None if nobody does."""
        return self._owners[slot_of(key)]

    def move(self, slot: int, node: Node) -> None:
        """Take it that a slot is served by another node, as a MOVED says."""
        self._owners[slot] = node
        self._nodes |= {node}


def read_slots(reply: Sequence[Any], asked: Node) -> SlotMap:
    """Read the reply of CLUSTER SLOTS; a node whose host is not told is on the host that was asked."""
    return SlotMap((int(first), int(last), _node(master, asked)) for first, last, master, *_ in reply)


def _node(master: Sequence[Any], asked: Node) -> Node:
    host = master[0].decode() if isinstance(master[0], bytes) else master[0]
    return (host if host and host != "?" else asked[0]), int(master[1])
