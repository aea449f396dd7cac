"""Profiles: what to ask of a device, as TOML, compiled to a plan of its protocol. The name is the file's name.

    protocol = "snmp"                         # the default; profile_snmp.py and its siblings read the rest
    extends = ["system"]                      # takes over all of theirs; what is named again here replaces it

Built-in profiles are package data in `builtin/`; a directory of the user's is read over them, and a file there may
replace a built-in of the same name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streampoll.config.convert import Place, read_table
from streampoll.config.profile_custom import custom_profiles
from streampoll.config.profile_http import HttpProfiles
from streampoll.config.profile_ping import PingProfiles
from streampoll.config.profile_port import PollPlan, ProfileReader
from streampoll.config.profile_snmp import SnmpProfiles
from streampoll.config.profile_ssh import SshProfiles
from streampoll.config.report import Report, nearest, shorten
from streampoll.config.source import read_toml
from streampoll.custom.entry import poller_names

BUILTIN = Path(__file__).parent / "builtin"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_READERS: Final[Mapping[str, ProfileReader]] = {
    "snmp": SnmpProfiles(), "ping": PingProfiles(), "http": HttpProfiles(), "ssh": SshProfiles(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Head:
    """The keys that all profiles have."""

    protocol: str = "snmp"
    extends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A profile as its file has it, before `extends` is followed."""

    place: Place
    head: _Head
    part: Any  # the protocol's own draft


def read_profiles(directory: Path, shown: str, report: Report) -> dict[str, PollPlan]:
    """Return every plan by name: the built-in ones, and those of `directory` (called `shown`) over them."""
    drafts: dict[str, _Draft] = {}
    for folder, name in ((BUILTIN, "built-in"), (directory, shown)):
        for path in sorted(folder.glob("*.toml")):
            place_name = f"{name}/{path.name}"
            if path.stem in drafts:
                report.notice(place_name, f"replaces the built-in profile '{path.stem}'")
            draft = _read(path, place_name, report)
            if draft is not None:
                drafts[path.stem] = draft
    plans = {name: _compile(name, drafts) for name in drafts}
    return {name: plan for name, plan in plans.items() if plan is not None}


def _read(path: Path, shown: str, report: Report) -> _Draft | None:
    """Return one file's draft, or None with faults."""
    if not _NAME.fullmatch(path.stem):
        report.fault(shown, f"{shorten(path.stem)} is not a profile's name", "letters, digits, _ . - only, at most 63")
    source = read_toml(path, shown, report)
    if source is None:
        return None
    place = Place(source, report)
    rest = dict(source.data)
    head = read_table(_Head, {key: rest.pop(key) for key in ("protocol", "extends") if key in rest}, place)
    if head is None:
        return None
    reader = _reader(head.protocol)
    if reader is None:
        known = [*_READERS, *poller_names()]
        place.at("protocol").fault(f"no protocol {shorten(head.protocol)}", nearest(head.protocol, known))
        return None
    part = reader.read(rest, place)
    return None if part is None else _Draft(place, head, part)


def _reader(protocol: str) -> ProfileReader | None:
    """Return the reader of a protocol, built in or an installed package's."""
    return _READERS.get(protocol) or custom_profiles(protocol)


def _compile(name: str, drafts: Mapping[str, _Draft]) -> PollPlan | None:
    """Follow `extends` and compile what comes together; None with faults."""
    mine = drafts[name]
    before = len(mine.place.report.faults)
    line = _ancestors(name, drafts)
    for other in line:
        if drafts[other].head.protocol != mine.head.protocol:
            mine.place.at("extends").fault(
                f"'{other}' is of protocol {drafts[other].head.protocol}", "extend profiles of the same protocol"
            )
    if len(mine.place.report.faults) > before:
        return None
    reader = _reader(mine.head.protocol)
    return reader.compile(name, [drafts[each].part for each in line], mine.place) if reader else None


def _ancestors(name: str, drafts: Mapping[str, _Draft]) -> list[str]:
    """Return the names of what makes up a profile, the ones extended first, each once."""
    order: dict[str, None] = {}
    extends = drafts[name].place.at("extends")

    def visit(each: str, above: tuple[str, ...]) -> None:
        for parent in drafts[each].head.extends:
            if parent in (*above, each):
                extends.fault(f"'{parent}' extends itself", "break the circle")
            elif parent not in drafts:
                extends.fault(f"no profile '{parent}'", nearest(parent, drafts))
            elif parent not in order:
                visit(parent, (*above, each))
        order[each] = None

    visit(name, ())
    return list(order)
