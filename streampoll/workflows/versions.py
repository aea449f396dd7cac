"""Versions of a text: what is left out of the comparison, and the difference as people read it. Pure."""

import re
from difflib import unified_diff
from typing import Final

MOST_CHARACTERS: Final = 4 << 20
_DIFF_CHARACTERS: Final = 256 << 10
_VOLATILE: Final = re.compile(
    r"^(?:! Last configuration change at .*|! NVRAM config last updated at .*|ntp clock-period \d+|!Time: .*|"
    r"## Last commit: .*|# \d{4}-\d\d-\d\d \d\d:\d\d:\d\d by RouterOS.*|# \w{3}/\d\d/\d{4} .* by RouterOS.*|"
    r"Current configuration : \d+ bytes|Building configuration\.\.\.)$"
)  # lines that say when it was printed, and change by themselves


def steady(text: str) -> str:
    """Return a text without the lines that change by themselves, spaces at ends of lines and empty lines around it."""
    lines = (line.rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if not _VOLATILE.match(line)).strip("\n") + "\n"


def difference(before: str, after: str, labels: tuple[str, str]) -> str:
    """Return a unified diff, cut where it is longer than anybody reads."""
    lines = unified_diff(before.splitlines(), after.splitlines(), *labels, lineterm="")
    text = "\n".join(lines)
    return text if len(text) <= _DIFF_CHARACTERS else text[:_DIFF_CHARACTERS] + "\n… cut here"
