"""Environments of the peers: each its own, since they want versions of redis-py that exclude one another.

`.venv-peers/NAME` is made by pip from group `peer-NAME` of pyproject.toml when first needed, and again when the group
changes. What can't be installed is a missing peer: named in the results with the reason, never skipped silently.
"""

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
APPS = TOP / "benchmarks" / "contenders" / "apps"  # what runs in these environments
_INSTALL_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python with a peer installed."""

    python: Path
    versions: dict[str, str]


class MissingPeer(Exception):  # noqa: N818 - reads as what it is
    """A peer is not there; the text says why, in one line."""


def peer_environment(name: str) -> Environment:
    """Return the environment of a peer, made if need be.

    Raises:
        MissingPeer: it can't be installed.
    """
    wanted = tomllib.loads((TOP / "pyproject.toml").read_text())["dependency-groups"][f"peer-{name}"]
    where = TOP / ".venv-peers" / name
    stamp, python = where / ".stamp", where / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != repr(wanted):
        print(f"installing {name} into {where.relative_to(TOP)} (once)", file=sys.stderr)
        _run([sys.executable, "-m", "venv", "--clear", str(where)], name)
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-input", *wanted], name)
        stamp.write_text(repr(wanted))
    return Environment(python, _versions(python))


def _run(command: list[str], name: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        raise MissingPeer(f"{name} can't be installed: {said[-1] if said else error}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingPeer(f"{name} can't be installed: {error}") from error


def _versions(python: Path) -> dict[str, str]:
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {each["name"].lower(): each["version"] for each in json.loads(listed.stdout)}
