"""What a custom poller gave, judged: an outcome that can be stored, without a secret in it, or the reason why not.

The text of an error is somebody else's, so secrets are blacked out in it; values with a secret in them are refused.
"""

import base64
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from msgspec import structs

from streampoll.config.secret import Secret
from streampoll.model import Outcome, Status, Table, Value

_MOST_VALUES: Final = 1_000_000
_SHOWN: Final = 500  # characters of an error
_SHORTEST: Final = 4  # characters of a secret that is looked for: a shorter one is in everything
_OURS: Final = (Status.EXPIRED, Status.CRASHED)  # that only the worker says
_BLACK: Final = "…"


class Nonsense(Exception):  # noqa: N818 - reads as the state it is
    """What a poller gave can't be stored; the text says why."""


def secrets_of(*holders: object) -> tuple[str, ...]:
    """Return the secrets in credentials, whatever their type, in each form in which they might be given away."""
    texts = {text for holder in holders for text in _secrets(holder) if len(text) >= _SHORTEST}
    forms = {form for text in texts for form in (text, base64.b64encode(text.encode()).decode(), text.encode().hex())}
    return tuple(sorted(forms, key=len, reverse=True))


def _secrets(holder: object) -> Iterator[str]:
    if isinstance(holder, Secret):
        yield holder.reveal()
    elif isinstance(holder, Mapping):
        for each in holder.values():
            yield from _secrets(each)
    elif isinstance(holder, list | tuple):
        for each in holder:
            yield from _secrets(each)
    elif is_dataclass(holder):
        for each in fields(holder):
            yield from _secrets(getattr(holder, each.name))


def blackened(text: str, secrets: Collection[str]) -> str:
    """Return a text without the secrets in it."""
    for secret in secrets:
        text = text.replace(secret, _BLACK)
    return text


def judged(given: Any, secrets: Collection[str]) -> Outcome:
    """Return the outcome that a poller gave, if it can be stored.

    Raises:
        Nonsense: it is none, has values of a kind that can't be stored, or a secret in them.
    """
    if not isinstance(given, Outcome):
        raise Nonsense(f"gave {type(given).__name__}, not an Outcome")
    status: Any = given.status
    if not isinstance(status, Status) or status in _OURS:
        raise Nonsense(f"gave status {str(status)[:20]!r}, which is none of a poller's")
    outcome = structs.replace(
        given,
        error=blackened(" ".join(str(given.error).split()), secrets)[:_SHOWN],
        values=_values("values", given.values),
        tables=_tables(given.tables),
        missing={str(name): blackened(str(why), secrets) for name, why in _mapping("missing", given.missing).items()},
    )
    _look_for_secrets(outcome, secrets)
    if outcome.status is Status.OK and not outcome.values and not outcome.tables:
        raise Nonsense("says ok and gave no value")
    if outcome.status is not Status.OK and not outcome.error:
        outcome.error = "the poller gives no reason"
    return outcome


def _mapping(what: str, given: Any) -> Mapping[Any, Any]:
    if not isinstance(given, Mapping):
        raise Nonsense(f"gave {what} of type {type(given).__name__}, not a mapping")
    return given


def _values(what: str, given: Any) -> dict[str, Value]:
    return {_name(what, name): _value(f"{what}[{name!r}]", value) for name, value in _mapping(what, given).items()}


def _name(what: str, name: Any) -> str:
    if not isinstance(name, str) or not name or len(name) > 255:
        raise Nonsense(f"gave {what} with a name that is none: {str(name)[:40]!r}")
    return name


def _value(what: str, value: Any) -> Value:
    match value:
        case None | bool() | float() | bytes():
            return value
        case int() if -(1 << 63) <= value < 1 << 64:
            return value
        case str() if value.isascii() or value.encode(errors="replace").decode() == value:
            return value
        case bytearray():
            return bytes(value)
    raise Nonsense(f"gave {what[:80]} of type {type(value).__name__}, which can't be stored")


def _tables(given: Any) -> dict[str, Table]:
    tables = {_name("tables", name): _table(name, table) for name, table in _mapping("tables", given).items()}
    if sum(len(table.rows) * (len(table.columns) + 1) for table in tables.values()) > _MOST_VALUES:
        raise Nonsense(f"gave tables of more than {_MOST_VALUES:,} values")
    return tables


def _table(name: str, table: Any) -> Table:
    if not isinstance(table, Table):
        raise Nonsense(f"gave table {name!r} of type {type(table).__name__}, not a Table")
    width = len(table.columns) + 1
    rows = [[_value(f"tables[{name!r}]", cell) for cell in row] for row in table.rows]
    if any(len(row) != width for row in rows):
        raise Nonsense(f"gave table {name!r} with a row that has not {width} cells: the index, then each column")
    return structs.replace(table, columns=tuple(_name("columns", column) for column in table.columns), rows=rows)


def _look_for_secrets(outcome: Outcome, secrets: Collection[str]) -> None:
    """Refuse an outcome with a secret in a value or a name."""
    octets = [secret.encode() for secret in secrets]
    for text in _texts(outcome):
        if isinstance(text, bytes):
            found = any(secret in text for secret in octets)
        else:
            found = any(secret in text for secret in secrets)
        if found:
            raise Nonsense("gave a secret away among its values; all of them were dropped")


def _texts(outcome: Outcome) -> Iterator[str | bytes]:
    """Yield every text and octets of an outcome."""
    yield from outcome.missing
    for name, value in outcome.values.items():
        yield name
        if isinstance(value, str | bytes):
            yield value
    for name, table in outcome.tables.items():
        yield name
        yield from table.columns
        for row in table.rows:
            yield from (cell for cell in row if isinstance(cell, str | bytes))
