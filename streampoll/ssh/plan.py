"""What to ask one device over SSH, compiled once from a profile and shared by every poll."""

from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """How commands reach a device."""

    EXEC = "exec"  # each on a channel of its own, with an exit status: hosts
    SHELL = "shell"  # typed into one interactive shell, one after the other: network devices


class Format(StrEnum):
    """How a command's output is read."""

    RAW = "raw"  # kept as it is
    TEXTFSM = "textfsm"  # by a template of the profile's own or of ntc-templates
    REGEX = "regex"  # by named groups
    JSON = "json"  # by paths


class Type(StrEnum):
    """What a field's text becomes."""

    TEXT = "text"
    INTEGER = "integer"  # "1,234" is 1234
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Field:
    """A value or a column made of parsed output."""

    name: str
    source: str  # TextFSM column, regex group or JSON path
    type: Type = Type.TEXT


@dataclass(frozen=True, slots=True)
class Command:
    """One command and what is made of its output."""

    name: str  # of the raw value, or of the table
    line: str  # as it is typed
    format: Format = Format.RAW
    pattern: str = ""  # the regular expression, or the text of a TextFSM template; "" looks in ntc-templates
    values: tuple[Field, ...] = ()  # scalars: of the first row or match
    columns: tuple[Field, ...] = ()  # of the table
    tabular: bool = False  # whether there is a table; without columns it has all that the parser knows
    key: str = ""  # the column that names a row to people
    rows: str = ""  # JSON: the path of the list
    timeout_s: float = 0.0  # 0.0: ssh.command_timeout_s


@dataclass(frozen=True, slots=True)
class SshPlan:
    """One profile, ready to be run."""

    profile: str
    platform: str  # a name in platforms.PLATFORMS
    channel: Channel
    commands: tuple[Command, ...]
    enable: bool = False  # in privileged mode, with the credential's secret
