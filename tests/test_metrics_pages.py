"""`/metrics` and `/metrics/device`: what their text says, by prometheus_client's own parser; and docs/metrics.md."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.errors import ConfigError, PostgresUnavailable
from streampoll.model import Outcome, Status, Table, Trace
from streampoll.observe.catalogue import SPECS
from streampoll.observe.device_metrics import DevicePage
from streampoll.observe.exposition import Scrape, exposition
from streampoll.observe.figures import Leader, QueueRow, Stats, WorkerRow
from streampoll.observe.metrics_app import MetricsRoutes, metrics_app, read_address
from streampoll.pollers.counts import PollCounts
from streampoll.results.reader import StoredPoll, UnknownNameError
from tests.docs_support import text_of

PLANS = read_profiles(Path("/nonexistent"), "profiles", Report())
CAUSES = ("silent", "midway", "unsent")
NOW = 1_700_000_000.0


def samples(page: bytes) -> dict[str, float]:
    """Return a page's samples by `name{label=value,…}`, labels in order."""
    return {
        f"{sample.name}{{{','.join(f'{name}={text}' for name, text in sorted(sample.labels.items()))}}}": sample.value
        for family in parse(page.decode())
        for sample in family.samples
    }


# -- the fleet


def scrape(**counted: int) -> Scrape:
    queues = [QueueRow("polling", shard, waiting=2, in_flight=1, oldest_s=float(shard), dead=3) for shard in (0, 1)]
    worker = WorkerRow("w", "h", 7, "general", "running", rss_bytes=60, loop_lag_s=0.25, uptime_s=9.0, index=1)
    draining = WorkerRow("v", "h", 6, "general", "draining", rss_bytes=80, loop_lag_s=0.01, uptime_s=99.0, index=1)
    return Scrape(
        Stats(NOW, queues, [worker, draining], Leader("c", 5, 12.0, "h", 70, 0.5), alarms=["!"], stores_waiting=1),
        counted,
    )


def test_polls_and_their_times_are_counted_by_protocol_and_outcome() -> None:
    counts = PollCounts()
    counts.note(Outcome(Status.OK, requests=2, varbinds=9, protocol="snmp"), 0.02, 0.3)
    counts.note(Outcome(Status.TIMEOUT, requests=2, protocol="snmp"), 4.0, 0.3)
    counts.note(Outcome(Status.TIMEOUT, requests=2, first_reply=NOW, protocol="snmp"), 4.0, 0.3)
    counts.note(Outcome(Status.TIMEOUT, protocol="snmp"), 4.0, 0.3)
    counts.note(Outcome(Status.EXPIRED), 0.0, 61.0)
    found = samples(exposition(scrape(**counts.lay_out())))
    assert found["streampoll_polls_total{outcome=ok,protocol=snmp}"] == 1
    assert found["streampoll_polls_total{outcome=expired,protocol=none}"] == 1
    assert found["streampoll_poll_duration_seconds_bucket{le=0.025,protocol=snmp}"] == 1
    assert found["streampoll_poll_duration_seconds_bucket{le=+Inf,protocol=snmp}"] == 4
    assert found["streampoll_poll_duration_seconds_count{protocol=snmp}"] == 4
    assert found["streampoll_poll_duration_seconds_sum{protocol=snmp}"] == pytest.approx(12.02)
    assert found["streampoll_poll_start_lateness_seconds_bucket{le=60.0,protocol=none}"] == 0
    causes = {cause: found[f"streampoll_poll_timeouts_total{{cause={cause},protocol=snmp}}"] for cause in CAUSES}
    assert causes == {"silent": 1, "midway": 1, "unsent": 1}
    assert counts.by_status == {"ok": 1, "timeout": 3, "expired": 1}
    assert (counts.requests, counts.varbinds) == (6, 9)


def test_gauges_are_what_stats_shows() -> None:
    found = samples(exposition(scrape()))
    assert found["streampoll_queue_waiting{class=polling}"] == 4
    assert found["streampoll_queue_oldest_seconds{class=polling}"] == 1
    assert found["streampoll_dead_letters{class=polling}"] == 6
    assert found["streampoll_leader_since_seconds{}"] == 12
    assert found["streampoll_workers{pool=general,state=running}"] == 1
    assert (found["streampoll_stores_waiting{}"], found["streampoll_alarms{}"]) == (1, 1)


