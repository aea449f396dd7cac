"""collectd's plugin snmp, from the distribution: one GET of ten numbers a host and interval, stored as CSV files.

It takes numbers only, so sysName's place is taken by one more counter. Values are written by its plugin csv, as they
would be by rrdtool. It polls a host a thread at a time.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders.ground import Ground, Runner, begun
from benchmarks.rig.environments import MissingPeer
from benchmarks.rig.processes import running, tail
from benchmarks.rig.roles import Roles

PLUGIN = Path("/usr/lib/collectd/snmp.so")
INTERVAL_S = 2
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
  <Data "get10">
    Type "get10"
    Values {oids}
  </Data>
{hosts}
</Plugin>
"""
_HOST = """\
  <Host "{address}">
    Address "udp:{address}:{port}"
    Version 2
    Community "{community}"
    Collect "get10"
  </Host>"""


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
        runner = Runner(roles, lambda: _stored(ground.where / "csv"), {"collectd": _version(program)})
        with begun(runner, lambda: tail(log)) as ready:
            yield ready


def _configure(ground: Ground) -> None:
    oids = [value.oid if value.numeric else _INSTEAD_OF_TEXT for value in ground.values]
    devices = min(ground.devices, ground.per_s * INTERVAL_S)
    hosts = [
        _HOST.format(address=address, port=ground.port, community=ground.community)
        for address in ground.addresses[:devices]
    ]
    sources = ", ".join(f"v{number}:GAUGE:U:U" for number in range(len(oids)))
    (ground.where / "types.db").write_text(f"get10 {sources}\n")
    configuration = ground.where / "collectd.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        _CONFIGURATION.format(
            where=ground.where, interval_s=INTERVAL_S, hosts="\n".join(hosts),
            oids=" ".join(f'"{oid}"' for oid in oids),
        )
    )  # fmt: skip


def _stored(where: Path) -> int:
    """Return how many lines of values were written; each file begins with a line of names."""
    return sum(file.read_bytes().count(b"\n") - 1 for file in where.rglob("*") if file.is_file())


def _version(program: str) -> str:
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    return next((word.strip(",") for word in said.split() if word[:1].isdigit() and word.count(".") >= 1), "unknown")
