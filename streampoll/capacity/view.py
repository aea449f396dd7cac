"""Needs as tables for people and as data for programs (units in the names)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streampoll.capacity.advice import remarks, settings_of
from streampoll.capacity.model import Needs
from streampoll.capacity.scenario import Observed, Scenario
from streampoll.observe import words

_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def as_json(needs: Needs, simulated: Observed | None = None) -> dict[str, Any]:
    """Return everything as data for JSON."""
    question = needs.question
    data: dict[str, Any] = {
        "devices": question.devices, "interval_s": question.interval_s, "polls_per_s": question.polls_per_s,
        "silent": question.silent, "latency_s": question.latency_s, "utilisation": question.utilisation,
        "load": {**asdict(question.load), "cpu_us": dict(question.load.cpu_us)},
        "cores": needs.cores, "roles": {role.name: _without(asdict(role), "name") for role in needs.roles},
        "regions": needs.regions, "shards": needs.shards, "concurrency": needs.concurrency,
        "in_flight": needs.in_flight, "descriptors": needs.descriptors, "rmem_bytes": needs.rmem_bytes,
        "redis": asdict(needs.redis), "network": asdict(needs.network),
        "postgres": {**asdict(needs.postgres), "retention_days": question.retention_days},
        "settings": settings_of(needs), "remarks": list(remarks(needs)),
    }  # fmt: skip
    return data | ({"simulated": _observed(simulated)} if simulated else {})


def _without(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}


def _observed(seen: Observed) -> dict[str, Any]:
    return {
        "polls": seen.due, "stored": seen.stored, "expired": seen.expired, "lateness_p50_s": seen.late_s(0.5),
        "lateness_p99_s": seen.late_s(0.99), "in_flight_max": seen.in_flight,
    }  # fmt: skip


def shown(needs: Needs) -> RenderableType:
    """Return tables: what it is, roles, servers and network, what to set; then remarks."""
    question, load = needs.question, needs.question.load
    head = Text(
        f"{question.devices:,} devices every {words.span(question.interval_s)}: "
        f"{words.rate(question.polls_per_s)} polls/s of {load.name} ({load.about})\n"
        f"measured: {load.source.benchmark}, {load.source.date}, {load.source.machine}"
    )
    remarked = [Text(f"! {remark}") for remark in remarks(needs)]
    return Group(head, _roles(needs), _pairs("what", _servers(needs)), _pairs("to set", _set(needs)), *remarked)


def _roles(needs: Needs) -> Table:
    table = _table("role", "cores busy", "processes", "busiest", "memory")
    for role in needs.roles:
        memory = needs.redis.memory_bytes if role.name == "redis" else role.memory_bytes
        table.add_row(
            role.name, f"{role.cores:.2f}", f"{role.processes:,}", f"{role.busiest:.0%}",
            _bytes(memory) if memory else words.UNKNOWN,
        )  # fmt: skip
    table.add_row("together", f"{needs.cores:.2f}", "", "", "")
    return table


def _servers(needs: Needs) -> Iterable[tuple[str, str]]:
    redis, postgres, network = needs.redis, needs.postgres, needs.network
    yield "in flight", f"{needs.in_flight:,.0f} polls; {needs.descriptors:,} descriptors a process"
    packets = f"{words.rate(network.packets_per_s)} packets/s out"
    yield "to the devices", f"{_bits(network.out_bits_per_s)} out, {_bits(network.in_bits_per_s)} in, {packets}"
    trips = f"{words.rate(redis.round_trips_per_s)} round trips/s, {words.rate(redis.commands_per_s)} commands/s"
    yield "Redis", f"{redis.nodes} masters: {trips}" if redis.nodes > 1 else trips
    yield "", f"{_bits(redis.bits_per_s)}; append-only file {_bytes(redis.aof_bytes_per_s)}/s before it is rewritten"
    yield "", f"{_bytes(redis.outage_bytes)} more after {words.span(redis.outage_s)} without PostgreSQL"
    yield "PostgreSQL", f"{_count(postgres.rows_per_day)} rows and {_bytes(postgres.bytes_per_day)} a day"
    yield "", f"{_count(postgres.ledger_rows_per_day)} of the ledger; {_bytes(postgres.wal_bytes_per_s)}/s of WAL"
    yield (
        "",
        f"{_bytes(postgres.bytes_kept)} for {needs.question.retention_days} days; {postgres.connections} connections",
    )


def _set(needs: Needs) -> Iterable[tuple[str, str]]:
    for name, value in settings_of(needs).items():
        yield name, f"{value:,}" if isinstance(value, int) and not name.startswith("maxmemory") else _memory(value)


def _memory(value: int | str) -> str:
    return f"{max(64, round(int(value) / (1 << 20)))}mb"


def simulated_line(scenario: Scenario, seen: Observed) -> Text:
    """Return what a simulation showed, in a line."""
    late = f"{words.seconds(seen.late_s(0.5))} (median), {words.seconds(seen.late_s(0.99))} (p99)"
    of = f"{seen.due:,} polls on {scenario.processes} worker processes"
    return Text(f"simulated: {of}: late by {late}; {seen.expired:,} expired")


def _pairs(title: str, pairs: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=True)
    table.add_column(title, no_wrap=True)
    table.add_column("", overflow="fold")
    for name, value in pairs:
        table.add_row(name, value)
    return table


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number else "left")
    return table


def _scaled(value: float, unit: str) -> str:
    step, letter = next(((size, letter) for size, letter in _STEPS if value >= size), (1.0, ""))
    scaled = value / step
    return f"{scaled:.{0 if scaled >= 100 or step == 1.0 else 1}f} {letter}{unit}"


def _bits(per_s: float) -> str:
    return _scaled(per_s, "bit/s")


def _bytes(value: float) -> str:
    return _scaled(value, "B")


def _count(value: float) -> str:
    return _scaled(value, "").rstrip()
