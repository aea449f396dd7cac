"""One metric as columns: its own, or one for each of its regex_extracts."""

from collections.abc import Iterator

from streampoll.config.exporter import regex
from streampoll.config.exporter.draft import Column, Words
from streampoll.config.exporter.types import NUMERIC, VALUES
from streampoll.config.exporter.words import Extract, Metric

_ENUMERATED = ("integer", "bits")
_TICKS = ("1.3.6.1.2.1.1.3",)  # sysUpTime, a gauge to snmp_exporter; here a fall of it is a reboot


def columns_of(metric: Metric, oid: str) -> list[Column]:
    """Return the columns (scalars) of a metric; what they can't say is a notice at its place."""
    words = {"oid": oid, **_type(metric)}
    if metric.extracts:
        return list(_extracted(metric, words))
    if metric.enum and words["type"] in _ENUMERATED:
        words["enum"] = {str(number): name for number, name in metric.enum}
    if metric.hint and words["type"] == "bytes":
        words["display"] = metric.hint
    words.update(_scaled(metric, words["type"]))
    return [Column(metric.name, words, metric.help)]


def _type(metric: Metric) -> Words:
    if metric.type == "ParseDateAndTime" or metric.datetime_pattern:
        metric.place.at("datetime_pattern").notice(
            f"{metric.name}: dates are not read by the pattern '{metric.datetime_pattern}'", "it is kept as text"
        )
    if metric.type not in VALUES:
        metric.place.at("type").notice(
            f"{metric.name}: the type '{metric.type}' is not known", "its values are kept as the device sends them"
        )
        return {"type": "auto"}
    return {"type": "ticks"} if metric.oid in _TICKS and metric.type == "gauge" else dict(VALUES[metric.type])


def _scaled(metric: Metric, kind: str) -> Words:
    """Return scale and offset as transforms; a counter stays exact, and a text has none."""
    if metric.scale == 1 and metric.offset == 0:
        return {}
    if kind not in NUMERIC - {"counter"}:
        why = "a counter stays exact: scale its rate" if kind == "counter" else f"it is of type {kind}"
        metric.place.at("scale").notice(f"{metric.name}: scale and offset are left out", why)
        return {}
    words: Words = {}
    inverse = round(1 / metric.scale)
    if metric.scale != 1 and inverse not in (0, 1) and abs(inverse * metric.scale - 1) < 1e-12:
        words["divide"] = inverse  # rounded once: 0.1 is no binary fraction
    elif metric.scale != 1:
        words["scale"] = _short(metric.scale)
    if metric.offset:
        words["offset"] = _short(metric.offset)
    return words


def _short(number: float) -> int | float:
    return int(number) if float(number).is_integer() else number


def _extracted(metric: Metric, words: Words) -> Iterator[Column]:
    """Yield a column for each suffix; the first asks, the others are made from what it got."""
    first = ""
    for extract in metric.extracts:
        rules = list(_rules(metric, extract))
        if not rules:
            continue
        name = metric.name + extract.suffix
        source = {"from": first} if first else {"oid": words["oid"], "type": words["type"]}
        yield Column(name, {**source, "extract": _extract_words(rules), "as": "number"}, metric.help)
        first = first or name


def _rules(metric: Metric, extract: Extract) -> Iterator[tuple[str, str]]:
    for index, (pattern, value) in enumerate(extract.rules):
        try:
            made = regex.whole(pattern)
            yield made, regex.template(value, made)
        except regex.NoLike as error:
            place = metric.place.at("regex_extracts", extract.suffix, index)
            place.notice(f"{metric.name}{extract.suffix}: {error}", "this rule is left out; write it in the profile")


def _extract_words(rules: list[tuple[str, str]]) -> str | list[Words]:
    if len(rules) == 1 and rules[0][1] == "$1":
        return rules[0][0]
    return [{"match": pattern, "value": value} for pattern, value in rules]
