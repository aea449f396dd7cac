"""A profile of protocol "ssh": commands and what is made of their output, compiled to an `SshPlan`.

protocol = "ssh"
platform = "cisco_ios"                    # as ntc-templates names it; "linux" runs commands on exec channels
enable = false                            # true: in privileged mode, with the credential's secret

[commands.interfaces]
command = "show ip interface brief"
parser = "textfsm"                        # a table with the columns of the template in ntc-templates
key = "interface"

[commands.memory]
command = "show processes memory"
parser = "regex"
regex = 'Processor Pool Total:\\s+(?P<total>\\d+) Used:\\s+(?P<used>\\d+)'
scalars = { memoryTotal = { value = "total", type = "integer" }, memoryUsed = { value = "used", type = "integer" } }
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest, shorten
from streampoll.ssh.allow import why_refused
from streampoll.ssh.parse import compiled
from streampoll.ssh.plan import Channel, Command, Field, Format, SshPlan, Type
from streampoll.ssh.platforms import PLATFORMS, Platform
from streampoll.ssh.templates import find_template, why_no_template

_LONGEST_LINE = 400  # characters: a longer one is wrapped by terminals, and its echo not recognized


@dataclass(frozen=True, slots=True)
class _FieldTable:
    value: str = ""
    type: Type = Type.TEXT


@dataclass(frozen=True, slots=True)
class _CommandTable:
    command: str
    parser: Format = Format.RAW
    regex: str = ""
    template: str = ""
    scalars: Any = None
    columns: Any = None
    key: str = ""
    rows: str = ""
    timeout_s: Annotated[float, Meta(ge=0)] = 0.0


@dataclass(frozen=True, slots=True)
class _SshTable:
    platform: str = ""
    channel: Channel | None = None
    enable: bool | None = None
    allow_config: bool | None = None
    commands: Any = None


@dataclass(frozen=True, slots=True)
class SshDraft:
    """The SSH part of one file, before `extends` is followed."""

    head: _SshTable
    commands: Mapping[str, Command]


class SshProfiles:
    """Reads and compiles profiles of protocol "ssh"."""

    def read(self, data: Mapping[str, Any], place: Place) -> SshDraft | None:
        """Return one file's draft, or None with faults."""
        before = len(place.report.faults)
        head = read_table(_SshTable, data, place)
        if head is None:
            return None
        if head.platform and head.platform not in PLATFORMS:
            hint = nearest(head.platform, PLATFORMS) or f"known: {', '.join(PLATFORMS)}"
            place.at("platform").fault(f"no platform {shorten(head.platform)}", hint)
        here = place.at("commands")
        read = {name: _command(name, each, here.at(name)) for name, each in here.table(head.commands or {}).items()}
        if len(place.report.faults) > before:
            return None
        return SshDraft(head, {name: command for name, command in read.items() if command is not None})

    def compile(self, name: str, drafts: Sequence[SshDraft], place: Place) -> SshPlan | None:
        """Return the plan of drafts, each over those before it, or None with faults."""
        before = len(place.report.faults)
        platform = PLATFORMS.get(next((each.head.platform for each in reversed(drafts) if each.head.platform), ""))
        if platform is None:
            place.fault("'platform' is missing", 'write one as in ntc-templates, as platform = "cisco_ios"')
            return None
        commands: dict[str, Command] = {}
        for draft in drafts:
            commands.update(draft.commands)
        if not commands:
            place.fault("runs no command", "write [commands.NAME], or name a profile to extend")
        _check(commands, platform, bool(_last(drafts, "allow_config")), place)
        channel = _last(drafts, "channel") or platform.channel
        if len(place.report.faults) > before:
            return None
        return SshPlan(name, platform.name, channel, tuple(commands.values()), bool(_last(drafts, "enable")))


def _last(drafts: Sequence[SshDraft], name: str) -> Any:
    """Return what the last draft says that says it."""
    said = (getattr(draft.head, name) for draft in reversed(drafts))
    return next((each for each in said if each is not None), None)


