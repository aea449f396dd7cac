"""What the fake API of the dashboard answers: two thousand devices, some of which fail, some of them hostile."""

import math
import time
from dataclasses import replace
from typing import Any

from streampoll.observe.figures import JobRow, Leader, PauseRow, QueueRow, Stats, WorkerRow

HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'
SITES = ("frankfurt", "amsterdam", "london", "paris", "zurich", "wien", "milano", "praha")
ROLES = ("access", "core", "edge", "firewall")
SHARDS = 16
_CLASSES = ("polling", "results", "workflows", "analysis", "notifications")

Devices = list[dict[str, Any]]


def made_stats(number: int = 0) -> Stats:
    """Figures that differ from one to the next."""
    at = time.time()
    workers = [f"edge-{host}-{4710 + n}-a1b{n}" for host in (1, 2) for n in range(3)]
    queues = [
        QueueRow(
            queue,
            shard,
            *((shard * 7 + number) % 23 if queue == "polling" else 0, 4 + (shard + number) % 5),
            0.4 if queue == "polling" else None,
            0,
            0,
            int(shard == 3 and queue == "polling") * 2,
            30.0 + 3 * math.sin(shard + number) if queue in ("polling", "results") else 0.0,
            workers[shard % 6],
        )
        for queue in _CLASSES
        for shard in range(SHARDS)
    ]
    crew = [
        WorkerRow(
            worker,
            f"edge-{n // 3 + 1}",
            4710 + n % 3,
            "general",
            "running",
            _CLASSES,
            60 + (n * 13 + number) % 40,
            91_204 + number,
            80.0 + n,
            (58 + n) << 20,
            0.003,
            11_520.0 + number,
            0.4,
        )
        for n, worker in enumerate(workers)
    ]
    jobs = [
        JobRow("interfaces", 2000, 60.0, 90, 0, 0.31, 1.2 + 0.2 * math.sin(number / 9), 4.1, 9.9),
        JobRow("system", 2000, 300.0, 12, 0, 0.28, 0.9, 3.1, 5.9),
    ]
    pauses = [PauseRow("queue", "workflows", 90.0 + number, "kim", "change 4711")]
    leader = Leader("edge-1-4700-c0ffee", 1_763_900_000_123, 11_520.0 + number)
    return Stats(at, queues, crew, leader, jobs, pauses=pauses)


def made_devices(count: int = 2000) -> list[dict[str, Any]]:
    """Devices, one in thirty failing, two of whose names want to be more than names."""
    names = [f"{ROLES[n % 4]}-{SITES[n % 8][:3]}-{n:04}" for n in range(count)]
    names[0:1] = [f"aaa-{HOSTILE}"]
    return [_device(name, n) for n, name in enumerate(sorted(names))]


def _device(name: str, n: int) -> dict[str, Any]:
    status = "timeout" if n % 30 == 7 else "partial" if n % 71 == 3 else "ok"
    last = {
        "job": "interfaces",
        "slot": int(time.time()) - n % 60,
        "status": status,
        "duration_ms": 2000 if status == "timeout" else 20 + n * 37 % 400,
        "stored_after_ms": 300,
    }
    return {
        "name": name,
        "address": f"10.{n // 65536}.{n // 256 % 256}.{n % 256}",
        "port": 0,
        "profile": "interfaces",
        "groups": [],
        "site": SITES[n % 8],
        "role": ROLES[n % 4],
        "vendor": "arista",
        "tags": [],
        "parent": "",
        "interval_s": 0,
        "enabled": True,
        "shard": n % SHARDS,
        "jobs": ["interfaces"],
        "last": [] if n % 400 == 399 else [last],
    }


def _sites(devices: Devices, _: Any) -> Any:
    found = []
    for site in SITES:
        own = [each for each in devices if each["site"] == site]
        ended = [each["last"][0]["status"] if each["last"] else None for each in own]
        counts = {
            "ok": ended.count("ok"),
            "partial": ended.count("partial"),
            "failed": ended.count("timeout"),
            "unknown": ended.count(None),
        }
        found.append({"site": site, "devices": len(own), **counts})
    return {"sites": found}


def _top(devices: Devices, query: Any) -> Any:
    failing = query["by"] == "failing"
    found = [each for each in devices if each["last"] and (each["last"][0]["status"] != "ok") == failing]
    return {"devices": [_ranked(each, failing) for each in found[:10]]}


def _ranked(device: dict[str, Any], failing: bool) -> Any:
    last = device["last"][0]
    return {
        "device": device["name"],
        "site": device["site"],
        "status": last["status"],
        "error": HOSTILE if failing else "",
        "polls": 10,
        "failed": 7 if failing else 0,
        "duration_p50_ms": last["duration_ms"],
        "duration_max_ms": last["duration_ms"] + 80,
    }


def _past(_: Devices, __: Any) -> Any:
    now = int(time.time())
    return {
        "step_s": 20,
        "one_of": 1,
        "steps": [
            {
                "at": now - back,
                "polls_per_s": 480 + 20 * math.sin(back / 300),
                "failed_per_s": 3.0,
                "late_p50_ms": 300,
                "late_p99_ms": round(1200 + 400 * math.sin(back / 170)),
                "cycle_p50_ms": 4000,
                "cycle_p99_ms": round(9000 + 1000 * math.sin(back / 400)),
            }
            for back in range(3600, 20, -20)
        ],
    }


