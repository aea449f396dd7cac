"""The demo's live view and its summary."""

from typing import Any

import pytest

from streampoll.observe.live import Frame, LiveView, WorkerLine, outcome_bar, sparkline
from streampoll.observe.summary import summary, verdict
from tests.observe_support import text

AUDIT: dict[str, Any] = {
    "devices": 1414, "expected": 8484, "ok": 7540, "partial": 3, "failed": 933,
    "failed_by_status": {"timeout": 932, "decode": 1}, "expired": 8, "skipped": 0, "lost": 0, "missing": 0,
    "duplicates": 0, "executed_twice": 0, "devices_per_s": 141.3, "requests_per_s": 1204.5, "varbinds_per_s": 32000.2,
    "lateness_p50_s": 0.11, "lateness_p99_s": 0.42, "cycle_p50_s": None, "cycle_p99_s": None,
    "worker_rss_mb_max": 61.2,
    "cpu_s": {"coordinator": 0.9, "worker": 121.1, "redis": 3.2, "postgres": 14.4, "fleet": 29.2},
}  # fmt: skip


def full_frame() -> Frame:
    workers = [WorkerLine(f"worker {n}", "running", 28, 3012.2, 58 << 20, 0.0032) for n in range(32)]
    outcomes = {"ok": 1_204_567, "timeout": 39_000, "partial": 12, "auth": 1}
    return Frame("polling", 29.0, 60.0, 1414, 10, 3012.0, 1204.2, 57, 0, 0.112, 4.31, 900, 1414, outcomes, workers)


def test_a_full_frame_fits_an_80_by_24_terminal() -> None:
    view = LiveView()
    for _ in range(100):
        view.update(full_frame())

    lines = text(view).splitlines()

    assert max(map(len, lines)) <= 80
    assert len(lines) < 24
    assert not any("…" in line for line in lines)


def test_a_frame_without_figures_shows_none() -> None:
    view = LiveView()
    view.update(Frame("starting PostgreSQL", 1.5))

    shown = text(view)

    assert "starting PostgreSQL" in shown
    assert "– devices/s" in shown
    assert "0ms" not in shown


def test_a_run_with_an_end_shows_how_far_it_is() -> None:
    view = LiveView()
    view.update(full_frame())
    assert "29s of 1m" in text(view)
    assert "900 of 1,414" in text(view)


def test_a_sparkline_rises_to_its_highest() -> None:
    assert sparkline([0, 50, 100]).plain == "▁▅█"
    assert sparkline([0.0, 0.0]).plain == sparkline([]).plain == ""


def test_an_outcome_that_occurred_once_is_seen_in_the_bar_and_told_apart_without_colour() -> None:
    bar = outcome_bar({"ok": 1_000_000, "timeout": 1, "auth": 1, "partial": 0}, width=20).plain
    assert bar == "█" * 18 + "▒▚"
    assert outcome_bar({}).plain == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "all 8,484 polls are accounted for"),
        ({"missing": 3, "expected": 8487}, "NOT accounted for: 3 missing"),
        ({"duplicates": 1}, "NOT accounted for: 1 twice"),
        ({"ok": 7539}, "the audit does not add up"),
        ({"missing": None}, "the audit could not be completed"),
        ({"expected": 0, "ok": 0, "partial": 0, "failed": 0, "expired": 0}, "no poll was due"),
    ],
)
def test_the_verdict_claims_no_more_than_the_audit(changed: dict[str, Any], said: str) -> None:
    assert verdict(AUDIT | changed).plain == said


@pytest.mark.parametrize("audit", [AUDIT, AUDIT | {"executed_twice": 1, "missing": 2, "lost": 4}, {}])
def test_a_summary_fits_an_80_by_24_terminal(audit: dict[str, Any]) -> None:
    lines = text(summary(audit)).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert len(lines) < 24
    assert "…" not in "".join(lines)


def test_every_term_of_the_equation_is_shown() -> None:
    header, figures = text(summary(AUDIT)).splitlines()[2:4]
    assert header.replace("=", "").replace("+", "").split() == [
        "expected", "ok", "partial", "failed", "expired", "skipped", "lost", "missing",
    ]  # fmt: skip
    assert figures.split() == ["8,484", "7,540", "3", "933", "8", "0", "0", "0"]
