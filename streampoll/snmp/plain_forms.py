"""Which forms of replies are compiled, and when: those that come often, piece by piece, none in place of another.

Compiling takes 20 to 40 us a branch, and happens on the loop, while a reply waits: 2 ms for a column of texts, 16 ms
for a profile's interfaces, 100 ms for a GET of 40 texts. Reading a reply by it saves 20 to 80 us. So a form must come
often before it pays, and forgetting one to compile another costs more than all that it saves (6 ms a reply, where 540
forms shared 256 places). In pieces, the loop stands still for 3 to 5 ms at most; a row of several takes half as long
again to read as a whole one, which is still less than the complete decoder takes: that reads what has no form, or none
yet.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Final

from streampoll.snmp.plain_cells import Sort

_HEAD: Final = 5  # branches, to which the rest of a varbind's expression is equal in time
_PIECE: Final = 140  # branches, which take 5 ms: as long as the loop may stand still; two texts, or ten integers
_MOST_PIECES: Final = 10  # of a form; which take 50 ms in all

Pattern = re.Pattern[bytes]
Make = Callable[[int, int], bytes]
"""Makes the expression for the varbinds from one place to before another."""


class PiecedForm:
    """A form of some varbinds, which its pieces match one after another."""

    __slots__ = ("_compiled", "_make", "admitted", "cuts", "pieces", "wanted")

    def __init__(self, sorts: Sequence[Sort], make: Make) -> None:
        self._make = make
        self._compiled: list[Pattern] = []
        cuts = _cut(sorts)
        self.cuts = cuts if len(cuts) <= _MOST_PIECES else []  # where each piece begins and ends; [] if never compiled
        self.pieces: Sequence[Pattern] = ()  # once all are compiled
        self.wanted = 0  # times, before that
        self.admitted = False  # to be compiled

    @property
    def missing(self) -> int:
        """How many pieces are to be compiled yet."""
        return len(self.cuts) - len(self._compiled)

    def compile_one(self) -> None:
        """Compile the next piece that is missing."""
        self._compiled.append(re.compile(self._make(*self.cuts[len(self._compiled)]), re.DOTALL))
        if not self.missing:
            self.pieces = tuple(self._compiled)


def _cut(sorts: Sequence[Sort]) -> list[tuple[int, int]]:
    """Cut varbinds of these sorts into pieces, each compiled in bounded time."""
    starts, room = [], 0
    for place, sort in enumerate(sorts):
        branches = _HEAD + len(sort.sizes)
        if branches > room:
            starts.append(place)
            room = _PIECE
        room -= branches
    return list(pairwise([*starts, len(sorts)]))


class Forms:
    """The forms of a process."""

    def __init__(self, *, patience: int = 20, every: int = 100, pieces: int = 512, most: int = 4096) -> None:
        """Compile a form once it was wanted more than `patience` times, and bound all of them together.

        Args:
            patience: Times.
            every: Replies without a form for each piece: of their time, compiling takes a small part.
            pieces: How many are ever compiled: 10 KB each.
            most: Forms known, compiled or not.
        """
        self.patience = patience
        self.every = every
        self.left = pieces
        self.most = most
        self.known: dict[Hashable, PiecedForm] = {}
        self.compiled = 0  # forms
        self._since = 0  # replies without a form, since the last piece was compiled

    def add(self, key: Hashable, sorts: Sequence[Sort], make: Make) -> PiecedForm:
        """Return the form that is known by a key, made if there is none: if there are too many, one never compiled."""
        form = self.known.get(key)
        if form is None:
            if len(self.known) >= self.most:
                return NEVER
            form = self.known[key] = PiecedForm(sorts, make)
        return form

    def want(self, form: PiecedForm) -> Sequence[Pattern]:
        """Take note that a form was wanted that has no pieces; returns them if it has them now."""
        self._since += 1
        form.wanted += 1
        while form.wanted > self.patience and self._since >= self.every and form.missing and self._admits(form):
            self._since = 0
            form.compile_one()
            self.compiled += not form.missing
        return form.pieces

    def _admits(self, form: PiecedForm) -> bool:
        """Take the places for all pieces of a form, so that none is compiled in vain; False if there are too few."""
        if not form.admitted and self.left >= form.missing:
            form.admitted = True
            self.left -= form.missing
        return form.admitted


NEVER: Final = PiecedForm((), lambda start, stop: b"")
FORMS: Final = Forms()
