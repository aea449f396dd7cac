"""`[hours.NAME]` of notifications.toml, and time zones."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, Final
from zoneinfo import ZoneInfo

from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest, shorten
from streampoll.notifications.hours import DAYS, Hours

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_RANGES: Final = {"weekdays": DAYS[:5], "weekend": DAYS[5:], "daily": DAYS}


@dataclass(frozen=True, slots=True)
class _HoursTable:
    begin: str = "00:00"
    end: str = "00:00"
    days: tuple[str, ...] = DAYS
    timezone: str = ""


def read_hours(data: Any, place: Place, zone: ZoneInfo) -> dict[str, Hours]:
    """Return the hours by name; `zone` is that of those which name none."""
    read = {name: _hours(name, table, place.at(name), zone) for name, table in place.table(data).items()}
    return {name: hours for name, hours in read.items() if hours is not None}


def _hours(name: str, data: Any, place: Place, zone: ZoneInfo) -> Hours | None:
    table = read_table(_HoursTable, data, place)
    if table is None:
        return None
    own = read_zone(table.timezone, place.at("timezone")) if table.timezone else zone
    begin, end = _clock(table.begin, place.at("begin")), _clock(table.end, place.at("end"))
    days = _days(table.days, place.at("days"))
    return Hours(name, days, begin, end, own)


def _days(words: tuple[str, ...], place: Place) -> frozenset[int]:
    """Return the days by number."""
    known: Mapping[str, tuple[str, ...]] = _RANGES | {day: (day,) for day in DAYS}
    if not words:
        place.fault("never come", 'write days = ["mon", "tue"], or leave days out')
    for word in words:
        if word not in known:
            place.fault(f"no day {shorten(word)}", nearest(word, known))
    return frozenset(DAYS.index(day) for word in words for day in known.get(word, ()))


def _clock(text: str, place: Place) -> time:
    found = _CLOCK.fullmatch(text)
    if not found:
        place.fault(f"{shorten(text)} is not a time of day", 'write one as "07:30"')
        return time()
    return time(int(found[1]), int(found[2]))


def read_zone(name: str, place: Place) -> ZoneInfo:
    """Return a time zone; UTC with a fault if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a directory's name, an absolute path, no such zone
        from zoneinfo import available_timezones  # it reads thousands of files: only for the message

        hint = nearest(name, available_timezones())
        place.fault(f"no time zone {shorten(name)}", hint or 'write one as "Europe/Zurich" or "UTC"')
        return ZoneInfo("UTC")
