"""Traces of a real deployment, sent to a real collector: one poll is one trace, whoever had to do with it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.embedded.fleet import FleetSettings
from tests.e2e_support import START_S, Deployment, deployed
from tests.tracing_support import Collector, collecting
from tests.waiting import eventually

TASKS = """\
from opentelemetry import trace
from streampoll import task


@task(name="report")
async def report():
    trace.get_tracer("own").start_span("inside").end()
"""
MORE = """\
[analysis]
enabled = true
[log]
format = "json"
[tasks]
modules = ["own_tasks"]
"""
FLEET = FleetSettings(devices=12, silent=0.25, latency_ms=(1.0, 5.0), interfaces=(1, 2))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def system(
    open_directory: Path, fresh_redis: str, fresh_database: str, collector: Collector
) -> Iterator[Deployment]:  # fmt: skip
    (open_directory / "own_tasks.py").write_text(TASKS)
    with deployed(open_directory, fresh_redis, fresh_database, "2s", FLEET, MORE) as deployment:
        deployment.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        yield deployment


def test_a_poll_is_one_trace_from_its_dispatch_to_its_row_and_so_is_a_task(
    system: Deployment, collector: Collector
) -> None:
    system.start("coordinator")
    workers = system.start("worker", "--processes", "1")
    assert system.run("send", "report").returncode == 0
    eventually(lambda: collector.named("store", status="ok") and collector.named("store", status="timeout"), START_S)
    eventually(lambda: collector.named("store task", status="done"), START_S)
    figures = system.settle()
    assert workers.stop() == 0  # the last spans are sent before it ends

    task = collector.of(collector.named("inside")[0].trace)
    assert not task["task report"].parent
    assert {task["inside"].parent, task["store task"].parent} == {task["task report"].id}

    said = [json.loads(line) for line in workers.said.splitlines()]
    failing = next(each for each in said if "begins to fail by job fast: timeout: " in each["message"])
    assert failing.keys() >= {"job", "device", "slot", "shard"}
    assert failing["worker"] in {span.process for span in collector.named("poll")}

    stored = collector.named("store")
    traces = {span.trace: collector.of(span.trace) for span in stored}
    assert len(traces) == figures["expected"]
    for spans in traces.values():
        assert {name for name in spans if name != "analyse"} == {"dispatch", "poll", "store"}
        assert {span.parent for name, span in spans.items() if name != "dispatch"} == {spans["dispatch"].id}
        assert not spans["dispatch"].parent
        assert [spans[name].service for name in ("dispatch", "poll")] == ["streampoll-coordinator", "streampoll-worker"]
    assert collector.named("analyse")
    batches = collector.named("store batch")
    assert {link for span in batches for link in span.links} >= {spans["dispatch"].id for spans in traces.values()}
    assert {link for span in stored for link in span.links} <= {span.id for span in batches}
    assert all(span.links for span in stored)

    names = ("job", "profile", "status", "requests", "delivery")
    polled = {tuple(span.says[f"streampoll.{name}"] for name in names) for span in collector.named("poll")}
    assert ("fast", "system", "ok", 1, 1) in polled
    assert {span.failure.partition(":")[0] for span in collector.named("poll", status="timeout")} == {"timeout"}
