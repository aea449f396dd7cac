"""Go's regular expressions (RE2) as Python's. They are nearly the same; what has no like is told apart, not guessed."""

import re

_POSIX = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "xdigit": "0-9A-Fa-f", "punct": r"!-/:-@\[-`{-~", "word": r"\w",
}  # fmt: skip
_FLAGS = re.compile(r"^\(\?([imsU]+)\)")
_GROUP = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")


class NoLike(Exception):  # noqa: N818 - becomes a notice
    """There is no such expression in Python."""


def whole(pattern: str) -> str:
    """Return an expression that must match the whole text, as those of regex_extracts must.

    Raises:
        NoLike: it can't be said in Python.
    """
    return _checked(f"^(?:{_scoped(pattern)})$" if "|" in pattern else f"^{_scoped(pattern)}$")


def anywhere(patterns: tuple[str, ...]) -> str:
    """Return an expression that is found where any of several is.

    Raises:
        NoLike: one of them can't be said in Python.
    """
    if len(patterns) == 1:
        return _checked(_scoped(patterns[0]))
    return _checked("|".join(f"(?:{_scoped(each)})" if "|" in each else _scoped(each) for each in patterns))


def template(value: str, pattern: str) -> str:
    """Return the value of a rule, its groups by number: "${1}", "$name" become "$1".

    Raises:
        NoLike: it names a group that there is none of, or has a $ that is none.
    """
    groups = re.compile(pattern)

    def number(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name is None:
            raise NoLike("a '$' that stands for itself")
        index = int(name) if name.isdigit() else groups.groupindex.get(name, -1)
        if not 0 <= index <= min(groups.groups, 9):
            raise NoLike(f"there is no group '{name}'")
        return f"${index}"

    return _GROUP.sub(number, value)


def _scoped(pattern: str) -> str:
    """Return an expression in Python's words; flags at its start hold for it alone."""
    for name, members in _POSIX.items():
        pattern = pattern.replace(f"[:{name}:]", members)
    pattern = pattern.replace(r"\z", r"\Z")
    flags = _FLAGS.match(pattern)
    if flags is None:
        return pattern
    if "U" in flags[1]:
        raise NoLike("the flag U (ungreedy)")
    return f"(?{flags[1]}:{pattern[flags.end() :]})"


def _checked(pattern: str) -> str:
    if re.search(r"\\[pPQC]", pattern) or "[:" in pattern:
        raise NoLike(f"{pattern!r} has a class that Python does not know")
    try:
        re.compile(pattern)
    except re.error as error:
        raise NoLike(f"{pattern!r}: {error}") from None
    return pattern
