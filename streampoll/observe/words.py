"""Figures as people read them. An unknown one is "–", whatever it is of."""

UNKNOWN = "–"

_THOUSANDS = (("k", 10**3), ("M", 10**6), ("G", 10**9))


def count(value: int | None) -> str:
    """Write 1204567 as "1,204,567"."""
    return UNKNOWN if value is None else f"{value:,}"


def short(value: int | None) -> str:
    """Write a long count in six places: "98,765", "1.20M", "12.0G"."""
    if value is None or value < 100_000:
        return count(value)
    unit, scale = next(((u, s) for u, s in _THOUSANDS if value < 999.5 * s), _THOUSANDS[-1])
    scaled = value / scale
    return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{unit}"


def rate(per_s: float | None) -> str:
    """Write 3012.4 as "3,012" and 0.25 as "0.25": three figures where there are so many."""
    if per_s is None:
        return UNKNOWN
    digits = 0 if per_s >= 99.95 or per_s == 0 else 1 if per_s >= 9.995 else 2
    return f"{per_s:,.{digits}f}"


def seconds(value: float | None) -> str:
    """Write a measured time: "0ms", "3.2ms", "48ms", "1.25s", "12.3s", "310s"."""
    if value is None:
        return UNKNOWN
    if value < 0.9995:
        return f"{value * 1000:.{1 if 0 < value < 0.00995 else 0}f}ms"
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}s"


def scaled(value: float) -> str:
    """Write a number of any size in three figures: "0", "0.25", "47.1", "1.20k", "470M"."""
    size = abs(value)
    unit, by = next(
        ((u, s) for u, s in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)) if size >= 0.9995 * s), ("", 1.0)
    )
    part = size / by
    digits = 0 if part >= 99.95 or part == 0 else 1 if part >= 9.995 else 2
    return f"{value / by:.{digits}f}{unit}"


def span(value: float | None) -> str:
    """Write a long time by its two greatest units: "42s", "5m03s", "5m", "3h12m", "12d04h"."""
    if value is None:
        return UNKNOWN
    minutes, second = divmod(int(max(value, 0)), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if not minutes:
        return f"{second}s"
    units = [(days, "d"), (hour, "h"), (minute, "m"), (second, "s")]
    first = next(number for number, (amount, _) in enumerate(units) if amount)
    (great, unit), (small, lesser) = units[first], units[first + 1]
    return f"{great}{unit}{small:02}{lesser}" if small else f"{great}{unit}"


def size(value: int | None) -> str:
    """Write bytes in binary units: "58MB", "1.2GB"."""
    if value is None:
        return UNKNOWN
    megabytes = value / (1 << 20)
    return f"{megabytes / 1024:.1f}GB" if megabytes >= 1000 else f"{megabytes:.0f}MB"


def share(part: float, whole: float) -> str:
    """Write a part of a whole in per cent; never 100 % or 0 % unless it is exactly that."""
    if not whole:
        return UNKNOWN
    percent = 100 * part / whole
    rounded = round(percent, 1)
    if rounded in (0.0, 100.0) and rounded != percent:
        return "<0.1 %" if rounded == 0.0 else ">99.9 %"
    return f"{rounded:g} %"


def clip(name: str, width: int) -> str:
    """Cut a name to a width, without what would move the cursor."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    return shown if len(shown) <= width else shown[: width - 1] + "…"
