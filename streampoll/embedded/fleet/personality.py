"""A personality: one MIB, shared by all the devices that have it.

OIDs are kept sorted, so GETNEXT is a bisection. What v1 may not see (Counter64, RFC 3584 section 4.2.2.1) is left out
of a second, shorter list that is made when the first v1 request comes.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from streampoll.embedded.fleet import ber
from streampoll.embedded.fleet.ber import Oid
from streampoll.embedded.fleet.values import Value

RECORDING = "recording"
"""The role of a personality that is a recording of a real device."""


@dataclass(frozen=True, slots=True)
class View:
    """What requests of one SNMP version can see of a personality."""

    oids: list[Oid]  # sorted
    values: dict[Oid, Value]

    def get(self, oid: Oid) -> Value | None:
        """Return the value at exactly this OID."""
        return self.values.get(oid)

    def after(self, oid: Oid) -> tuple[Oid, Value] | None:
        """Return the first variable after an OID in lexicographical order; None at the end of the MIB."""
        place = bisect_right(self.oids, oid)
        if place == len(self.oids):
            return None
        following = self.oids[place]
        return following, self.values[following]

    def has_object(self, oid: Oid) -> bool:
        """Tell if the object of an instance exists: another instance of its column, or the scalar itself, is here.

        Without a MIB the object is taken to be the OID less its last part, which is right for scalars and for tables
        with one number as index.
        """
        parent = oid[:-1]
        following = self.after(parent)
        return following is not None and following[0][: len(parent)] == parent


def make_view(variables: Iterable[tuple[Oid, Value]]) -> View:
    """Sort variables into a view; the last of a doubled OID counts."""
    values = dict(variables)
    return View(sorted(values), values)


@dataclass
class Personality:
    """What a kind of device says; `name` is for people."""

    name: str
    role: str  # router, switch, server, recording
    vendor: str
    view: View = field(repr=False)

    @cached_property
    def v1_view(self) -> View:
        """The same without Counter64."""
        return make_view((oid, value) for oid, value in self.view.values.items() if not _is_counter64(value))


def _is_counter64(value: Value) -> bool:
    return (value[0] if isinstance(value, bytes) else value.tag) == ber.COUNTER64
