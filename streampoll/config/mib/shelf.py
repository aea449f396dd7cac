"""Where MIB modules are: directories of files, searched in order; nothing is ever fetched from a network.

A file may be called anything and hold several modules. One that is named for its module is found at once; for the rest
every file is looked through, once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

SYSTEM: Final = ("/usr/share/snmp/mibs", "/var/lib/mibs", "/usr/share/mibs")
"""Where distributions put MIBs: net-snmp's own, what snmp-mibs-downloader fetched, libsmi's."""

BUNDLED: Final = Path(__file__).parent / "bundled"

LARGEST_BYTES: Final = 16_000_000  # a larger file in such a directory is no MIB

_MODULE = re.compile(r"^\s*([A-Z][\w-]*)\s*(?:\{[^}]*\}\s*)?(?:PIB-)?DEFINITIONS\s*::=\s*BEGIN\b", re.M)
_OBJECT = re.compile(
    r"^\s*([A-Za-z][\w-]*)\s+(?:OBJECT-TYPE|OBJECT-IDENTITY|MODULE-IDENTITY|OBJECT\s+IDENTIFIER)\b", re.M
)


class Shelf:
    """The MIB files of some directories and of all below them; the first that has a module wins."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = tuple(directories)

    def read(self, module: str) -> tuple[str, str] | None:
        """Return (file, text) of a module; None if no file has it."""
        for path in self._files_by_stem.get(module.lower(), ()):
            text = _text(path)
            if module in _MODULE.findall(text):
                return str(path), text
        named = self._modules.get(module)
        return (str(named), _text(named)) if named else None

    def modules(self) -> list[str]:
        """Return the names of all modules."""
        return sorted(self._modules)

    def modules_with(self, name: str) -> list[str]:
        """Return the modules whose text gives an OID to a name, in the order of the directories."""
        defines = re.compile(rf"^\s*{re.escape(name)}\s+(?:OBJECT|MODULE)[-\s]", re.M)
        found = {module: None for _, text in self._texts() if defines.search(text) for module in _MODULE.findall(text)}
        return list(found)

    def names(self) -> set[str]:
        """Return every name that any module gives an OID to."""
        return {name for _, text in self._texts() for name in _OBJECT.findall(text)}

    @cached_property
    def _files(self) -> tuple[Path, ...]:
        return tuple(path for directory in self.directories for path in sorted(directory.rglob("*")) if _is_text(path))

    @cached_property
    def _files_by_stem(self) -> Mapping[str, list[Path]]:
        by_stem: dict[str, list[Path]] = {}
        for path in self._files:
            by_stem.setdefault(path.stem.lower(), []).append(path)
        return by_stem

    @cached_property
    def _modules(self) -> Mapping[str, Path]:
        found: dict[str, Path] = {}
        for path, text in self._texts():
            for module in _MODULE.findall(text):
                found.setdefault(module, path)
        return found

    def _texts(self) -> Iterator[tuple[Path, str]]:
        for path in self._files:
            yield path, _text(path)


def shelf_directories(given: Sequence[Path], environ: Mapping[str, str]) -> list[Path]:
    """Return where to look: the user's directories, those of MIBDIRS (as net-snmp has it), the system's, ours."""
    listed = [Path(each) for each in environ.get("MIBDIRS", "").lstrip("+").split(":") if each]
    return [*given, *listed, *map(Path, SYSTEM), BUNDLED]


def _is_text(path: Path) -> bool:
    try:
        return path.is_file() and not path.name.startswith(".") and path.stat().st_size <= LARGEST_BYTES
    except OSError:
        return False


def _text(path: Path) -> str:
    """Return a file's text; what is not UTF-8 is Latin-1, which every byte is."""
    try:
        data = path.read_bytes()
    except OSError:
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
