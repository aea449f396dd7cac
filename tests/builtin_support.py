"""The built-in profiles as files and as plans, and the table of them: `python -m tests.builtin_support` writes it.

The table stands in docs/profiles.md between two marks; a test compares it with the files.
"""

import re
import tomllib
from pathlib import Path

from streampoll.config.profile_port import PollPlan
from streampoll.config.profiles import BUILTIN, read_profiles
from streampoll.config.report import Report
from streampoll.discovery.vendors import VENDORS
from tests.docs_support import TOP

PAGE = TOP / "docs/profiles.md"
BEGIN, END = "<!-- built-in profiles: python -m tests.builtin_support -->\n", "<!-- end of built-in profiles -->\n"

_ENTERPRISES = "1.3.6.1.4.1."


def files() -> dict[str, Path]:
    """Return the built-in profiles' files, by name."""
    return {path.stem: path for path in sorted(BUILTIN.glob("*.toml"))}


def read() -> tuple[dict[str, PollPlan], list[str]]:
    """Return the built-in profiles' plans, and what is wrong with them."""
    report = Report()
    plans = read_profiles(Path("/nonexistent"), "profiles", report)
    return plans, [str(each) for each in (*report.faults, *report.notices)]


def header(text: str) -> str:
    """Return the comment that a file begins with, as one line."""
    lines = re.match(r"(?:#.*\n)*", text)
    assert lines is not None
    return " ".join(line.lstrip("# ") for line in lines[0].splitlines())


def table() -> str:
    """Return a row for each profile: what it is for, what it extends, its tables, the sysObjectIDs that it suits."""
    rows = ["| profile | what | extends | its own tables | suits |", "|---|---|---|---|---|"]
    for name, path in files().items():
        text = path.read_text()
        data = tomllib.loads(text)
        cells = (
            f"`{name}`",
            re.split(r"(?<=[a-z)])\. ", header(text))[0].rstrip("."),
            ", ".join(data.get("extends", ())),
            ", ".join(data.get("tables", ())),
            ", ".join(map(_suited, data.get("suits", ()))),
        )
        rows.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _suited(oid: str) -> str:
    """Write a prefix: of an enterprise, by its name and what is below it."""
    number, _, rest = oid.removeprefix(_ENTERPRISES).partition(".")
    vendor = VENDORS.get(int(number)) if oid.startswith(_ENTERPRISES) else None
    if vendor is None:
        return oid
    return f"{vendor} ({number}{f'.{rest}' if rest else ''})"


def main() -> None:
    """Write the table into the page."""
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
