"""SQL lives in sql/*.sql, each query under a `-- name:` line and a sentence; here it is read, once."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(file: str) -> dict[str, str]:
    """Return the queries of sql/`file` by name."""
    _, *parts = _NAME.split((files("streampoll.results") / "sql" / file).read_text(encoding="utf-8"))
    return dict(zip(parts[0::2], parts[1::2], strict=True))
