"""conf/prometheus/ and conf/grafana/: rules that promtool accepts and that fire, metrics that there are."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from streampoll.observe.catalogue import SPECS, Kind
from tests.docs_support import text_of
from tests.grafana_support import DASHBOARDS, as_promql, as_sql, queries
from tests.prometheus_support import program

TOP = Path(__file__).parent.parent
RULES = TOP / "conf/prometheus/streampoll.rules.yml"
ALERTS = TOP / "tests/prometheus/alerts.test.yml"
EXPOSED = {spec.name for spec in SPECS if spec.kind is not Kind.HISTOGRAM} | {
    f"{spec.name}_{part}" for spec in SPECS if spec.kind is Kind.HISTOGRAM for part in ("bucket", "sum", "count")
}


def promtool(*arguments: object) -> None:
    done = subprocess.run([program("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules_and_the_scrape_configuration() -> None:
    promtool("check", "rules", RULES)
    promtool("check", "config", TOP / "conf/prometheus/prometheus.yml")


def test_every_alert_is_quiet_and_then_fires() -> None:
    promtool("test", "rules", ALERTS)
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    tested = {each["alertname"]: bool(each["exp_alerts"])
              for test in yaml.safe_load(ALERTS.read_text())["tests"] for each in test["alert_rule_test"]}  # fmt: skip
    assert tested == dict.fromkeys(alerts, True)  # the last of each is the one that fires


@pytest.mark.parametrize("path", [RULES, ALERTS, *DASHBOARDS], ids=lambda path: path.name)
def test_every_metric_that_is_named_is_exposed(path: Path) -> None:
    page = set(re.findall(r"`(streampoll_device_\w+)`", text_of("docs/metrics.md")))
    named = set(re.findall(r"\bstreampoll_[a-z_]+[a-z]\b", path.read_text()))
    assert named - EXPOSED - page == set()


def test_dashboards_leave_no_variable_that_the_tests_do_not_know() -> None:
    for query in queries():
        replaced = as_sql(as_promql(query.text, "d", 1), "d", 0, 1)
        assert "$" not in replaced, query


def test_panels_have_titles_data_sources_and_places_of_their_own() -> None:
    for path in DASHBOARDS:
        panels = yaml.safe_load(path.read_text())["panels"]
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
            assert not cells & taken, panel["title"]
            taken |= cells
            assert panel["type"] == "row" or panel["datasource"]["uid"] in ("${prometheus}", "${postgres}")
