"""What a process remembers of agents from poll to poll: of those that are out of the ordinary, and how long tables are.

`RequestSizes`: an agent that could not answer a large request gets smaller ones, and slowly larger ones again.
`BackOff`: an agent that keeps silent gets one cheap probe a poll until it answers.
`Skipped`: an agent of which something is not to be had in the way that saves requests is asked in another for a while.
`TableLengths`: a table is asked for as many rows as it had, and one more for its end.
"""

from array import array
from collections.abc import Hashable, KeysView, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from streampoll.snmp.engine import Address

UNLIMITED: Final = 10_000  # varbinds; more than any reply holds
_GROW_AFTER: Final = 10  # clean polls before a limit is raised by a tenth
_MOST: Final = 200_000  # agents remembered; the oldest is forgotten
PROBE_AFTER: Final = 3  # polls without an answer
_APART: Final = 20  # polls in which scalars and rows are not asked at once
_MOST_APART: Final = 50_000  # agents, 10 MB
_SLOTS: Final = 1 << 18  # tables whose length is remembered, in a megabyte
_LONGEST: Final = (1 << 12) - 2  # rows
_NOTHING: Final[Mapping[str, int]] = {}


Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Size:
    varbinds: int
    clean: int = 0  # polls without trouble since it was set


class RequestSizes:
    """How many varbinds an agent's reply may have."""

    def __init__(self) -> None:
        self._sizes: dict[Address, _Size] = {}
        self.agents: KeysView[Address] = self._sizes.keys()  # those that have a limit

    def limit(self, agent: Address) -> int:
        """Return the most varbinds to expect in one reply."""
        size = self._sizes.get(agent)
        return size.varbinds if size else UNLIMITED

    def shrink(self, agent: Address, asked: int) -> int:
        """Take note that a reply of `asked` varbinds was too much; returns the new limit, at least 1."""
        varbinds = max(1, min(asked // 2, self.limit(agent)))
        self.recall(agent, varbinds)
        return varbinds

    def recall(self, agent: Address, varbinds: int) -> None:
        """Set the limit, to what was found here or by another process."""
        self._sizes.pop(agent, None)
        if len(self._sizes) >= _MOST:
            del self._sizes[next(iter(self._sizes))]
        self._sizes[agent] = _Size(varbinds)

    def clean(self, agent: Address) -> None:
        """Take note of a poll in which nothing was too large."""
        size = self._sizes.get(agent)
        if size is None:
            return
        size.clean += 1
        if size.clean >= _GROW_AFTER:
            size.clean = 0
            size.varbinds += max(1, size.varbinds // 10)
            if size.varbinds >= 500:  # as large as requests get
                del self._sizes[agent]


class BackOff:
    """Which agents have kept silent, and for how many polls."""

    def __init__(self) -> None:
        self._silent: dict[Address, int] = {}
        self.agents: KeysView[Address] = self._silent.keys()  # those that were silent in the last poll

    def failures(self, agent: Address) -> int:
        """Return how many polls in a row got no answer."""
        return self._silent.get(agent, 0)

    def silent(self, agent: Address) -> None:
        """Take note of a poll without any answer."""
        self.recall(agent, self._silent.get(agent, 0) + 1)

    def recall(self, agent: Address, failures: int) -> None:
        """Set how many polls in a row got no answer, here or in another process."""
        if agent not in self._silent and len(self._silent) >= _MOST:
            del self._silent[next(iter(self._silent))]
        self._silent[agent] = failures

    def answered(self, agent: Address) -> None:
        """Take note of an answer: all is normal again at once."""
        self._silent.pop(agent, None)


class Skipped(Generic[Key]):
    """What most agents are asked and some are not, for some polls each."""

    def __init__(self, polls: int, most: int) -> None:
        """Leave it out `polls` times; at most so many agents are remembered, of which the oldest is forgotten."""
        self._polls = polls
        self._most = most
        self._left: dict[Key, int] = {}

    def skips(self, agent: Key) -> bool:
        """Tell whether it is left out this time."""
        left = self._left.get(agent)
        if left is None:
            return False
        if left > 1:
            self._left[agent] = left - 1
        else:
            del self._left[agent]
        return True

    def skip(self, agent: Key) -> None:
        """Leave it out in this agent's next polls."""
        if agent not in self._left and len(self._left) >= self._most:
            del self._left[next(iter(self._left))]
        self._left[agent] = self._polls


class TableLengths:
    """How many rows tables have at the most, as far as they were walked to their end lately.

    A dict of a million tables would be the largest thing in a worker. Here each has one slot, by its hash, that the
    last table with such a hash takes; 20 other bits of the hash say whose it is. So a length may be forgotten, which
    costs what it costs not to know it, and once in a million times be another table's: a walk takes a request more.

    So does a table that has grown, and a request costs more than rows that are thrown away. Hence a length stays while
    the table is up to an eighth shorter: neighbours and addresses come and go.
    """

    def __init__(self) -> None:
        self._slots = array("I", bytes(4 * _SLOTS))  # 20 bits of the hash, and above 0: a row more than there were

    def recall(self, table: Hashable) -> int | None:
        """Return how many rows a table had; None if that is not known."""
        place = hash(table)
        slot = self._slots[place & (_SLOTS - 1)]
        return (slot & 0xFFF) - 1 if slot and slot >> 12 == place >> 40 & 0xFFFFF else None

    def note(self, table: Hashable, rows: int) -> None:
        """Take note of how many there are."""
        before = self.recall(table)
        if before is not None and before * 7 // 8 - 1 <= rows <= before:
            return
        place = hash(table)
        self._slots[place & (_SLOTS - 1)] = (place >> 40 & 0xFFFFF) << 12 | rows + 1 if rows <= _LONGEST else 0


class Memory:
    """All of it, for one process."""

    __slots__ = ("apart", "back_off", "lengths", "sizes")

    def __init__(self) -> None:
        self.sizes = RequestSizes()
        self.back_off = BackOff()
        self.lengths = TableLengths()
        self.apart: Skipped[tuple[str, Address]] = Skipped(_APART, _MOST_APART)  # by profile, too

    def learned(self, agent: Address) -> Mapping[str, int]:
        """Return what is not as usual with an agent: "varbinds" in one reply, "silent" polls once they matter."""
        if agent not in self.sizes.agents and agent not in self.back_off.agents:
            return _NOTHING
        varbinds, silent = self.sizes.limit(agent), self.back_off.failures(agent)
        found = {} if varbinds == UNLIMITED else {"varbinds": varbinds}
        return found if silent < PROBE_AFTER else {**found, "silent": silent}

    def recall(self, agent: Address, learned: Mapping[str, int]) -> None:
        """Take over what another process had learned."""
        if learned.get("varbinds", 0) > 0:
            self.sizes.recall(agent, learned["varbinds"])
        if learned.get("silent", 0) > 0:
            self.back_off.recall(agent, learned["silent"])
