"""The constants of `streampoll capacity`: what a poll costs by kind, measured on a deployment with its roles apart.

One process polls and another stores, so each role's CPU is its own. A load is watched at a rate that any machine
carries and that keeps the process busy about half of the time, for batches grow with it and what a poll costs falls:
CPU by role from /proc; commands, bytes and memory from Redis; rows, bytes and write-ahead log from PostgreSQL; packets
from the loopback interface. Every device has been polled once before. At the end of the first load polling goes on
without the store, and dispatch without polling, for what waits in Redis to be weighed; and it is run with more shards.

What analysing a poll adds is the difference between runs with it, in a process of its own, and without: two of each, in
turns, since the machine varies. What it adds to polling and dispatch (5 us of a GET) is less than that varies by, and
left out.

    bin/bench capacity                    measure and show
    bin/bench capacity --write            and keep: streampoll/capacity/measured.toml
    bin/bench capacity --load get10 --write     only this one; the others stay as they are
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.rig.counters import (
    counters,
    entry_bytes,
    held_bytes,
    keep_appending,
    ledger_row_bytes,
    planned_bytes,
    shard_bytes,
    since,
)  # fmt: skip
from benchmarks.rig.deployment import Deployment, Shape, Window, configure, fleet_of
from benchmarks.rig.figures import each_us, mb
from benchmarks.rig.processes import Ended, end
from benchmarks.rig.report import Report, Table, emit, machine, parser_of, progress
from benchmarks.rig.roles import Roles
from benchmarks.rig.servers import room, servers
from benchmarks.rig.wire import Wire, listen
from streampoll.capacity.constants import ANALYSIS, MEASURED, ROLES, Constants, Load, Source, Standing, read, write
from streampoll.capacity.workload import difference, mixed
from streampoll.embedded.fleet import FleetSettings

_WEIGHED = "get10"  # the load that is weighed, and run with more shards
_FLEET = FleetSettings(interfaces=(10, 10), latency_ms=(5, 250))
_V3_WORD = "benchmark-passphrase"
_V3 = """\
[credentials.default]
protocol = "snmp"
version = "3"
user = "fleet"
auth_protocol = "sha256"
auth_key = { env = "WORD" }
priv_protocol = "aes128"
priv_key = { env = "WORD" }
"""
_INTERVAL_S = 10
_PLANNED = 100_000  # devices that a coordinator's memory is measured with
_SHARDS = 16, 128
_WIRE_S = 2.0
_INDEX_ENTRY_BYTES = 56  # five columns in a B-tree whose pages are 90 % full


@dataclass(frozen=True, slots=True)
class Kind:
    """One load: what is polled, how fast, and what is said of it."""

    profile: str
    per_s: int
    protocol: str
    about: str
    fleet: FleetSettings = _FLEET

    @property
    def analysed(self) -> bool:
        """Whether it is measured with its analysis, and then without."""
        return self.protocol == ANALYSIS


KINDS = {
    "get10": Kind("get10", 1_200, "snmp", "SNMP v2c: one GET of 10"),
    "walk90": Kind("walk90", 700, "snmp", "SNMP v2c: a GET and a table of 10 rows, 90 varbinds"),
    "walk400": Kind(
        "walk90", 250, "snmp", "SNMP v2c: a GET and a table of 48 rows, 394 varbinds",
        replace(_FLEET, interfaces=(48, 48)),
    ),
    "get10-v3": Kind(
        "get10", 800, "snmp-v3", "SNMPv3 SHA-256, AES-128: one GET of 10", replace(_FLEET, v3_passphrase=_V3_WORD)
    ),
    "walk90-v3": Kind(
        "walk90", 500, "snmp-v3", "SNMPv3 SHA-256, AES-128: 90 varbinds", replace(_FLEET, v3_passphrase=_V3_WORD)
    ),
    "ping": Kind("ping", 800, "ping", "three echoes"),
    "silent": Kind("get10", 1_000, "silent", "SNMP, no answer", replace(_FLEET, silent=1.0)),
    "analysis-get10": Kind("get10", 1_200, ANALYSIS, "rates of 8 counters, no rules"),
    "analysis-walk90": Kind("walk90", 700, ANALYSIS, "rates of 88 counters, no rules"),
    "analysis-walk400": Kind(
        "walk90", 250, ANALYSIS, "rates of 392 counters, no rules", replace(_FLEET, interfaces=(48, 48))
    ),
}  # fmt: skip


class Apart(Deployment):
    """A deployment whose polls and rows are done by different processes."""

    def start_workers(self, processes: int) -> None:
        """Start so many processes that poll, and one that stores."""
        concurrency = ("--concurrency", str(self.shape.concurrency))
        self.workers.append(self._start("worker", "--queues", "polling", "--processes", str(processes), *concurrency))
        self.workers.append(self._start("worker", "--queues", "results", "--processes", "1"))
        if self.shape.analysis:
            self.workers.append(self._start("worker", "--queues", "analysis", "--processes", "1"))

    @property
    def roles(self) -> Roles:
        """The processes by role, polling and storing apart."""
        polling, storing, *analysing = (each.pid for each in self.workers)
        return Roles(
            {
                "coordinator": [each.pid for each in self.coordinators],
                "worker": [polling],
                "store": [storing],
                "analysis": analysing,
                **self.servers.roles,
                "fleet": [each.pid for each in self.fleets],
            }
        )


@contextmanager
def deployed(kind: Kind, per_s: int, shards: int, where: Path, analysis: bool) -> Iterator[Apart]:
    """Run a load as long as the block."""
    shape = Shape(
        devices=per_s * _INTERVAL_S, interval_s=_INTERVAL_S, profile=kind.profile, processes=1, shards=shards,
        fleet=kind.fleet, analysis=analysis,
    )  # fmt: skip
    with servers(where) as running, fleet_of(shape.fleet, shape.devices) as (process, port):
        configuration = where / "conf"
        configuration.mkdir()
        configure(configuration, shape, [shape.devices], [port])
        deployment = Apart(shape, configuration, running, [process], port)
        deployment._environ["WORD"] = _V3_WORD
        if kind.fleet.v3_passphrase:
            (configuration / "credentials.toml").write_text(_V3)
        try:
            deployment.start()
            yield deployment
        finally:
            deployment.stop()


# -- one load


def measured(name: str, kind: Kind, options: argparse.Namespace) -> tuple[Load, Standing | None]:
    """Run a load and return its constants; with the first also those of what stands and waits."""
    if kind.analysed:
        return _added(name, kind, options), None
    load, standing = _run(name, kind, options, _SHARDS[0], weigh=name == _WEIGHED)
    if standing is None:
        return load, None
    many, _ = _run(name, kind, options, _SHARDS[1])
    per_s = (options.rate or kind.per_s) / (_SHARDS[1] - _SHARDS[0])
    extra_us = {role: round(max(0.0, many.cpu_us[role] - used_us) * per_s, 1) for role, used_us in load.cpu_us.items()}
    return load, replace(standing, shard_cpu_us=extra_us)


def _added(name: str, kind: Kind, options: argparse.Namespace) -> Load:
    """Run a load with its analysis and without; return what that adds."""
    turns = [(_run(name, kind, options, _SHARDS[0], analysis=on)[0] for on in (True, False)) for _ in range(2)]
    first, second = (difference(*turn) for turn in turns)
    added = mixed(first, second, 0.5)
    cpu_us = {
        role: round(used_us, 1) for role, used_us in added.cpu_us.items() if role not in ("coordinator", "worker")
    }
    return replace(added, cpu_us=cpu_us, requests=0.0, request_ip_bytes=0.0, reply_ip_bytes=0.0)


def _run(
    name: str, kind: Kind, options: argparse.Namespace, shards: int, *, weigh: bool = False, analysis: bool = False
) -> tuple[Load, Standing | None]:
    with room() as where, deployed(kind, options.rate or kind.per_s, shards, where, analysis) as on:
        keep_appending(on)
        time.sleep(options.warm)
        before = counters(on)
        window = on.measure(options.seconds, warm_s=0.0)
        spent = since(before, counters(on))
        load = _load(name, kind, window, spent, listen(on.port, _WIRE_S) or Wire())
        if kind.analysed:  # else nothing is kept of a device: what is there is the shard's
            load = replace(load, device_bytes=round(shard_bytes(on) * shards / on.shape.devices))
        return load, _standing(on, window, spent["payload"]) if weigh else None


def _load(name: str, kind: Kind, window: Window, spent: Mapping[str, float], wire: Wire) -> Load:
    rows, requests = max(spent["rows"], 1), max(wire.requests, 1) / max(window.requests, 1)
    payload = spent["payload"] + spent["rates_payload"] * spent["rates"] / rows
    cpu_us = each_us(window.cpu_s, max(window.polls, 1))
    return Load(
        name=name, protocol=kind.protocol, about=kind.about, requests=window.requests, varbinds=window.varbinds,
        cpu_us={role: cpu_us[role] for role in ROLES if cpu_us.get(role)},
        redis_round_trips=round(spent["round_trips"] / rows, 3), redis_commands=round(spent["commands"] / rows, 2),
        redis_in_bytes=round(spent["in"] / rows), redis_out_bytes=round(spent["out"] / rows),
        aof_bytes=round(spent["aof"] / rows), payload_bytes=round(payload),
        row_bytes=round(spent["relation"] / rows - payload), wal_bytes=round(spent["wal"] / rows),
        request_ip_bytes=round(wire.request_bytes / requests), reply_ip_bytes=round(wire.reply_bytes / requests),
        source=_source(), rates_rows=round(spent["rates"] / rows, 3),
    )  # fmt: skip


def _standing(on: Apart, window: Window, payload: float) -> Standing:
    """Weigh what waits: first results without a store, then polls that nobody does."""
    polling, storing = on.workers
    ledger_bytes, held, device_bytes = ledger_row_bytes(on), window.memory, planned_bytes(_PLANNED)
    end(storing)
    result = entry_bytes(on, "results")
    end(polling)
    return Standing(
        poll_waiting_bytes=entry_bytes(on, "polling"), result_waiting_bytes=round(result - payload),
        poll_held_bytes=held_bytes(on), shard_bytes=shard_bytes(on), shard_cpu_us={},
        worker_pss_mb=mb(held["worker"].pss_max_bytes),
        worker_descriptors=held["worker"].descriptors // held["worker"].processes,
        coordinator_pss_mb=mb(round(held["coordinator"].pss_bytes - on.shape.devices * device_bytes)),
        coordinator_device_bytes=device_bytes,
        ledger_row_bytes=ledger_bytes, source=_source(),
    )  # fmt: skip


def _source() -> Source:
    on = machine()
    said = f"{on['cores']} cores, {on['cpu']}, Python {on['python']}, load average {on['load']:.0f}"
    return Source("capacity", on["date"], said)


# -- the command


def keep(loads: list[Load], standing: Standing | None) -> None:
    """Put the figures into the file, in the place of those of the same name."""
    if MEASURED.exists():
        write(MEASURED, read(MEASURED).replaced(loads, standing))
    elif standing:
        write(MEASURED, Constants(standing, tuple(loads)))
    else:
        progress(f"{MEASURED.name} is not there, and only get10 measures what waits: nothing is kept")


def report_of(loads: list[Load], standing: Standing | None) -> Report:
    """Put the figures together."""
    columns = ("load", *ROLES, "round trips", "Redis in", "payload", "row beyond", "WAL", "request", "reply")
    rows = [
        (
            each.name, *(each.cpu_us.get(role) for role in ROLES), each.redis_round_trips, each.redis_in_bytes,
            each.payload_bytes, each.row_bytes, each.wal_bytes, each.request_ip_bytes, each.reply_ip_bytes,
        )
        for each in loads
    ]  # fmt: skip
    metrics = {each.name: each.as_dict() for each in loads} | ({"standing": standing.as_dict()} if standing else {})
    return Report("capacity", metrics, [Table("a poll: CPU in microseconds, and bytes", columns, rows)])


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--load", choices=[*KINDS, "all"], default="all", help="what is measured (default all)")
    parser.add_argument("--seconds", type=float, default=15, help="length of a load's window (default 15)")
    parser.add_argument(
        "--warm", type=float, default=12, help="seconds before it (default 12: each device is polled once)"
    )
    parser.add_argument("--rate", type=int, default=0, help="devices a second, instead of the load's own")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {MEASURED.name}")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Measure what is asked for; 1 if a load could not be carried."""
    options = parse(argv)
    loads: list[Load] = []
    standing, failed = None, False
    for name, kind in KINDS.items():
        if options.load not in (name, "all"):
            continue
        try:
            load, weighed = measured(name, kind, options)
        except Ended as why:
            progress(f"{name}: {why}")
            failed = True
            continue
        loads, standing = [*loads, load], weighed or standing
    emit(report_of(loads, standing), options)
    if options.write:
        keep(loads, standing)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
