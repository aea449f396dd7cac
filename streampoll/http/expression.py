"""JMESPath, compiled once a process; the library is imported with the first expression.

Most columns are a name or names with dots. These are looked up directly: the library makes an interpreter for each
search, which for a table of 48 rows cost as much CPU as the request did.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

Expression = Callable[[Any], Any]

_NAMES: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")


@lru_cache(maxsize=10_000)
def compile_expression(text: str) -> Expression:
    """Return what finds `text` in a document; what isn't there, or is of the wrong type for a function, is None.

    Raises:
        ValueError: it is not JMESPath.
    """
    if _NAMES.fullmatch(text):
        return _names(tuple(text.split(".")))
    import jmespath
    from jmespath.exceptions import JMESPathError
    from jmespath.functions import Functions

    try:
        parsed = jmespath.compile(text)
    except JMESPathError as error:
        raise ValueError(_first_line(error)) from None
    for name in _functions(parsed.parsed) - set(Functions.FUNCTION_TABLE):
        raise ValueError(f"there is no function {name}()")

    def search(document: Any) -> Any:
        try:
            return parsed.search(document)
        except JMESPathError:
            return None

    return search


def _names(path: tuple[str, ...]) -> Expression:
    """Return what finds a value by names, one object inside another."""

    def search(document: Any) -> Any:
        for name in path:
            if not isinstance(document, dict):
                return None
            document = document.get(name)
        return document

    return search


def _functions(node: Any) -> set[str]:
    """Return the functions that a parsed expression calls; JMESPath itself looks for them only when it calls one."""
    if not isinstance(node, dict):
        return set()
    own = {str(node["value"])} if node.get("type") == "function_expression" else set()
    return own.union(*map(_functions, node.get("children", ())))


def _first_line(error: Exception) -> str:
    """Return what is wrong, without the drawing below it."""
    return str(error).partition("\n")[0].partition(", for expression")[0].rstrip(":")
