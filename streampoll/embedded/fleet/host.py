"""HOST-RESOURCES-MIB (RFC 2790) and UCD-SNMP-MIB of a made-up server."""

from collections.abc import Iterator

from streampoll.embedded.fleet.ber import (
    COUNTER32,
    GAUGE32,
    INTEGER,
    OCTETS,
    Oid,
    encode_integer,
    encode_oid,
    encode_text,
)
from streampoll.embedded.fleet.values import Moving, Quantity, Value, counter32, percent, uptime

HOST: Oid = (1, 3, 6, 1, 2, 1, 25)
UCD: Oid = (1, 3, 6, 1, 4, 1, 2021)

CPUS = 4
MEMORY_KB, SWAP_KB = 16_777_216, 8_388_608
DISKS = (("/", "/dev/sda1", 41_943_040), ("/var", "/dev/sda2", 104_857_600))  # path, device, kB
BLOCK_BYTES = 4096
RAM, VIRTUAL, FIXED_DISK = 2, 3, 4  # of hrStorageTypes
PROCESSOR = 3  # of hrDeviceTypes


def host_variables() -> Iterator[tuple[Oid, Value]]:
    """Yield the variables of HOST-RESOURCES-MIB: system, storage, devices, processors."""
    yield (*HOST, 1, 1, 0), uptime()
    yield (*HOST, 1, 5, 0), encode_integer(2, GAUGE32)
    yield (*HOST, 1, 6, 0), Moving(GAUGE32, 256, ((Quantity.LOAD, 1),), 2)
    yield (*HOST, 1, 7, 0), encode_integer(0)
    yield (*HOST, 2, 2, 0), encode_integer(MEMORY_KB)
    blocks = [(path, FIXED_DISK, kb * 1024 // BLOCK_BYTES) for path, _, kb in DISKS]
    memory = [("Physical memory", RAM, MEMORY_KB // 4), ("Swap space", VIRTUAL, SWAP_KB // 4)]
    for index, (name, kind, size) in enumerate(memory + blocks, 1):
        yield from _storage(index, name, kind, size)
    for cpu in range(CPUS):
        yield from _processor(196_608 + cpu)


def _storage(index: int, name: str, kind: int, size: int) -> Iterator[tuple[Oid, Value]]:
    """Yield a row of hrStorageTable; what is used swings with the load between a half and three quarters."""
    columns: tuple[Value, ...] = (
        encode_integer(index),
        encode_oid((*HOST, 2, 1, kind)),
        encode_text(name),
        encode_integer(BLOCK_BYTES),
        encode_integer(size),
        _swinging(size // 2, size // 400),
        encode_integer(0, COUNTER32),
    )
    for column, value in enumerate(columns, 1):
        yield (*HOST, 2, 3, 1, column, index), value


def _processor(index: int) -> Iterator[tuple[Oid, Value]]:
    """Yield the rows of a processor in hrDeviceTable and hrProcessorTable."""
    device: tuple[Value, ...] = (
        encode_integer(index),
        encode_oid((*HOST, 3, 1, PROCESSOR)),
        encode_text("Simulated CPU @ 2.40GHz"),
        encode_oid((0, 0)),
        encode_integer(2),
        encode_integer(0, COUNTER32),
    )
    for column, value in enumerate(device, 1):
        yield (*HOST, 3, 2, 1, column, index), value
    yield (*HOST, 3, 3, 1, 1, index), encode_oid((0, 0))
    yield (*HOST, 3, 3, 1, 2, index), percent()


def ucd_variables() -> Iterator[tuple[Oid, Value]]:
    """Yield the variables of UCD-SNMP-MIB: memory, load averages, disks, processor counters."""
    memory: dict[int, Value] = {
        1: encode_integer(0), 2: encode_text("swap"), 3: encode_integer(SWAP_KB), 4: _swinging(SWAP_KB // 2, 4096),
        5: encode_integer(MEMORY_KB), 6: _swinging(MEMORY_KB // 4, 8192), 11: _swinging(MEMORY_KB // 2, 12_288),
        12: encode_integer(16_000), 13: encode_integer(65_536), 14: encode_integer(524_288),
        15: encode_integer(4_194_304), 100: encode_integer(0), 101: encode_text(""),
    }  # fmt: skip
    for column, value in memory.items():
        yield (*UCD, 4, column, 0), value
    for index, name in enumerate(("Load-1", "Load-5", "Load-15"), 1):
        yield from _load(index, name)
    for index, (path, device, size) in enumerate(DISKS, 1):
        yield from _disk(index, path, device, size)
    yield from _processor_time()


def _load(index: int, name: str) -> Iterator[tuple[Oid, Value]]:
    """Yield a row of laTable: 0.00 to 0.99, as text and times 100."""
    digits = Moving(OCTETS, int.from_bytes(b"0.00", "big"), ((Quantity.LOAD_DIGITS, 1),), 4)
    columns: dict[int, Value] = {1: encode_integer(index), 2: encode_text(name), 3: digits, 5: percent()}
    for column, value in columns.items():
        yield (*UCD, 10, 1, column, index), value


def _disk(index: int, path: str, device: str, size_kb: int) -> Iterator[tuple[Oid, Value]]:
    """Yield a row of dskTable; it is half full."""
    columns: dict[int, Value] = {
        1: encode_integer(index), 2: encode_text(path), 3: encode_text(device), 6: encode_integer(size_kb),
        7: encode_integer(size_kb // 2), 8: encode_integer(size_kb // 2), 9: encode_integer(50),
        100: encode_integer(0), 101: encode_text(""),
    }  # fmt: skip
    for column, value in columns.items():
        yield (*UCD, 9, 1, column, index), value


def _processor_time() -> Iterator[tuple[Oid, Value]]:
    """Yield systemStats: percentages, and raw counters in hundredths of a second."""
    yield (*UCD, 11, 9, 0), percent()
    yield (*UCD, 11, 10, 0), encode_integer(0)
    yield (*UCD, 11, 11, 0), percent(99, -1)
    for column, start in ((50, 1), (51, 2), (52, 3), (53, 4), (54, 5), (59, 6), (60, 7)):
        yield (*UCD, 11, column, 0), counter32(start * 1000, 1)


def _swinging(low: int, swing: int) -> Moving:
    """Make an INTEGER that follows the load: `low` and up to 99 times `swing` more, all of one width."""
    return Moving(INTEGER, low, ((Quantity.LOAD, swing),), _width(low, low + 99 * swing))


def _width(low: int, high: int) -> int:
    """Return the bytes of content of all integers in a range; 0 if they vary."""
    width = low.bit_length() // 8 + 1
    return width if width == high.bit_length() // 8 + 1 else 0
