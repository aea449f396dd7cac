"""Credentials by name: each is read when it is first needed, kept, and read again when its secret may have changed.

In a loop that polls, secrets are read in threads (a file may be on a server that hangs, a vault's program takes its
time). One that can't be read is not tried again for a while, however many devices name it. A credential stays the same
object for as long as its secrets are the same, since engines keep keys and connections by it.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from streampoll.config.keeping import Keeping
from streampoll.config.recipe import Recipe
from streampoll.config.secret import Secret
from streampoll.errors import ConfigError, Fault

log = logging.getLogger(__name__)

DEFAULT: Final = "default"  # the name that a device without one uses
LOOK_AGAIN_S: Final = 60.0  # between two reads of a secret that devices refuse
_TRY_AGAIN_S: Final = 15.0  # before one that can't be read is tried again

_SEPARATOR: Final = re.compile(r"[,\s]+")


@lru_cache(maxsize=4096)
def names_of(text: str) -> tuple[str, ...]:
    """Return the credentials that a device names, in the order to try them: separated by commas or blanks."""
    return tuple(dict.fromkeys(name for name in _SEPARATOR.split(text) if name)) or (DEFAULT,)


@dataclass(slots=True)
class _Kept:
    """One credential that was read."""

    recipe: Recipe
    secrets: Mapping[str, Secret]
    credential: Any
    looked: float  # monotonic, when its secrets were last read


@dataclass(slots=True)
class _Fetching:
    """What is being read, and what could not be."""

    tasks: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    failed: dict[str, tuple[ConfigError, float]] = field(default_factory=dict)  # name -> (why, monotonic)


class Credentials(Mapping[str, Any]):
    """Credentials by name. "" is the default's name."""

    def __init__(
        self,
        recipes: Mapping[str, Recipe],
        keeping: Keeping,
        monotonic: Callable[[], float] = time.monotonic,
        word: str = "credential",
    ) -> None:
        self._recipes = dict(recipes)
        self._keeping = keeping
        self._monotonic = monotonic
        self._word = word  # what messages call one
        self._kept: dict[str, _Kept] = {}
        self._fetching = _Fetching()
        self.revision = 0  # goes up with each change of credentials.toml

    @classmethod
    def of(cls, protocol: str, known: Mapping[str, Any]) -> "Credentials":
        """Return credentials of one protocol that are at hand."""
        made = cls({name: Recipe({}, dict, protocol) for name in known}, Keeping(Path(), {}))
        made._kept = {name: _Kept(made._recipes[name], {}, each, 0.0) for name, each in known.items()}
        return made

    def __getitem__(self, name: str) -> Any:
        """Return a credential, reading it here and now if it was not yet.

        Raises:
            KeyError: there is none of that name.
            ConfigError: its secret can't be read, or is refused.
        """
        name = name or DEFAULT
        if name not in self._kept:
            self._kept[name] = self._read(name)
        return self._kept[name].credential

    def __contains__(self, name: object) -> bool:
        return (name or DEFAULT) in self._recipes

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self._recipes)})"

    def names(self) -> list[str]:
        """Return all names, in the order of the file."""
        return list(self._recipes)

    def protocol(self, name: str) -> str:
        """Return what a credential is for, without a look at its secrets. Raises KeyError if there is none."""
        return self._recipes[name or DEFAULT].protocol

    def held(self, name: str) -> Any:
        """Return a credential whose secret needs no reading; None if it does, or there is none of that name."""
        kept = self._kept.get(name or DEFAULT)
        return None if kept is None else kept.credential

    def files(self) -> list[Path]:
        """Return the files that secrets are read from."""
        sources = [source for recipe in self._recipes.values() for source in recipe.secrets.values()]
        return [path for path in map(self._keeping.path, sources) if path is not None]

    async def fetch(self, name: str) -> Any:
        """Return a credential, reading it in a thread, once for all who ask meanwhile. Raises as `[name]` does."""
        name = name or DEFAULT
        why, failed = self._fetching.failed.get(name, (None, 0.0))
        if why is not None and self._monotonic() < failed + _TRY_AGAIN_S:
            raise ConfigError(why.faults)
        if name not in self._kept:
            await self._look(name)
        return self[name]

    async def look_again(self, names: Iterable[str]) -> None:
        """Read again, at most once a minute each, the secrets of credentials that a device does not accept."""
        for name in (name or DEFAULT for name in names):
            kept = self._kept.get(name)
            due = kept is not None and self._monotonic() >= kept.looked + LOOK_AGAIN_S
            if kept is not None and name in self._recipes and (due or name in self._fetching.tasks):
                await self._look_quietly(name)

    async def renew(self, fresh: "Credentials") -> None:
        """Take over what a changed credentials.toml says, and read again every secret that may have changed."""
        known = self._recipes
        self._recipes = {
            name: known[name] if name in known and known[name].same(recipe) else recipe
            for name, recipe in fresh._recipes.items()
        }
        self._keeping = fresh._keeping
        self.revision += 1
        self._fetching.failed.clear()
        for name in list(self._kept):
            if name not in self._recipes:
                del self._kept[name]
            else:
                await self._look_quietly(name)

    async def _look_quietly(self, name: str) -> None:
        """Read a credential again; one that can't be read now stays as it is."""
        kept = self._kept[name]
        if kept.recipe is self._recipes[name] and not kept.recipe.may_change:
            return
        kept.looked = self._monotonic()
        try:
            await self._look(name)
        except ConfigError as error:
            log.warning("%s; what was read before stays in use", error)

    async def _look(self, name: str) -> None:
        """Read a credential in a thread; whoever else wants it meanwhile waits for the same."""
        task = self._fetching.tasks.get(name)
        if task is None:
            task = asyncio.create_task(self._look_once(name), name=f"credential {name}")
            self._fetching.tasks[name] = task
            task.add_done_callback(lambda done: self._looked(name, done))
        await asyncio.shield(task)

    def _looked(self, name: str, task: "asyncio.Task[None]") -> None:
        self._fetching.tasks.pop(name, None)
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits any more

    async def _look_once(self, name: str) -> None:
        try:
            read = await asyncio.to_thread(self._read, name)
        except ConfigError as error:
            self._fetching.failed[name] = error, self._monotonic()
            raise
        self._fetching.failed.pop(name, None)
        kept = self._kept.get(name)
        if kept is not None and kept.recipe is read.recipe and kept.secrets == read.secrets:
            kept.looked = read.looked
            return
        if kept is not None:
            log.info("%s '%s' has changed; the new one is used from now on", self._word, name)
        self._kept[name] = read

    def _read(self, name: str) -> _Kept:
        recipe, keeping = self._recipes[name], self._keeping
        secrets = {key: keeping.fetch(source, f"{self._word} '{name}'") for key, source in recipe.secrets.items()}
        try:
            return _Kept(recipe, secrets, recipe.make(secrets), self._monotonic())
        except ValueError as error:
            raise ConfigError([Fault(f"{self._word} '{name}'", str(error))]) from None
