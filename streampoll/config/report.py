"""What reading a configuration finds: faults, which end it, and notices, which a person should see.

All of a configuration is read before anything is refused, so that a user sees every mistake at once. The readers hand
one `Report` on; none of them raises for the user's mistakes.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from reprlib import Repr

from streampoll.errors import ConfigError, Fault

SHOWN = 20  # faults that one source prints; a file of 100,000 bad lines needs no more


class Report:
    """Collects what is wrong (`faults`) and what is only strange (`notices`), in the order found."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.notices: list[Fault] = []

    def fault(self, where: str, what: str, instead: str = "") -> None:
        """Note a mistake: the configuration can't be used."""
        self.faults.append(Fault(where, what, instead))

    def notice(self, where: str, what: str, instead: str = "") -> None:
        """Note something that works, and that a person should know."""
        self.notices.append(Fault(where, what, instead))

    def refuse(self) -> None:
        """Raise what was found as one error; return if there was no fault.

        Raises:
            ConfigError: there are faults.
        """
        if self.faults:
            raise ConfigError(self.faults)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for a name near to `word`, else the known names, or "" if there are too many."""
    names = {name.lower(): name for name in sorted(known)}
    close = get_close_matches(word.lower(), names, n=1)
    if close:
        return f"did you mean '{names[close[0]]}'?"
    return f"known: {', '.join(names.values())}" if 0 < len(names) <= 16 else ""


class _Short(Repr):
    """Does not write out what is cut off anyway: YAML's aliases may make a value of terabytes out of a few lines."""

    maxlevel = 3

    def repr_int(self, x: int, level: int) -> str:
        """Return an integer; Python refuses to write those of thousands of digits in decimal."""
        return repr(x) if x.bit_length() < 256 else f"a number of {x.bit_length()} bits"


def shorten(value: object, limit: int = 60) -> str:
    """Return a value as it may stand in a one-line message."""
    text = repr(value[:limit]) if isinstance(value, str | bytes) else _Short().repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
