"""docs/configuration.md, made from the settings table: `python -m streampoll.config.reference > docs/configuration.md`.

What stands around the tables is in `reference.md`; `<!-- settings -->` marks their place.
"""

import sys
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from streampoll.config.environment import sections, variable_name
from streampoll.config.overrides import overridable
from streampoll.config.secret import Secret
from streampoll.config.settings import Settings
from streampoll.config.table import Setting, settings_of
from streampoll.model import QueueClass

FRAME = Path(__file__).parent / "reference.md"
POOL = "NAME"  # stands for the pool's own name


def page() -> str:
    """Return the page's text."""
    frame = FRAME.read_text(encoding="utf-8")
    frame = frame.replace("<!-- settings -->\n", "\n".join(_tables()))
    return frame.replace("<!-- overrides -->", ", ".join(f"`{name}`" for name in overridable()))


def _tables() -> Iterator[str]:
    """Yield a heading, a sentence and a table for each section; all queue classes share one."""
    done: set[type[Any]] = set()
    for path, section in sections([POOL]):
        if section in done:
            continue
        done.add(section)
        shown = path if path[0] != "queues" else ("queues", "CLASS")
        yield f"### `[{'.'.join(shown)}]`\n"
        yield f"{(section.__doc__ or '').strip()}\n"
        yield "| key | default | what | may be | variable |"
        yield "|---|---|---|---|---|"
        yield from (_row(shown, setting) for setting in settings_of(section).values())
        yield ""
        if path[0] == "queues":
            yield f"{_class_defaults()}\n"


def _row(path: tuple[str, ...], setting: Setting) -> str:
    variable = variable_name(path[:1]) + "".join(f"_{part}" for part in (*path[1:], setting.name.upper()))
    cells = (f"`{setting.name}`", _shown(setting), setting.help, setting.expects, f"`{variable}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(setting: Setting) -> str:
    """Return a default as a file would have it. The defaults that are secrets hold no password."""
    value = setting.default
    if value is MISSING:
        return "must be set"
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{each}"' for each in value) + "]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _class_defaults() -> str:
    """Return the sentence that says where a class differs from the table."""
    queues, plain = Settings().queues, settings_of(type(Settings().queues[QueueClass.POLLING]))
    parts = []
    for queue, limits in queues.items():
        own = {name: getattr(limits, name) for name, each in plain.items() if getattr(limits, name) != each.default}
        if own:
            parts.append(f"{queue}: " + ", ".join(f"`{name} = {value:g}`" for name, value in own.items()))
    return f"Defaults of a class that differ: {'; '.join(parts)}. In a variable, CLASS is POLLING, RESULTS and so on."


if __name__ == "__main__":
    sys.stdout.write(page())
