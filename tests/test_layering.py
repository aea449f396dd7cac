"""docs/architecture.md lists every module in reading order, and a module imports only from lines above its own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| `(streampoll/[^`]+\.py)` \|")


def test_every_module_has_its_row() -> None:
    rows = listed_files()
    missing = sorted(modules_with_code() - set(rows))
    gone = sorted(row for row in rows if not (TOP / row).exists())
    twice = sorted({row for row in rows if rows.count(row) > 1})

    complaints = [
        *(f"{path}: has no row" for path in missing),
        *(f"{path}: has a row and is gone" for path in gone),
        *(f"{path}: has two rows" for path in twice),
    ]
    assert not complaints, "docs/architecture.md:\n" + "\n".join(complaints)


def test_a_module_imports_only_from_rows_above_it() -> None:
    rank = {path: number for number, path in enumerate(listed_files())}
    complaints = [
        f"{path}:{line} imports {target}, which comes later"
        for path in rank
        if (TOP / path).exists()
        for line, target in imported_files(path)
        if target in rank and rank[target] > rank[path]
    ]
    assert not complaints, "against the order of docs/architecture.md:\n" + "\n".join(complaints)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {path: {target for _, target in imported_files(path)} for path in modules_with_code()}
    while ready := [path for path, targets in graph.items() if not targets & graph.keys()]:
        for path in ready:
            del graph[path]

    assert not graph, "in a circle, or importing one:\n" + "\n".join(sorted(graph))


def listed_files() -> list[str]:
    """Return the files of the table, in its order."""
    text = (TOP / "docs/architecture.md").read_text()
    return [match[1] for line in text.splitlines() if (match := ROW.match(line))]


def modules_with_code() -> set[str]:
    """Return every module but the `__init__` files that are only a docstring (and a version)."""
    paths = (TOP / "streampoll").rglob("*.py")
    return {str(path.relative_to(TOP)) for path in paths if path.name != "__init__.py" or imports_or_defines(path)}


def imports_or_defines(path: Path) -> bool:
    """Tell whether a module does more than name itself."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) for node in ast.walk(ast.parse(path.read_text())))


def imported_files(path: str) -> Iterator[tuple[int, str]]:
    """Yield (line, file) of all that a module imports from streampoll, wherever in it the import stands."""
    for node in ast.walk(ast.parse((TOP / path).read_text())):
        for name in imported_names(node, path):
            target = file_of(name)
            if target and target != path:
                yield getattr(node, "lineno", 0), target


def imported_names(node: ast.AST, path: str) -> list[str]:
    """Return the dotted names that an import statement may bind; `from a import b` may mean a or a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = absolute_name(node, path)
    submodules = [f"{base}.{alias.name}" for alias in node.names if file_of(f"{base}.{alias.name}")]
    return submodules if len(submodules) == len(node.names) else [base, *submodules]


def absolute_name(node: ast.ImportFrom, path: str) -> str:
    """Return the package a `from` names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    package = Path(path).with_suffix("").parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def file_of(name: str) -> str | None:
    """Return the file of a module of ours, by its dotted name."""
    base = Path(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if name.split(".")[0] == "streampoll" and (TOP / candidate).exists():
            return str(candidate)
    return None
