"""Conditions on values: which parts of a profile are for a device (`when`), which rows are kept (`where`)."""

import re
from collections.abc import Callable, Sequence

from streampoll.model import Value
from streampoll.snmp.display import raw_text
from streampoll.snmp.plan import Condition, Metric

Test = Callable[[Value], bool]


def test_of(condition: Condition, metric: Metric) -> Test:
    """Compile a condition on a metric's value."""
    tests = _tests(condition, metric)
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def _tests(condition: Condition, metric: Metric) -> list[Test]:
    """Return one test for each word of the condition. A missing value fulfils only what denies."""
    text = raw_text(metric)
    tests: list[Test] = []
    if condition.exists is not None:
        tests.append(lambda value: (value is not None) is condition.exists)
    if condition.equals:
        equal = _among(condition.equals, text)
        tests.append(lambda value: value is not None and equal(value))
    if condition.differs:
        found = _among(condition.differs, text)
        tests.append(lambda value: value is None or not found(value))
    if condition.match:
        search = re.compile(condition.match).search
        tests.append(lambda value: value is not None and search(text(value)) is not None)
    if condition.mismatch:
        unwanted = re.compile(condition.mismatch).search
        tests.append(lambda value: value is None or unwanted(text(value)) is None)
    if condition.under:
        prefixes = tuple(f"{oid}." for oid in condition.under)
        tests.append(lambda value: isinstance(value, str) and f"{value}.".startswith(prefixes))
    return tests


def _among(wanted: Sequence[int | float | str], text: Callable[[Value], str]) -> Test:
    """Return the test for being one of these: numbers as they are, texts as what is shown."""
    numbers = {each for each in wanted if not isinstance(each, str)}
    texts = {each for each in wanted if isinstance(each, str)}
    return lambda value: value in numbers or (bool(texts) and text(value) in texts)
