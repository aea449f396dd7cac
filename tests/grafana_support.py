"""The dashboards of conf/grafana/: their queries, with Grafana's macros and variables replaced as it would do."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parent.parent
DASHBOARDS = sorted((TOP / "conf/grafana/dashboards").glob("*.json"))


@dataclass(frozen=True, slots=True)
class Query:
    """One query of one panel."""

    dashboard: str
    panel: str
    language: str  # sql, promql
    text: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.text}"


def queries() -> Iterator[Query]:
    """Yield every query of every dashboard, those of variables too."""
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield Query(path.stem, f"variable {variable['name']}", "sql", variable["query"])
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                language = "sql" if "rawSql" in target else "promql"
                yield Query(path.stem, panel["title"], language, target.get("rawSql") or target["expr"])


def as_sql(text: str, device: str, since: int, until: int) -> str:
    """Replace what Grafana's PostgreSQL data source replaces."""
    text = re.sub(r"\$__timeFilter\(([\w.]+)\)", rf"\1 BETWEEN to_timestamp({since}) AND to_timestamp({until})", text)
    text = re.sub(r"\$__timeGroupAlias\(([\w.]+), '1m'\)", r'floor(extract(epoch FROM \1) / 60) * 60 AS "time"', text)
    return text.replace("${device:sqlstring}", f"'{device}'")


def as_promql(text: str, device: str, rate_s: int) -> str:
    """Replace what its Prometheus data source replaces."""
    return text.replace("$device", device).replace("$__rate_interval", f"{rate_s}s")
