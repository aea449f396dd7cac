"""A real fleet, real servers and processes that die: rates in PostgreSQL are what the fleet's counters did."""

import csv
import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.results.codec import decode_payload
from streampoll.results.rates_codec import decode_rates_payload
from tests.e2e_support import START_S, Deployment, deployed
from tests.waiting import eventually

DEVICES = 6


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    fleet = FleetSettings(devices=DEVICES, interfaces=(2, 4))
    with deployed(open_directory, fresh_redis, fresh_database, every="2s", fleet=fleet) as deployment:
        deployment.inventory([f"sim-{n:04},{device_address(n)},interfaces" for n in range(DEVICES)])
        yield deployment


def stored(system: Deployment, table: str) -> dict[tuple[str, int], bytes]:
    rows = system.query(
        f"SELECT d.name, extract(epoch FROM t.slot)::bigint AS slot, t.payload FROM {table} t"
        " JOIN devices d ON d.id = t.device"
    )
    return {(name, slot): payload for name, slot, payload in rows}


def rates_of(system: Deployment) -> dict[tuple[str, int], bytes]:
    """Rates by device and slot; none before there are tables."""
    return stored(system, "rates") if system.count() else {}


def counted(system: Deployment) -> dict[tuple[str, int], dict[tuple[str, str], tuple[int, int]]]:
    """By device and slot: (interface, counter) -> (value, sysUpTime)."""
    found = {}
    for key, payload in stored(system, "polls").items():
        outcome, _ = decode_payload(payload)
        if (table := outcome.tables.get("interfaces")) is None:
            continue
        uptimes = [run.uptime for run in table.times for _ in range(run.rows)]
        found[key] = {
            (row[1 + table.columns.index("ifName")], name): (row[1 + table.columns.index(name)], uptime)
            for row, uptime in zip(table.rows, uptimes, strict=True)
            for name in ("ifHCInOctets", "ifHCOutUcastPkts")
            if row[1 + table.columns.index(name)] is not None  # a walk that was cut
        }
    return found


def test_rates_are_what_the_counters_did_though_a_worker_is_killed(system: Deployment) -> None:
    system.start("coordinator")
    workers = system.start("worker", "--processes", "2")
    eventually(lambda: len(rates_of(system)) >= 2 * DEVICES, START_S)
    os.kill(workers.children[0], signal.SIGKILL)
    there = len(rates_of(system))
    eventually(lambda: len(rates_of(system)) >= there + 4 * DEVICES, START_S)
    workers.stop()

    polls, compared = counted(system), 0
    for (device, slot), payload in rates_of(system).items():
        table = decode_rates_payload(payload).tables["interfaces"]
        for name in ("ifHCInOctets", "ifHCOutUcastPkts"):
            for row, rate in zip(table.rows, table.per_s[name], strict=True):
                if rate is None:  # the walk of this poll was cut, as happens where the machine is busy
                    continue
                before = max(
                    at for (of, at), values in polls.items() if of == device and at < slot and (row, name) in values
                )
                (old, then), (new, now) = polls[device, before][row, name], polls[device, slot][row, name]
                assert rate == pytest.approx((new - old) * 100 / (now - then), rel=1e-6)
                compared += 1
    assert compared > 50

    said = json.loads(system.run("results", "sim-0001", "--rates", "--format", "json").stdout)
    newest = said["tables"]["interfaces"]
    assert newest["per_s"]["ifHCInOctets"][0] > 0
    plot = json.loads(system.run("plot", "sim-0001", f"interfaces.ifHCInOctets[{newest['rows'][0]}]", "--json").stdout)
    assert plot["points"][-1] == [said["at"], newest["per_s"]["ifHCInOctets"][0]]
    assert plot["source"] == "rates"
    lines = list(
        csv.DictReader(io.StringIO(str(system.run("results", "sim-0001", "--rates", "--format", "csv").stdout)))
    )
    assert {line["counter"] for line in lines} >= {"ifHCInOctets", "ifHCOutUcastPkts"}
    assert "bit/s" in system.run("results", "sim-0001", "--rates").stdout
