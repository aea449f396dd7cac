"""Right bytes made wrong: what comes out is near enough to right to get past the first check."""

from collections.abc import Sequence
from random import Random
from typing import Any

_TELLING = (
    b"", b"\0", b"\xff", b"\x80", b"\x7f\xff\xff\xff", b"\xff" * 9, b"-1", b"1e999", b"\xc3\x28", b"9" * 30, b"9" * 400,
    b"9" * 5000, b"[" * 3000, b"\xed\xa0\x80", b"%s%n", b"../", b"\x1b[2J", b"\r\n",
)  # fmt: skip
_STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 31, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63), 0.5, float("nan"),
    float("inf"), -1e308, "", "t", "\0", "é" * 90, "x" * 70_000, "9" * 5000, ":", b"", b"\xff", b"\0" * 300, [],
    {}, [[]],
)  # fmt: skip
_SCALARS = (None, True, 0, -1, 1 << 63, 1.5, float("nan"), "t", b"\xff", 10**12)


def mutated(random: Random, right: bytes, most: int = 4) -> bytes:
    """Change bytes in a few places: flipped, cut, repeated, put in; now and then nothing, or all of it."""
    if random.random() < 0.05:
        return random.randbytes(random.randrange(200))
    data = bytearray(right)
    for _ in range(random.randint(0, most)):
        at = random.randrange(len(data) + 1)
        match random.randrange(5):
            case 0 if at < len(data):
                data[at] = random.randrange(256)
            case 1:
                del data[at : at + random.randint(1, 8)]
            case 2:
                data[at:at] = random.choice(_TELLING)
            case 3:
                data[at:at] = data[at : at + random.randint(1, 40)]
            case 4:
                del data[at:]
    return bytes(data)


def any_of(random: Random, corpus: Sequence[bytes]) -> bytes:
    """Return a mutation of one of them, or two of them spliced."""
    right = random.choice(corpus)
    if random.random() < 0.1:
        other = random.choice(corpus)
        right = right[: random.randrange(len(right) + 1)] + other[random.randrange(len(other) + 1) :]
    return mutated(random, right)


def regrown(random: Random, value: Any) -> Any:
    """Return a tree of lists, tables and scalars with something strange in one place, and right else."""
    inner = list(value) if isinstance(value, list | tuple) else list(value.items()) if isinstance(value, dict) else []
    if not inner or random.random() < 0.1:
        return random.choice((*_STRANGE, tree(random)))
    at = random.randrange(len(inner))
    if isinstance(value, dict):
        key, held = inner[at]
        inner[at] = (
            (random.choice(("", "\0", 7, b"k")), held) if random.random() < 0.1 else (key, regrown(random, held))
        )
        return dict(inner)
    if random.random() < 0.1:
        del inner[at]
    else:
        inner[at] = regrown(random, inner[at])
    return inner


def tree(random: Random, depth: int = 0) -> Any:
    """Return any value that msgpack holds."""
    kind = random.randrange(9 if depth < 4 else 7)
    if kind == 7:
        return [tree(random, depth + 1) for _ in range(random.randrange(12))]
    if kind == 8:
        return {str(n): tree(random, depth + 1) for n in range(random.randrange(4))}
    return random.choice(_SCALARS)
