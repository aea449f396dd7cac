"""Runs the scripts of lua/ by their digest, several in one round trip, wherever their keys are."""

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis import exceptions

from streampoll.errors import RedisUnavailable
from streampoll.shards.connection import raise_errors
from streampoll.shards.topology import Command, Topology, to_repeat

_LUA = files("streampoll.shards").joinpath("lua")
_INCLUDE = re.compile(r"^-- include (\w+)\n", re.MULTILINE)
"""In the place of such a line stands the text of parts/NAME.lua: what scripts share, as Redis knows no modules."""


def _assembled(text: str) -> str:
    return _INCLUDE.sub(lambda line: _LUA.joinpath("parts", f"{line[1]}.lua").read_text(encoding="utf-8"), text)


SCRIPTS = {path.name.removesuffix(".lua"): _assembled(path.read_text(encoding="utf-8"))
           for path in _LUA.iterdir() if path.name.endswith(".lua")}  # fmt: skip

Call = tuple[str, Sequence[str], Sequence[Any]]
"""A script's name, its keys (at least one, all of one shard) and its arguments."""


class Scripts:
    """Runs scripts."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """Run calls in order, pipelined; the replies as they came, errors in their place as `Topology.run` has it.

        A server that does not know a script (it was restarted, or is new in a Cluster) has run nothing; it is sent the
        text then, which it keeps.
        """
        replies = await self._topology.run([_by_digest(call) for call in calls])
        unknown = [n for n, reply in enumerate(replies) if isinstance(reply, exceptions.NoScriptError)]
        if unknown:
            again = to_repeat([keys[0] for _, keys, _ in calls], unknown)
            try:
                answers = await self._topology.run([_by_text(calls[n]) for n in again])
            except RedisUnavailable as error:
                if len(again) == len(calls):
                    raise
                answers = [error] * len(again)  # others were answered
            for n, answer in zip(again, answers, strict=True):
                replies[n] = answer
        return replies

    async def one(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run one script; an error it answers is raised."""
        return raise_errors(await self.run([(script, keys, arguments)]))[0]

    async def each(
        self, script: str, items: Sequence[Sequence[str]], arguments: Sequence[Any], at_once: int
    ) -> list[Any]:
        """Run a script that answers item by item, of which each has keys of its own; an error it answers is raised.

        Where one server has all keys a call is of `at_once` items: that many fewer commands and replies to handle, and
        the server is held up no longer than by so many. Elsewhere the keys of two items may be in two slots.
        """
        step = at_once if self._topology.one_server else 1
        some = [items[first : first + step] for first in range(0, len(items), step)]
        calls = [(script, [key for keys in part for key in keys], arguments) for part in some]
        return [answer for reply in raise_errors(await self.run(calls)) for answer in reply]


def _by_digest(call: Call) -> Command:
    script, keys, arguments = call
    return Command(keys[0], ("EVALSHA", _digest(SCRIPTS[script]), len(keys), *keys, *arguments))


def _by_text(call: Call) -> Command:
    script, keys, arguments = call
    return Command(keys[0], ("EVAL", SCRIPTS[script], len(keys), *keys, *arguments))


@lru_cache
def _digest(text: str) -> str:
    """Return the name that Redis gives a script; no secret depends on it."""
    return sha1(text.encode(), usedforsecurity=False).hexdigest()
