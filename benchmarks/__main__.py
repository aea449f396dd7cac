"""`bin/bench` lists the benchmarks; `bin/bench NAME [OPTION…]` runs one, `bin/bench all` each with its defaults."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import benchmarks


def main(argv: list[str]) -> int:
    """Run what is named; 2 for a name that isn't there."""
    names = benchmark_names()
    if not argv or argv[0] in {"-h", "--help"}:
        show(names)
        return 0
    if argv[0] == "all":
        return max(run(name, []) for name in names)
    if argv[0] not in names:
        print(f"there is no benchmark {argv[0]!r}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    return run(argv[0], argv[1:])


def benchmark_names() -> list[str]:
    """Return the modules that have a `main`, without importing them."""
    modules = (module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__")
    return sorted(name for name in modules if any(_is_main(node) for node in _tree(name).body))


def show(names: list[str]) -> None:
    """Print each benchmark with its first line."""
    print("bin/bench NAME [OPTION…]      (`bin/bench all` runs each with its defaults)\n")
    for name in names:
        print(f"  {name:12} {(ast.get_docstring(_tree(name)) or '').splitlines()[0]}")


def run(name: str, argv: list[str]) -> int:
    """Run one benchmark in a process of its own, so that none warms another; its exit code."""
    return subprocess.call([sys.executable, "-m", f"benchmarks.{name}", *argv])


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "main"


def _tree(name: str) -> ast.Module:
    return ast.parse((Path(benchmarks.__path__[0]) / f"{name}.py").read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
