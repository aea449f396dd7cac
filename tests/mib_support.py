"""A resolver over the MIB texts of tests/mibs, with nothing of the machine's, and profiles compiled with it."""

from pathlib import Path

from streampoll.config.convert import Place
from streampoll.config.lines import toml_line
from streampoll.config.mib.compile import compile_profile
from streampoll.config.mib.resolver import Resolver
from streampoll.config.mib.shelf import BUNDLED, Shelf
from streampoll.config.report import Report
from streampoll.config.source import Source

MIBS = Path(__file__).parent / "mibs"


def resolver(*directories: Path) -> Resolver:
    """Return a resolver over directories (the tests' own if none), and what is bundled."""
    return Resolver(Shelf([*(directories or (MIBS,)), BUNDLED]))


def compiled(text: str, using: Resolver | None = None) -> tuple[str, list[str]]:
    """Compile a profile's text; return the text that came out, and the faults."""
    report = Report()
    source = Source("p.toml", text, None, toml_line)
    made = compile_profile(Place(source, report), using or resolver())
    return made, [str(fault) for fault in report.faults]
