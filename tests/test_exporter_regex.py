"""Go's regular expressions in Python's words."""

import pytest

from streampoll.config.exporter.regex import NoLike, anywhere, template, whole


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("(.*)", "^(.*)$"),
        ("a|b", "^(?:a|b)$"),
        ("(?i)ok", "^(?i:ok)$"),
        ("(?is)ok|fine", "^(?:(?is:ok|fine))$"),
        ("[[:digit:]]+", "^[0-9]+$"),
        (r"x\z", r"^x\Z$"),
        (r"(?P<n>\d+)", r"^(?P<n>\d+)$"),
    ],
)
def test_an_extract_matches_the_whole_text(pattern: str, made: str) -> None:
    assert whole(pattern) == made


@pytest.mark.parametrize("pattern", [r"\pL", r"\p{Greek}", "(?U)a+", "[[:graph:]]", "(", r"\C"])
def test_what_python_can_not_say_is_told(pattern: str) -> None:
    with pytest.raises(NoLike):
        whole(pattern)


def test_a_filter_is_found_anywhere() -> None:
    assert anywhere(("^Gi",)) == "^Gi"
    assert anywhere(("1", "2")) == "1|2"
    assert anywhere(("a|b", "(?i)c")) == "(?:a|b)|(?i:c)"


@pytest.mark.parametrize(
    ("value", "made"), [("$1", "$1"), ("${1}0", "$10"), ("${n}.$0", "$1.$0"), ("1", "1"), ("-${2}", "-$2")]
)
def test_groups_of_a_value_are_by_one_digit(value: str, made: str) -> None:
    assert template(value, "^(?P<n>a)(b)$") == made


@pytest.mark.parametrize("value", ["$3", "$1x", "$$", "${none}"])
def test_a_group_that_there_is_none_of_is_told(value: str) -> None:
    with pytest.raises(NoLike):
        template(value, "^(?P<n>a)(b)$")
