"""Figures as people read them."""

import pytest

from streampoll.observe import words


@pytest.mark.parametrize("write", [words.count, words.short, words.rate, words.seconds, words.span, words.size])
def test_the_unknown_is_never_a_zero(write) -> None:  # type: ignore[no-untyped-def]
    assert write(None) == "–"
    assert write(0).startswith("0")


@pytest.mark.parametrize(
    ("value", "said"),
    [(99_999, "99,999"), (100_000, "100k"), (999_499, "999k"), (999_500, "1.00M"), (12_049_000, "12.0M")],
)  # fmt: skip
def test_long_counts_are_shortened_to_six_places(value: int, said: str) -> None:
    assert words.short(value) == said


@pytest.mark.parametrize(
    ("per_s", "said"), [(0.254, "0.25"), (9.996, "10.0"), (99.96, "100"), (3012.4, "3,012"), (0.0, "0")]
)
def test_rates_have_three_figures(per_s: float, said: str) -> None:
    assert words.rate(per_s) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.00321, "3.2ms"), (0.048, "48ms"), (0.9994, "999ms"), (0.9996, "1.00s"), (12.34, "12.3s"), (310.2, "310s")],
)
def test_measured_times(value: float, said: str) -> None:
    assert words.seconds(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(42.9, "42s"), (300, "5m"), (303, "5m03s"), (11_520, "3h12m"), (86_400, "1d"), (90_061, "1d01h"), (-1, "0s")],
)
def test_long_times(value: float, said: str) -> None:
    assert words.span(value) == said


def test_sizes() -> None:
    assert [words.size(58 << 20), words.size(1300 << 20)] == ["58MB", "1.3GB"]


@pytest.mark.parametrize(("part", "said"), [(0, "0 %"), (1, "<0.1 %"), (9_999, ">99.9 %"), (10_000, "100 %")])
def test_a_share_is_whole_only_when_it_is(part: int, said: str) -> None:
    assert words.share(part, 10_000) == said


def test_a_name_can_not_move_the_cursor() -> None:
    assert words.clip("a\x1b[2Jb\n", 20) == "a?[2Jb?"
    assert words.clip("poller-17", 8) == "poller-…"
