"""A file of the configuration: its data, and where in it something stands."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from streampoll.config.lines import YAML_LOADER, toml_line, too_deep_for_yaml, yaml_line
from streampoll.config.report import Report

KeyPath = tuple[str | int, ...]
TOO_DEEP = "nested too deeply"


@dataclass(frozen=True, slots=True)
class Source:
    """Text that was read, with its parsed data."""

    name: str  # as messages call it: the path relative to the configuration's directory
    text: str
    data: Any
    line: Callable[[str, Sequence[str | int]], int]  # (text, path) -> line; 0 if unknown

    def where(self, path: KeyPath) -> str:
        """Return "file:line: key.path" for messages."""
        line = self.line(self.text, path)
        place = f"{self.name}:{line}" if line else self.name
        return f"{place}: {dotted(path)}" if path else place


def nowhere(name: str) -> Source:
    """Return a source without text: a variable, or a line that is known already."""
    return Source(name, "", None, lambda text, path: 0)


def dotted(path: KeyPath) -> str:
    """Return a key path as text: ("devices", 2, "name") is "devices[2].name"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_text(path: Path, name: str, report: Report) -> str | None:
    """Return a file's text, or None with a fault that says why not."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        report.fault(name, "no such file", "`streampoll init DIR` writes a configuration to start from")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        report.fault(f"{name}:{line}", "not UTF-8", "save the file as UTF-8")
    except OSError as error:
        report.fault(name, f"can't be read: {error.strerror or error}", "check the path and its permissions")
    return None


def read_toml(path: Path, name: str, report: Report) -> Source | None:
    """Return a TOML file's tables, or None with the fault and its line."""
    text = read_text(path, name, report)
    if text is None:
        return None
    try:
        return Source(name, text, tomllib.loads(text), toml_line)
    except tomllib.TOMLDecodeError as error:
        what, _, at = str(error).partition(" (at ")
        line = at.partition("line ")[2].partition(",")[0] or str(text.count("\n") + 1)
        report.fault(f"{name}:{line}", f"not TOML: {what[:1].lower()}{what[1:]}")
    except RecursionError:
        report.fault(name, TOO_DEEP, "no setting needs more than three levels")
    except ValueError:  # an integer of thousands of digits: Python reads no more than 4,300
        report.fault(name, "not TOML: a number is too long", "write at most 19 digits")
    return None


def read_yaml(path: Path, name: str, report: Report, shape: str) -> Source | None:
    """Return a YAML file's data, or None with the fault; `shape` says how it should be nested."""
    text = read_text(path, name, report)
    if text is None:
        return None
    try:
        if too_deep_for_yaml(text):
            report.fault(name, TOO_DEEP, shape)
            return None
        return Source(name, text, yaml.load(text, Loader=YAML_LOADER), yaml_line)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        report.fault(name + line, f"not YAML: {error.problem}")
    except (yaml.YAMLError, ValueError) as error:  # a bad character, an impossible date
        report.fault(name, f"not YAML: {str(error).splitlines()[0]}")
    return None