def _command(name: str, data: Any, place: Place) -> Command | None:
    """Return one command, or None with faults."""
    before = len(place.report.faults)
    table = read_table(_CommandTable, data, place)
    if table is None:
        return None
    if not table.command.strip("\t ") or len(table.command) > _LONGEST_LINE:
        place.at("command").fault("is empty or too long", f"write one line of at most {_LONGEST_LINE} characters")
    _check_parser(table, place)
    values = _fields(table.scalars, place.at("scalars"))
    columns = _fields(table.columns, place.at("columns"))
    tabular = bool(columns or table.key or table.rows) or (table.parser is Format.TEXTFSM and not values)
    pattern = table.regex or table.template
    if table.parser is Format.REGEX and not values and not columns and len(place.report.faults) == before:
        fields = tuple(Field(group, group) for group in compiled(pattern).groupindex)
        values, columns = ((), fields) if tabular else (fields, ())
    if len(place.report.faults) > before:
        return None
    return Command(
        name, table.command, table.parser, pattern, values, columns, tabular, table.key, table.rows, table.timeout_s
    )


def _check_parser(table: _CommandTable, place: Place) -> None:
    """Check what only one of the parsers has."""
    for key, owner in (("regex", Format.REGEX), ("template", Format.TEXTFSM), ("rows", Format.JSON)):
        if getattr(table, key) and table.parser is not owner:
            place.at(key).fault(f"is for another parser than {table.parser}", f'write parser = "{owner}"')
    if table.parser is Format.RAW and (table.scalars or table.columns or table.key):
        place.fault("raw output has no fields", 'write parser = "regex", "textfsm" or "json"')
    if table.parser is Format.JSON and not (table.scalars or table.columns):
        place.fault("says nothing of what it takes from the JSON", "name scalars or columns with their paths")
    if table.parser is Format.REGEX:
        _check_regex(table.regex, place.at("regex"))
    if table.template and (why := why_no_template(table.template)):
        place.at("template").fault(f"is no TextFSM template: {why[:160]}")


def _check_regex(text: str, place: Place) -> None:
    try:
        pattern = compiled(text)
    except re.error as error:
        place.fault(f"{shorten(text)} is not a regular expression: {error.msg}")
        return
    if not pattern.groupindex:
        place.fault("has no named group", "name what it takes, as (?P<version>\\S+)")


def _fields(data: Any, place: Place) -> tuple[Field, ...]:
    """Return scalars or columns; wrong ones are faults. A text alone says where the value is."""
    if data is None:
        return ()
    tables = {name: {"value": each} if isinstance(each, str) else each for name, each in place.table(data).items()}
    read = {name: read_table(_FieldTable, each, place.at(name)) for name, each in tables.items()}
    return tuple(Field(name, each.value or name, each.type) for name, each in read.items() if each is not None)


def _check(commands: Mapping[str, Command], platform: Platform, allow_config: bool, place: Place) -> None:
    """Check what shows when the platform and all commands are known."""
    owners: dict[str, str] = {}
    for name, command in commands.items():
        here = place.at("commands", name)
        if not allow_config and (why := why_refused(platform, command.line)):
            here.at("command").fault(
                f"{shorten(command.line)} may change the device: {why}", "set allow_config = true if it is meant"
            )
        _check_fields(command, platform, here)
        for each in (*command.values, *([] if command.tabular or command.values else [Field(name, name)])):
            if each.name in owners:
                here.fault(f"value '{each.name}' is already that of command '{owners[each.name]}'", "rename one")
            owners[each.name] = name


def _check_fields(command: Command, platform: Platform, place: Place) -> None:
    """Check that the fields a command takes are those its parser gives."""
    if command.format is Format.TEXTFSM and not command.pattern and not find_template(platform.name, command.line):
        place.at("parser").fault(
            f"ntc-templates has no template for {shorten(command.line)} on {platform.name}",
            "write one as template = '''…''', or use another parser",
        )
    if command.format is Format.REGEX:
        groups = compiled(command.pattern).groupindex
        for each in (*command.values, *command.columns):
            if each.source not in groups:
                place.at("regex").fault(f"has no group '{each.source}'", nearest(each.source, groups))
    if command.key and command.columns and command.key not in {column.name for column in command.columns}:
        place.at("key").fault(f"'{command.key}' is no column", nearest(command.key, (c.name for c in command.columns)))
