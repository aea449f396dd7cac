"""Exporters' text as metrics and tables."""

import pytest

from streampoll.http.findings import Findings
from streampoll.http.plan import HttpPlan
from streampoll.http.port import Failure
from streampoll.http.prometheus import OPENMETRICS, parse_selector, read
from tests.http_support import plan

TEXT = """\
# HELP node_load1 1m load average.
# TYPE node_load1 gauge
node_load1 0.42
# TYPE node_network_receive_bytes_total counter
node_network_receive_bytes_total{device="eth0"} 18446744073709551615
node_network_receive_bytes_total{device="lo"} 1.5e+06
node_network_transmit_bytes_total{device="eth0"} 7
node_cpu_seconds_total{cpu="0",mode="idle"} 1.5
node_cpu_seconds_total{cpu="0",mode="user"} 2.5
node_cpu_seconds_total{cpu="1",mode="idle"} 3.5
node_odd NaN
go_gc_duration_seconds{quantile="0"} +Inf
"""
HEAD = 'tls = false\n[requests.m]\npath = "/metrics"\nformat = "prometheus"\n'


def found(text: str, rules: HttpPlan, content_type: str = "text/plain") -> Findings:
    findings = Findings()
    read(text, content_type, rules.requests[0], findings, 1.0)
    return findings


def test_metrics_without_labels_are_values_and_others_tables() -> None:
    findings = found(TEXT, plan(HEAD + 'metrics = ["node_load*", "node_cpu_*"]\n'))

    assert findings.values == {"node_load1": 0.42}
    assert list(findings.tables) == ["node_cpu_seconds_total"]
    assert findings.tables["node_cpu_seconds_total"].columns == ("cpu", "mode", "value")
    assert findings.tables["node_cpu_seconds_total"].rows[0] == ['cpu="0",mode="idle"', "0", "idle", 1.5]


def test_one_label_alone_is_the_key() -> None:
    rows = found(TEXT, plan(HEAD + 'metrics = ["node_network_receive*"]\n')).tables["node_network_receive_bytes_total"]

    assert (rows.key, rows.rows) == ("device", [["eth0", "eth0", 2**64 - 1], ["lo", "lo", 1.5e6]])


def test_metrics_are_joined_by_the_labels_they_share() -> None:
    rules = plan(
        HEAD
        + """
[requests.m.tables.ports]
labels = ["device"]
[requests.m.tables.ports.columns]
rx = "node_network_receive_bytes_total"
tx = "node_network_transmit_bytes_total"
"""
    )

    findings = found(TEXT, rules)

    assert findings.tables["ports"].rows == [["eth0", "eth0", 2**64 - 1, 7], ["lo", "lo", 1.5e6, None]]
    assert findings.missing == {"ports.tx": "not in the answer in some rows"}


def test_a_sample_is_chosen_by_its_labels() -> None:
    rules = plan(
        HEAD
        + """scalars = { user = 'node_cpu_seconds_total{mode="user"}' }
[requests.m.tables.cpus]
labels = ["cpu"]
columns = { idle = 'node_cpu_seconds_total{mode="idle"}' }
"""
    )

    findings = found(TEXT, rules)

    assert findings.values == {"user": 2.5}
    assert findings.tables["cpus"].rows == [["0", "0", 1.5], ["1", "1", 3.5]]


def test_what_is_no_number_is_missing_with_its_name() -> None:
    findings = found(TEXT, plan(HEAD + 'metrics = ["*"]\n'))

    assert (findings.values["node_odd"], findings.missing["node_odd"]) == (None, "nan")
    assert findings.missing["go_gc_duration_seconds.value"] == "inf in some rows"


def test_a_metric_that_is_not_there_is_missing() -> None:
    findings = found(TEXT, plan(HEAD + 'scalars = { a = "nowhere", load = "node_load1" }\n'))

    assert (findings.values, findings.missing) == ({"a": None, "load": 0.42}, {"a": "not in the answer"})


def test_openmetrics_is_read_where_it_comes() -> None:
    text = "# TYPE requests counter\nrequests_total 5\n# EOF\n"

    assert found(text, plan(HEAD + 'metrics = ["*"]\n'), OPENMETRICS).values == {"requests_total": 5}


@pytest.mark.parametrize("text", ["<html>", "word", 'a{b="c} 1', 'a{x="1",x="2"} 1'])
def test_what_is_not_the_format_is_a_failure_that_does_not_quote_it(text: str) -> None:
    with pytest.raises(Failure) as failure:
        found(text, plan(HEAD + 'metrics = ["*"]\n'))

    assert failure.value.cause == "not in Prometheus' text format"


@pytest.mark.parametrize("text", ["a b", "a{b}", "a{b=1}", 'a{b="c"', "{}", "", 'a{b="c" d="e"}'])
def test_what_selects_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a metric"):
        parse_selector(text)
