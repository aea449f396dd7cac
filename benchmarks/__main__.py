"""`bin/bench` lists the benchmarks; `bin/bench NAME… [OPTION…]` runs some, `bin/bench all` those that take minutes.

Options go to each of the benchmarks named: `--json` to all, others to one at a time.
"""

import ast
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import benchmarks

BY_HAND = {"soak"}  # hours: `all` leaves it out


def main(argv: list[str]) -> int:
    """Run what is named; 2 for a name that isn't there."""
    names = benchmark_names()
    asked, options = split(argv)
    if not asked:
        show(names)
        return 0
    if asked == ["all"]:
        asked = [name for name in names if name not in BY_HAND]
    if unknown := [name for name in asked if name not in names]:
        print(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    return max(run(name, options) for name in asked)


def split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Return (names, options): names come first."""
    first = next((number for number, word in enumerate(argv) if word.startswith("-")), len(argv))
    return argv[:first], argv[first:]


def benchmark_names() -> list[str]:
    """Return the modules that have a `main`, without importing them."""
    modules = (module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__")
    return sorted(name for name in modules if any(_is_main(node) for node in _tree(name).body))


def show(names: list[str]) -> None:
    """Print each benchmark with its first line."""
    print("bin/bench NAME… [OPTION…]      (`bin/bench all` runs each with its defaults, but for those of hours)\n")
    for name in names:
        print(f"  {name:12} {(ast.get_docstring(_tree(name)) or '').splitlines()[0]}")


def run(name: str, argv: list[str]) -> int:
    """Run one benchmark in a process of its own, so that none warms another; its exit code."""
    tied = [sys.executable, "-m", "benchmarks.rig.tied", str(os.getpid()), f"benchmarks.{name}"]
    return subprocess.call([*tied, *argv])


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "main"


def _tree(name: str) -> ast.Module:
    path = Path(benchmarks.__path__[0]) / f"{name}.py"
    return ast.parse(path.read_text()) if path.exists() else ast.Module([], [])  # a package is no benchmark


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
