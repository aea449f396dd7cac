"""A dataclass read as a table of settings: what each key is called, may hold and means.

The one place that looks into annotations; the converter, the environment and the generated page work on what it gives.
"""

import dataclasses
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, cast, get_args, get_origin, get_type_hints

from msgspec import Meta

from streampoll.config.secret import Secret

_BARE = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Secret: "text"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a table."""

    name: str
    kind: Any  # the annotation, bounds included: what msgspec checks
    base: Any  # the annotation without its bounds
    default: Any  # dataclasses.MISSING if the key must be there
    help: str
    unit: str  # "s", "bytes" or ""; these may be written as text

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are allowed, for a choice or a list of choices; else none."""
        return _words(self.base)

    @property
    def is_list(self) -> bool:
        """True for a list of texts or choices."""
        return get_origin(self.base) is tuple

    @property
    def expects(self) -> str:
        """What may be written, as half a sentence: "a whole number of at least 1"."""
        if self.words:
            return f"{'a list of' if self.is_list else 'one of'} {', '.join(self.words)}"
        if title := next((meta.title for meta in _metas(self.kind) if meta.title), ""):
            return title
        text = "a list of texts" if self.is_list else _BARE.get(self.base, "a table")
        text = {"s": 'seconds or a duration as "90s"', "bytes": 'bytes or a size as "8MiB"'}.get(self.unit, text)
        return f"{text}{_bounds(self.kind)}"


def settings_of(section: type[Any]) -> Mapping[str, Setting]:
    """Return the keys of a section's table, by name, in order."""
    return _settings_of(cast("Hashable", section))


@cache  # there are a few dozen sections, and one is read for each metric of each profile
def _settings_of(section: Any) -> Mapping[str, Setting]:
    hints = get_type_hints(section, include_extras=True)
    return {each.name: _setting(each, hints[each.name]) for each in dataclasses.fields(section)}


@cache
def _words(base: Any) -> tuple[str, ...]:
    choice = get_args(base)[0] if get_origin(base) is tuple else base
    if get_origin(choice) is Literal:
        return tuple(map(str, get_args(choice)))
    if isinstance(choice, type) and issubclass(choice, Enum):
        return tuple(str(member.value) for member in choice)
    return ()


def _setting(each: "dataclasses.Field[Any]", kind: Any) -> Setting:
    metas = _metas(kind)
    base = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    unit = next((meta.extra["unit"] for meta in metas if meta.extra), "")
    default = each.default if each.default_factory is dataclasses.MISSING else each.default_factory()
    text = next((meta.description for meta in metas if meta.description), "")
    return Setting(each.name, kind, base, default, text, unit or _unit(each.name))


def _unit(name: str) -> str:
    """Return the unit that a name ends in, if text may stand for a number of it; `_per_s` is a rate."""
    ending = name.rpartition("_")[2]
    return ending if ending in ("s", "bytes") and not name.endswith("_per_s") else ""


def _metas(kind: Any) -> list[Meta]:
    return [meta for meta in get_args(kind)[1:] if isinstance(meta, Meta)] if get_origin(kind) is Annotated else []


def _bounds(kind: Any) -> str:
    """Return the bounds as text that goes on from the type's: " above 0, at most 1"."""
    parts = []
    for meta in _metas(kind):
        parts += [f"above {meta.gt:g}"] if meta.gt is not None else []
        parts += [f"at least {meta.ge:,}".replace(",", "_")] if meta.ge is not None else []
        parts += [f"at most {meta.le:,}".replace(",", "_")] if meta.le is not None else []
    return f", {' and '.join(parts)}" if parts else ""
