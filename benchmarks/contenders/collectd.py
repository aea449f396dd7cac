"""collectd's plugin snmp, from the distribution: one GET of ten numbers a host and interval, stored as CSV files.

It takes numbers only, so sysName's place is taken by one more counter. Values are written by its plugin csv, as they
would be by rrdtool. It polls a host a thread at a time. Tables are its `Table true` with GETBULK, a table of the MIB
each: a file a row. Both as one table were an eighth cheaper, but with another BulkSize not a row of them was stored.
"""

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders.ground import Ground, Runner, begun
from benchmarks.rig.environments import MissingPeer
from benchmarks.rig.processes import running, tail
from benchmarks.rig.roles import Roles

PLUGIN = Path("/usr/lib/collectd/snmp.so")
INTERVAL_S = 2
SCALARS = "get10"  # the name of single values, as a type and thus in files
_INSTEAD_OF_TEXT = "1.3.6.1.2.1.31.1.1.1.8.1"  # ifHCInMulticastPkts
_CONFIGURATION = """\
BaseDir "{where}"
PIDFile "{where}/pid"
TypesDB "/usr/share/collectd/types.db" "{where}/types.db"
Interval {interval_s}
ReadThreads 10
WriteThreads 2
LoadPlugin logfile
LoadPlugin csv
LoadPlugin snmp
<Plugin logfile>
  LogLevel "warning"
  File STDERR
</Plugin>
<Plugin csv>
  DataDir "{where}/csv"
</Plugin>
<Plugin snmp>
{data}
{hosts}
</Plugin>
"""
_HOST = """\
  <Host "{address}">
    Address "udp:{address}:{port}"
    Version 2
    Community "{community}"
    BulkSize {repetitions}
    Collect {names}
  </Host>"""
_DATA = """\
  <Data "{name}">
    Type "{name}"
    Table {is_table}
    Values {oids}
  </Data>"""
_DAY = len("-2026-01-01")  # the end of a file's name


@contextmanager
def collectd(ground: Ground) -> Iterator[Runner]:
    """Run collectd in the foreground."""
    program = shutil.which("collectd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None or not PLUGIN.exists():
        raise MissingPeer("not installed: apt-get install --no-install-recommends collectd-core")
    _configure(ground)
    log = ground.where / "collectd.log"
    with running([program, "-f", "-C", str(ground.where / "collectd.conf")], log) as process:
        roles = Roles({"collectd": [process.pid]})
        csv = ground.where / "csv"
        runner = Runner(roles, lambda: _stored(csv), lambda: values_of(csv), {"collectd": _version(program)}, [process])
        with begun(runner, lambda: tail(log)) as ready:
            yield ready


def _configure(ground: Ground) -> None:
    asked = ground.asked
    data = {SCALARS: [value.oid if value.numeric else _INSTEAD_OF_TEXT for value in asked.scalars]}
    data |= {f"table{number}": columns for number, columns in enumerate(asked.tables)}
    devices = min(ground.devices, ground.per_s * INTERVAL_S)
    hosts = [
        _HOST.format(
            address=address, port=ground.port, community=ground.community, repetitions=asked.repetitions,
            names=_quoted(data),
        )
        for address in ground.addresses[:devices]
    ]  # fmt: skip
    types = [
        f"{name} {', '.join(f'v{number}:GAUGE:U:U' for number in range(len(oids)))}\n" for name, oids in data.items()
    ]
    blocks = [
        _DATA.format(name=name, is_table=str(name != SCALARS).lower(), oids=_quoted(oids))
        for name, oids in data.items()
    ]
    (ground.where / "types.db").write_text("".join(types))
    configuration = ground.where / "collectd.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        _CONFIGURATION.format(where=ground.where, interval_s=INTERVAL_S, hosts="\n".join(hosts), data="\n".join(blocks))
    )


def _quoted(words: Iterable[str]) -> str:
    return " ".join(f'"{word}"' for word in words)


def _stored(where: Path) -> int:
    """Return how many polls were written: a line of single values each; a file begins with a line of names."""
    return sum(file.read_bytes().count(b"\n") - 1 for file in where.rglob(f"{SCALARS}-*") if file.is_file())


def values_of(where: Path) -> list[int]:
    """Return how many values each poll of each host gave, but for the last, whose rows may be being written.

    The nth lines of a host's files are those of its nth poll: its single values', and its tables' rows'.
    """
    return [count for host in where.iterdir() for count in _values(host)]


def _values(host: Path) -> list[int]:
    lines: dict[str, list[int]] = defaultdict(list)
    for file in sorted(file for file in host.rglob("*") if file.is_file()):
        written = file.read_text().splitlines()[1:]
        lines[file.name[:-_DAY]] += [sum(cell != "nan" for cell in line.split(",")[1:]) for line in written]
    polls = len(lines[SCALARS]) - 1
    return [sum(counts[number] for counts in lines.values() if number < len(counts)) for number in range(polls)]


def _version(program: str) -> str:
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    return next((word.strip(",") for word in said.split() if word[:1].isdigit() and word.count(".") >= 1), "unknown")
