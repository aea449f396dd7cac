"""docs/guarantees.md names the tests that show each guarantee: they exist."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PAGE = (TOP / "docs" / "guarantees.md").read_text()


def test_every_file_that_is_named_exists():
    files = set(re.findall(r"`(tests/[a-z_]+\.py)`", PAGE))
    assert len(files) > 5
    assert [name for name in sorted(files) if not (TOP / name).exists()] == []


def test_every_test_that_is_named_exists():
    names = set(re.findall(r"`(test_[a-z0-9_]+|(?:a|results)_[a-z0-9_]{12,})`", PAGE))
    defined = {
        name
        for path in (TOP / "tests").rglob("*.py")
        for name in re.findall(r"^(?:async )?def (\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert len(names) > 12
    assert sorted(names - defined) == []


def test_each_guarantee_is_shown_by_something():
    sections = re.split(r"^## \d+\. ", PAGE, flags=re.MULTILINE)[1:]
    assert len(sections) >= 13
    assert all("Shown by:" in section for section in sections)
