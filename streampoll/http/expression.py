"""JMESPath, compiled once a process; the library is imported with the first expression."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

Expression = Callable[[Any], Any]


@lru_cache(maxsize=10_000)
def compile_expression(text: str) -> Expression:
    """Return what finds `text` in a document; what isn't there, or is of the wrong type for a function, is None.

    Raises:
        ValueError: it is not JMESPath.
    """
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        parsed = jmespath.compile(text)
    except JMESPathError as error:
        raise ValueError(_first_line(error)) from None

    def search(document: Any) -> Any:
        try:
            return parsed.search(document)
        except JMESPathError:
            return None

    return search


def _first_line(error: Exception) -> str:
    """Return what is wrong, without the drawing below it."""
    return str(error).partition("\n")[0].partition(", for expression")[0].rstrip(":")
