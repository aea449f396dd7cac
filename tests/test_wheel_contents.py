"""What is shipped: every file of the package is in the wheel, and the locks hold what pyproject.toml asks for."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
RUNTIME = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["embedded"]
LAYERS = {
    "runtime": RUNTIME,
    "dev": PROJECT["dependency-groups"]["dev"] + PROJECT["build-system"]["requires"],
    "bench": PROJECT["dependency-groups"]["bench"],
}


def test_every_file_of_the_package_is_in_the_wheel() -> None:
    shipped = {file.distribution_path for file in WheelBuilder(str(TOP)).recurse_included_files()}

    assert files_of_the_package() <= shipped
    assert {Path(path).suffix for path in shipped} >= {".py", ".lua", ".sql", ".toml"}


def files_of_the_package() -> set[str]:
    listing = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "streampoll"]
    paths = subprocess.run(listing, cwd=TOP, capture_output=True, text=True, check=True).stdout.splitlines()
    return {path for path in paths if (TOP / path).exists()}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_lock_has_all_that_its_layer_asks_for(layer: str) -> None:
    pinned = pins(layer)

    for line in LAYERS[layer]:
        wanted = Requirement(line)
        version = pinned.get(canonicalize_name(wanted.name), "")
        assert version, f"{wanted.name} is in no lock: run bin/lock"
        assert version in wanted.specifier, f"{line}, locked at {version}: run bin/lock"


def test_a_lock_names_versions_and_no_place() -> None:
    for path in (TOP / "requirements").glob("*.lock"):
        for line in path.read_text().splitlines():
            assert re.fullmatch(r"# made by bin/lock|[a-z0-9-]+==[\w.]+(; [^/]+)?", line), f"{path.name}: {line}"


def pins(layer: str) -> dict[str, str]:
    """Return name -> version of a layer and of the one it lies on."""
    text = "".join((TOP / f"requirements/{name}.lock").read_text() for name in {"runtime", layer})
    return dict(re.findall(r"^([a-z0-9-]+)==([\w.]+)", text, re.M))