def test_two_processes_of_one_place_are_one_series() -> None:
    found = samples(exposition(scrape()))
    assert found["streampoll_worker_resident_memory_bytes{host=h,index=1,pool=general}"] == 80
    assert found["streampoll_worker_loop_lag_seconds{host=h,index=1,pool=general}"] == 0.25


def test_the_leader_is_a_process_too() -> None:
    found = samples(exposition(scrape()))
    assert found["streampoll_worker_resident_memory_bytes{host=h,index=0,pool=coordinator}"] == 70
    assert found["streampoll_worker_loop_lag_seconds{host=h,index=0,pool=coordinator}"] == 0.5


def test_counters_whose_labels_are_known_begin_at_0() -> None:
    """Prometheus sees no increase in a series that begins at 1: the alert on the first dead letter would not fire."""
    found = samples(exposition(scrape()))
    assert found["streampoll_entries_buried_total{class=polling}"] == 0
    assert found["streampoll_polls_skipped_total{cause=backlog}"] == 0


def test_with_redis_away_nothing_is_made_up() -> None:
    found = samples(exposition(Scrape(Stats(NOW, troubles=("Redis is away",)), {})))
    assert {key.partition("{")[0] for key in found} == {"streampoll_redis_up", "streampoll_build_info"}
    assert found["streampoll_redis_up{}"] == 0


def test_what_an_older_or_newer_process_counted_does_no_harm() -> None:
    page = exposition(scrape(**{"polls|snmp": 1, "from_the_future|x": 2, "poll_duration|snmp|99": 1}))
    assert "future" not in page.decode()
    assert list(parse(page.decode()))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_names_have_units_and_counters_end_in_total(spec) -> None:
    assert re.fullmatch(r"streampoll_[a-z][a-z0-9_]*", spec.name)
    assert spec.name.endswith("_total") == (spec.kind == "counter")
    assert not re.search(r"_(ms|minutes|kb|mb|count|sum|bucket)(_|$)", spec.name)
    assert re.fullmatch(r"[A-Z0-9].*\.", spec.help)
    assert not {"device", "target", "id", "slot"} & set(spec.labels)


def test_every_metric_is_in_the_docs_with_its_type_and_labels() -> None:
    rows = re.findall(
        r"^\| `(streampoll_\w+)`(?: \{([\w, ]+)\})? \| (\w+) \| (.+) \|$", text_of("docs/metrics.md"), re.M
    )
    described = {(name, kind, labels, text) for name, labels, kind, text in rows}
    assert described == {(spec.name, str(spec.kind), ", ".join(spec.labels), spec.help) for spec in SPECS}


# -- a device


def stored(outcome: Outcome, status: Status = Status.OK, done: float = NOW - 7) -> StoredPoll:
    trace = Trace(done - 2, done - 2, done - 1, done, done, 1, "w")
    return StoredPoll("fast", "core-1", int(NOW) - 10, status, 1_500, 3_000, outcome, trace)


INTERFACES = Table(
    ("ifName", "ifAlias", "ifOperStatus", "ifHCInOctets", "ifPhysAddress", "ifHighSpeed"),
    [("1", "lo", None, 1, 2**64 - 1, b"\x00\x1b\x21\x3c\x4d\xff", None), ("2", 'e"0\\', "x\ny", 2, 5, "text", 1000)],
    key="ifName",
)


def device_page(*polls: StoredPoll) -> str:
    page = DevicePage(PLANS)
    for poll in polls:
        page.add(poll, NOW)
    return page.text().decode()


def test_a_device_has_the_names_types_and_labels_of_snmp_exporter() -> None:
    outcome = Outcome(Status.OK, "", {"sysUpTime": 4_200}, {"interfaces": INTERFACES}, profile="interfaces")
    text = device_page(stored(outcome))
    assert 'ifHCInOctets{ifIndex="1",ifName="lo",ifAlias=""} 18446744073709551615\n' in text
    assert 'ifHCInOctets{ifIndex="2",ifName="e\\"0\\\\",ifAlias="x\\ny"} 5\n' in text
    assert "# TYPE ifHCInOctets counter\n" in text
    assert "# HELP ifHCInOctets ifHCInOctets - 1.3.6.1.2.1.31.1.1.1.6\n" in text
    assert "\nsysUpTime 4200\n" in text
    found = samples(text.encode())
    assert found["ifOperStatus{ifAlias=,ifIndex=1,ifName=lo}"] == 1
    assert not any(key.startswith("ifHighSpeed{ifAlias=,ifIndex=1,") for key in found)  # null is no sample, never 0
    assert any(key.startswith("ifPhysAddress{ifAlias=,ifIndex=1") and "00:1b:21:3c:4d:ff" in key for key in found)


