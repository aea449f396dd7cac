"""Ways to compress payloads: what is used (zlib-ng, from 1 KB on isal, both at level 1), and what could be."""

import zlib
from collections.abc import Callable
from importlib.util import find_spec

from streampoll.model import Outcome, Status, Table, TableTime, Trace, Value
from streampoll.results.codec import encode_payload

Compress = Callable[[bytes], bytes]
_GZIP = 31
COLUMNS = ("in", "out", "in_packets", "out_packets", "in_errors", "out_errors", "in_discards", "out_discards")
START = 1_767_960_000.25


def compressors() -> dict[str, Compress | None]:
    """Return the ways by name; None is one that is not installed."""
    found: dict[str, Compress | None] = {"none": lambda data: data}
    for level in (1, 6, 9):
        found[f"zlib gzip {level}"] = _like_zlib(zlib.compress, level)
    found |= dict.fromkeys(
        ("isal gzip 0", "isal gzip 1", "isal gzip 2", "zlib-ng gzip 1", "zlib-ng gzip 2", "zstd 1", "zstd 3")
    )
    if find_spec("isal"):
        from isal import isal_zlib

        found |= {f"isal gzip {level}": _like_zlib(isal_zlib.compress, level) for level in (0, 1, 2)}
    if find_spec("zlib_ng"):
        from zlib_ng import zlib_ng

        found |= {f"zlib-ng gzip {level}": _like_zlib(zlib_ng.compress, level) for level in (1, 2)}
    if find_spec("zstandard"):
        import zstandard

        found |= {f"zstd {level}": zstandard.ZstdCompressor(level).compress for level in (1, 3)}
    return found


def _like_zlib(compress: Callable[[bytes, int, int], bytes], level: int) -> Compress:
    return lambda data: bytes(compress(data, level, _GZIP))


def packed_rows(count: int, interfaces: int) -> list[bytes]:
    """Return the msgpack of polls as the codec packs them: ten counters, or a table of interfaces beside them."""
    return [zlib.decompress(encode_payload(_outcome(n, interfaces), _trace(n))[1:], _GZIP) for n in range(count)]


def _outcome(device: int, interfaces: int) -> Outcome:
    values: dict[str, Value] = {"sysName": f"router-{device:06}", "sysUpTime": 86_400_00 + device * 7919}
    values |= {name: device * 1_000_003 * (place + 1) % 2**40 for place, name in enumerate(COLUMNS)}
    rows: list[list[Value]] = [
        [str(port), *(_counter(device, port, place) for place in range(8))] for port in range(1, interfaces + 1)
    ]
    times = (TableTime(len(rows), START + 0.4, 86_400_00),)
    tables = {"interfaces": Table(("index", *COLUMNS), rows, times)} if rows else {}
    return Outcome(Status.OK, values=values, tables=tables, at=START + 0.3, first_reply=START + 0.3, requests=3)


def _counter(device: int, port: int, place: int) -> int:
    """Return a counter: octets are large, packets smaller, errors and discards mostly 0."""
    spread = (device * 7919 + port * 104_729 + place * 1_299_709) * 2_654_435_761
    return spread % 2 ** (44, 44, 34, 34, 2, 2, 3, 3)[place]


def _trace(device: int) -> Trace:
    late = device % 97 / 1000
    return Trace(
        START, START + late, START + late + 0.001, START + late + 0.3, START + late + 0.5, 1, "host-1234-ab12cd"
    )
