"""When a message that a channel did not take is tried again. Pure."""

from typing import Final

_FIRST_S: Final = 5.0
_LONGEST_S: Final = 900.0
_LEAST_S: Final = 1.0


def again_s(attempt: int, jitter: float, asked_s: float = 0.0) -> float:
    """Return the wait after the nth failed attempt (from 1): full jitter below a bound that doubles to 15 minutes.

    `jitter` is a random number in [0, 1). A service that asked to be left alone for `asked_s` is, and a little longer.
    """
    bound_s: float = min(_LONGEST_S, _FIRST_S * 2 ** min(attempt - 1, 16))
    return max(_LEAST_S, asked_s, 0.0) + jitter * bound_s
