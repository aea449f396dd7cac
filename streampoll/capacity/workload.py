"""What a poll of some profile costs: as measured, or between the measured loads by its number of values.

CPU and bytes of an SNMP poll are straight lines in its varbinds, to within what a run varies by (docs/capacity.md has
the figures). So a profile that nobody measured is put between its neighbours; it is marked as estimated.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from streampoll.capacity.constants import ANALYSIS, ROLES, Constants, Load
from streampoll.snmp.opening import asks_at_once
from streampoll.snmp.plan import CollectPlan, Kind, TableSpec

_VARBINDS_A_GET = 40  # snmp.max_varbinds
_VARBINDS_A_REPLY = 60  # of a GETBULK below the 1,400 bytes that replies are kept under
_SUMS = (
    "requests", "varbinds", "redis_round_trips", "redis_commands", "redis_in_bytes", "redis_out_bytes", "aof_bytes",
    "payload_bytes", "row_bytes", "wal_bytes", "request_ip_bytes", "reply_ip_bytes", "device_bytes",
    "rates_rows",
)  # fmt: skip


def size_of(plan: CollectPlan, rows: int) -> tuple[int, int]:
    """Return about how many (requests, varbinds) a poll by a profile takes, of tables that have so many rows."""
    scalars = sum(1 for each in plan.scalars if each.oid)
    tables = [_columns(table) * min(rows, table.max_rows) for table in plan.tables]
    varbinds = scalars + sum(tables)
    if asks_at_once(plan):
        tables[0] += scalars
        scalars = 0
    return ceil(scalars / _VARBINDS_A_GET) + sum(1 + each // _VARBINDS_A_REPLY for each in tables), varbinds


def _columns(table: TableSpec) -> int:
    return sum(1 for column in table.columns if column.oid and not column.by)


def estimate(constants: Constants, name: str, protocol: str, size: tuple[int, int]) -> Load:
    """Return the load of an SNMP profile of (requests, varbinds), from those measured of its protocol."""
    requests, varbinds = size
    between = _on_the_line(_measured(constants, protocol), varbinds)
    return replace(
        between, name=name, about=f"about {requests} requests and {varbinds} varbinds",
        requests=float(requests), varbinds=float(varbinds), estimated=True,
    )  # fmt: skip


def has_counters(plan: CollectPlan) -> bool:
    """Tell whether polls by a plan bring counters, of which analysis makes rates."""
    columns = (column for table in plan.tables for column in table.columns)
    return any(each.kind is Kind.COUNTER for each in (*plan.scalars, *columns))


def analysed(load: Load, constants: Constants, rates: bool = True) -> Load:
    """Return a poll with its analysis, by its number of varbinds; the poll as it is where that was not measured.

    Without `rates`, what it brings has no counters: then there is no row of them.
    """
    known = _measured(constants, ANALYSIS)
    if not known:
        return load
    extra = _on_the_line(known, load.varbinds)
    if not rates:
        extra = replace(extra, rates_rows=0.0, payload_bytes=0.0, row_bytes=0.0)
    sums = {name: getattr(load, name) + getattr(extra, name) for name in _SUMS if name not in ("requests", "varbinds")}
    cpu_us = {role: load.cpu_us.get(role, 0.0) + extra.cpu_us.get(role, 0.0) for role in ROLES}
    return replace(load, about=f"{load.about}, analysed", cpu_us=cpu_us, analysed=True, **sums)


def difference(load: Load, less: Load) -> Load:
    """Return what a load takes beyond another one, never less than nothing."""
    sums = {name: round(max(0.0, getattr(load, name) - getattr(less, name)), 3) for name in _SUMS}
    cpu_us = {role: round(max(0.0, load.cpu_us.get(role, 0.0) - less.cpu_us.get(role, 0.0)), 1) for role in ROLES}
    return replace(load, cpu_us=cpu_us, **{**sums, "varbinds": load.varbinds})


def _measured(constants: Constants, protocol: str) -> list[Load]:
    """Return the loads of a protocol, by their varbinds."""
    return sorted((each for each in constants.loads if each.protocol == protocol), key=lambda each: each.varbinds)


def _on_the_line(known: Sequence[Load], varbinds: float) -> Load:
    """Return what so many varbinds take, between loads or beyond the greatest; below the smallest, as much as that."""
    below, above = _neighbours(known, varbinds)
    share = (varbinds - below.varbinds) / (above.varbinds - below.varbinds) if above is not below else 0.0
    return mixed(below, above, share)


def _neighbours(known: Sequence[Load], varbinds: float) -> tuple[Load, Load]:
    """Return the loads on either side; beyond the greatest, the two greatest, whose line goes on."""
    after = next((number for number, each in enumerate(known) if each.varbinds >= varbinds), len(known) - 1)
    return known[max(0, after - 1)], known[after]


def mixed(one: Load, other: Load, share: float) -> Load:
    """Return the average poll where a share of them is `other` and the rest `one`; a share above 1 goes on the line."""
    if share == 0.0:
        return one

    def between(a: float, b: float) -> float:
        return max(0.0, a + (b - a) * share)

    sums: dict[str, Any] = {name: between(getattr(one, name), getattr(other, name)) for name in _SUMS}
    cpu_us = {role: between(one.cpu_us.get(role, 0.0), other.cpu_us.get(role, 0.0)) for role in ROLES}
    return replace(one, cpu_us=cpu_us, **sums)