def _events(devices: Devices, _: Any) -> Any:
    now = int(time.time())
    kinds = [
        ("device-down", "critical", "no answer to 3 polls in a row"),
        ("interface-utilisation", "warning", "in 94 % of 10 Gbit/s for 5m"),
        ("cpu-high", "error", HOSTILE),
        ("reboot", "info", "up since 42s"),
    ]
    plain = {"labels": {}, "updated": now, "closed": None, "value": None, "suppressed": "", "acknowledged_note": ""}
    return [
        {"id": str(n), "rule": rule, "device": devices[n * 5]["name"], "row": "Ethernet1" if n == 1 else "",
         "severity": severity, "opened": now - 400 * n, "text": text, "acknowledged_at": now - 60 if n == 3 else None,
         "acknowledged_by": "kim" if n == 3 else "", **plain}
        for n, (rule, severity, text) in enumerate(kinds)
    ]  # fmt: skip


def _jobs(_: Devices, __: Any) -> Any:
    figures = {"unfinished": 90, "skipped": 0, "lateness_p50_s": 0.31, "lateness_p99_s": 1.4, "cycle_p99_s": 9.9}
    job = {"profile": "", "enabled": True, "paused": None, "devices": 2000, **figures}
    pause = {"since": int(time.time()) - 90, "by": "kim", "reason": "change 4711"}
    return [
        {"job": "interfaces", "schedule": "every 60 s", **job},
        {"job": "system", "schedule": "every 300 s", **job, "paused": pause},
    ]


def _dead(devices: Devices, _: Any) -> Any:
    letter = {"queue": "polling", "shard": 3, "buried": time.time() - 900, "cause": "no handler knows kind 'x'"}
    return [
        {"name": f"polling/03/17000000{n}-0", "job": "interfaces", "device": devices[n]["name"], **letter}
        for n in range(2)
    ]


def _windows(devices: Devices, _: Any) -> Any:
    now = int(time.time())
    said = {"by": "kim", "reason": "change 4711"}
    return [
        {"id": 1, "since": now - 600, "until": now + 3000, "select": {"site": ["zurich"], "role": ["edge"]}, **said},
        {"id": 2, "since": now + 600, "until": now + 9000, "select": {"devices": [devices[0]["name"]]}, **said},
    ]


def _report(device: dict[str, Any]) -> Any:
    job = {
        "job": "interfaces",
        "profile": "interfaces",
        "schedule": "every 60 s",
        "phase_s": 7,
        "next_slot": int(time.time()) + 31,
        "last": None,
    }
    learned = {
        "protocol": "snmp",
        "credential": "lab",
        "numbers": {"varbinds": 12},
        "silent_since": None,
        "silent_polls": None,
    }
    return {
        "device": device,
        "shard": device["shard"],
        "credentials": [],
        "jobs": [job],
        "learned": [learned],
        "troubles": [],
    }


def _polls(device: dict[str, Any]) -> Any:
    now = int(time.time())
    return [
        {
            "device": device["name"],
            "job": "interfaces",
            "slot": _iso(now - 60 * n),
            "status": "timeout" if n % 19 == 4 else "ok",
            "duration_ms": 2000 if n % 19 == 4 else 90 + n * 53 % 130,
            "stored_after_ms": 310,
            "requests": 4,
            "retries": 1,
            "error": HOSTILE if n % 19 == 4 else "",
        }
        for n in range(90)
    ]


def _last(device: dict[str, Any]) -> Any:
    ports = {
        f"Ethernet{n}": {
            "index": n,
            "ifAlias": HOSTILE if n == 2 else f"to rack {n}",
            "ifOperStatus": 1 + (n == 4),
            "ifHighSpeed": 10_000,
            "shown": {"ifOperStatus": "down" if n == 4 else "up", "ifHighSpeed": "10 Gbit/s"},
        }
        for n in range(1, 9)
    }
    return {
        "device": device["name"],
        "job": "interfaces",
        "slot": _iso(time.time()),
        "status": "ok",
        "values": {"sysName": HOSTILE, "sysUpTime": 129468526, "sysLocation": None},
        "shown": {"sysUpTime": "14d 23:38:05"},
        "missing": {"sysLocation": "noSuchObject"},
        "tables": {"ifTable": ports},
        "incomplete": [],
    }


def _series(_: dict[str, Any]) -> Any:
    return [
        {"job": "interfaces", "table": "ifTable", "row": f"Ethernet{n}", "column": f"ifHC{way}Octets", "unit": "octets",
         "source": "both",
         "points": [_octets(n, way, back) for back in range(90, 0, -1)]}
        for n in range(1, 9)
        for way in ("In", "Out")
    ]  # fmt: skip


def _octets(n: int, way: str, back: int) -> list[float | None]:
    """One point, with a gap where the device booted."""
    rate = 1e8 * (1.2 + math.sin((back + 11 * n) / 9)) / (1 + (way == "Out"))
    return [int(time.time()) - 60 * back, None if back == 40 else rate]


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def silent_worker(number: int) -> Stats:
    """Figures of a fleet that is not well."""
    stats = made_stats(number)
    first, *others = stats.workers
    return replace(
        stats,
        leader=None,
        workers=[replace(first, state="silent", seen_s=42.0), *others],
        alarms=["results pile up in shard 03"],
    )


OF_FLEET = {"sites": _sites, "top": _top, "past": _past, "events": _events, "jobs": _jobs, "dead-letters": _dead,
            "maintenance": _windows}  # fmt: skip
OF_DEVICE = {"": _report, "polls": _polls, "last": _last, "series": _series}