def test_how_a_device_is_and_how_old_that_is_stands_beside() -> None:
    found = samples(device_page(stored(Outcome(Status.OK, profile="system"))).encode())
    assert found["streampoll_device_up{job=fast,profile=system}"] == 1
    assert found["streampoll_device_result_age_seconds{job=fast,profile=system}"] == 7
    assert found["streampoll_device_poll_duration_seconds{job=fast,profile=system}"] == 1.5


def test_a_device_that_did_not_answer_has_no_values_but_its_status() -> None:
    outcome = Outcome(Status.TIMEOUT, "no answer", {"sysUpTime": 1}, profile="system")
    found = samples(device_page(stored(outcome, Status.TIMEOUT)).encode())
    assert found["streampoll_device_up{job=fast,profile=system}"] == 0
    assert found["streampoll_device_poll_status{job=fast,profile=system,status=timeout}"] == 1
    assert not any(key.startswith("sysUpTime") for key in found)


def test_of_two_polls_with_the_same_metric_the_newer_is_shown() -> None:
    polls = [stored(Outcome(Status.OK, "", {"sysUpTime": value}, profile="system")) for value in (2, 1)]
    assert samples(device_page(*polls).encode())["sysUpTime{}"] == 2


def test_any_name_and_value_is_a_page_that_can_be_parsed() -> None:
    table = Table(("1 col-umn", "x"), [("a", float("inf"), "y"), ("b", float("nan"), b"\xff")])
    outcome = Outcome(Status.OK, "", {"9 lives!": True, "\n": 1, "n": -0.5}, {"t t": table}, profile="gone")
    found = samples(device_page(stored(outcome)).encode())
    assert found["_9_lives_{}"] == 1
    assert found["_1_col_umn{t_t_index=a}"] == float("inf")


# -- over HTTP


async def ask(path: str, device: Callable[[str, str], bytes] = lambda *_: b"", method: str = "GET") -> httpx.Response:
    """Ask an application whose fleet's page is short."""

    async def fleet() -> bytes:
        return b"fleet 1\n"

    async def one(target: str, module: str) -> bytes:
        return device(target, module)

    transport = httpx.ASGITransport(metrics_app(MetricsRoutes(fleet, one)))
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as client:
        return await client.request(method, path)


async def test_the_pages_are_served_as_prometheus_wants_them() -> None:
    fleet = await ask("/metrics")
    assert (fleet.text, fleet.headers["content-type"][:25]) == ("fleet 1\n", "text/plain; version=0.0.4")
    device = await ask("/metrics/device?target=core-1&module=if", lambda target, module: f"{target} {module}".encode())
    assert device.text == "core-1 if"
    assert (await ask("/metrics", method="POST")).status_code == 405


@pytest.mark.parametrize(
    ("error", "status"), [(UnknownNameError("no results of a device 'x'"), 404), (PostgresUnavailable("away"), 503)]
)
async def test_what_went_wrong_is_said_in_one_line(error: Exception, status: int) -> None:
    def fail(target: str, module: str) -> bytes:
        raise error

    answer = await ask("/metrics/device?target=x", fail)
    assert (answer.status_code, answer.text) == (status, f"{error}\n")


@pytest.mark.parametrize("query", ["", "?module=if", "?target=", f"?target={'x' * 600}"])
async def test_a_device_page_needs_a_target(query: str) -> None:
    assert (await ask(f"/metrics/device{query}")).status_code == 400


@pytest.mark.parametrize("text", ["", "9585", ":9585", "localhost:", "h:70000", "h:x"])
def test_an_address_that_is_none_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write 127\.0\.0\.1:9585"):
        read_address("metrics.listen", text)


def test_an_address_is_a_host_and_a_port() -> None:
    assert read_address("x", "0.0.0.0:9585") == ("0.0.0.0", 9585)
    assert read_address("x", "[::1]:9585") == ("::1", 9585)
