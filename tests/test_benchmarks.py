"""The benchmarks: each says what it is, and tiny runs give the figures that are promised under `--json`."""

import asyncio
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from benchmarks import endtoend, peers, queue, silent, soak
from benchmarks.__main__ import benchmark_names, split
from benchmarks.contenders import celery, collectd, snmp_exporter, streampoll
from benchmarks.contenders.apps.walk import Walk
from benchmarks.contenders.ground import Asked, Ground, Runner, Sample, Short, Value, asked, sample, verify
from benchmarks.endtoend import Trial
from benchmarks.peers import ratios
from benchmarks.rig import cores
from benchmarks.rig.arrivals import Due, arrivals
from benchmarks.rig.cores import Cores, divide
from benchmarks.rig.deployment import UNDONE, Deployment, Shape, Window
from benchmarks.rig.environments import MissingPeer, peer_environment
from benchmarks.rig.roles import Roles, spent
from streampoll.model import Outcome, Status, Table, Trace
from streampoll.results.codec import encode_payload
from tests.results_support import NOON, result_entry
from tests.results_support import bench as results_bench
from tests.waiting import eventually

TOP = Path(__file__).resolve().parent.parent
OURS = ("codec", "endtoend", "peers", "queue", "scale", "silent", "soak", "store")


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=120, check=False)


def test_every_benchmark_of_the_rig_is_listed() -> None:
    assert set(OURS) <= set(benchmark_names())


@pytest.mark.parametrize("name", benchmark_names())
def test_a_benchmark_says_what_it_is_and_takes_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main(["--help"])

    assert ended.value.code == 0
    assert {"--json", "--plots"} <= set(capsys.readouterr().out.replace(",", " ").split())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("http", ("--devices", "3", "--cycles", "1")),
        ("ssh", ("--devices", "3", "--cycles", "1")),
        ("fleet", ("--devices", "3", "--rounds", "1", "--requests", "10")),
        ("discover", ("--bits", "8")),
    ],
)
def test_the_smaller_ones_give_an_object_too(name: str, options: tuple[str, ...]) -> None:
    done = bench(name, *options, "--json")

    [line] = done.stdout.splitlines()
    said = json.loads(line)
    assert (said["benchmark"], said["missing"]) == (name, {}), done.stderr
    assert said["metrics"]
    assert said["machine"]["cores"] > 0


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that the user of an embedded PostgreSQL may enter; pytest's are closed."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o711)
        yield Path(made)


def test_a_benchmark_that_is_killed_leaves_nothing_behind(open_directory: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "endtoend", "--load", "get10", "--rate", "50"]
    environ = {**os.environ, "TMPDIR": str(open_directory), "BENCHMARK": str(open_directory)}
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.DEVNULL, env=environ) as process:
        eventually(lambda: any("streampoll worker" in each for each in processes_of(open_directory)), 60)
        process.kill()
    eventually(lambda: not processes_of(open_directory), 60)
    assert not list(open_directory.iterdir())


def processes_of(mark: Path) -> list[str]:
    """Return the commands of processes that have this in their environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"BENCHMARK={mark}\0".encode() in (each / "environ").read_bytes():
                found.append((each / "cmdline").read_text().replace("\0", " "))
    return found


def test_a_name_that_is_none_is_refused_with_those_there_are() -> None:
    done = bench("codec", "endtoned", "--json")

    assert done.returncode == 2
    assert "'endtoned'" in done.stderr
    assert "endtoend" in done.stderr


def test_names_come_before_options() -> None:
    assert split(["store", "codec", "--json", "--rounds", "2"]) == (["store", "codec"], ["--json", "--rounds", "2"])


def test_endtoend_gives_the_figures_that_are_promised() -> None:
    done = bench(
        "endtoend", "--load", "get10", "--rate", "20", "--interval", "5", "--seconds", "3", "--warm", "0", "--json"
    )

    [line] = done.stdout.splitlines()
    said = json.loads(line)
    assert said["benchmark"] == "endtoend", done.stderr
    metrics = said["metrics"]
    assert 0.0 < metrics["of_bare_loop"] < 1.0
    promised = {"devices_per_minute", "lateness_p99_s", "missing", "duplicates", "varbinds_per_s", "cpu_us_per_device"}
    assert promised <= metrics.keys()
    assert metrics["cpu_us_per_device"].keys() == {"coordinator", "worker", "redis", "postgres", "fleet"}
    assert (metrics["missing"], metrics["duplicates"], metrics["requests_per_device"]) == (0, 0, 1.0)
    assert metrics["redis_reads_per_device"] > 0


def test_several_benchmarks_give_a_line_each() -> None:
    done = bench("store", "codec", "--rounds", "1", "--json", "--help")

    assert done.stdout.count("usage:") == 2


def test_a_ratio_is_of_devices_for_each_second_of_cpu() -> None:
    ours = [Sample(10, 1_000, {"coordinator": 0.1, "worker": 0.4, "redis": 0.3, "postgres": 0.2})]
    theirs = [Sample(10, 100, {"worker": 2.0}), Sample(10, 100, {"worker": 2.0})]

    found = ratios({"streampoll": ours, "celery": theirs})

    assert found == {"celery": {"everything": 20.0, "own_processes": 40.0}}


def test_peers_counts_what_streampoll_stores_of_a_walk() -> None:
    done = bench(
        "peers", "--load", "walk90", "--peers", "streampoll", "spine", "--rate", "20", "--warm", "0", "--rounds", "1",
        "--seconds", "2", "--json",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["metrics"]["load"], said["metrics"]["values_per_device"]) == ("walk90", 90)
    assert said["metrics"]["peers"]["streampoll"]["devices"] > 0
    assert said["missing"] == {"spine": "asks for single values, and walks no tables"}


@pytest.mark.parametrize(
    ("brought", "code", "why"),
    [
        ([90, 90], 0, None),
        ([90, 58], 1, "58 values a device to 90, not 90"),
        ([10], 1, "10 values a device, not 90"),
        ([], 1, "0 values a device, not 90"),
        (asyncpg.PostgresError("it went away"), 1, "it went away"),
    ],
)
def test_a_contender_that_does_not_bring_all_values_is_an_error_and_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    brought: list[int] | Exception, code: int, why: str | None,
) -> None:  # fmt: skip
    stand_ins = {"streampoll": contender([90]), "celery + pysnmp": contender(brought)}
    monkeypatch.setattr(peers, "PEERS", stand_ins)
    monkeypatch.setattr(peers, "room", lambda: nullcontext(tmp_path))
    monkeypatch.setattr(peers, "servers", lambda where: nullcontext())
    monkeypatch.setattr(peers, "fleet_of", lambda settings, devices: nullcontext((SimpleNamespace(pid=0), 161)))

    found = peers.main(["--load", "walk90", "--seconds", "0", "--warm", "0", "--json"])

    said = json.loads(capsys.readouterr().out)
    assert found == code
    assert said["missing"].get("celery + pysnmp") == why
    assert ("celery + pysnmp" in said["metrics"]["peers"]) is (why is None)


def contender(brought: list[int] | Exception) -> Callable[[Ground], AbstractContextManager[Runner]]:
    """A contender that does nothing, and says that devices gave so many values, or can't say."""

    def values() -> list[int]:
        if isinstance(brought, Exception):
            raise brought
        return brought

    @contextmanager
    def run(ground: Ground) -> Iterator[Runner]:
        done = count(100, 100)
        yield Runner(Roles({"coordinator": [], "worker": []}), lambda: next(done), values, {})

    return run


ROUND = Sample(1.0, 1_000, {"worker": 1.0})


@pytest.mark.parametrize(
    ("rounds", "why"),
    [
        ([ROUND, replace(ROUND, failed=10)], None),
        ([ROUND, replace(ROUND, failed=21)], "21 polls failed beside 2000 that did not"),
        ([ROUND, replace(ROUND, devices=0)], "in one of the rounds not a device was polled"),
    ],
)
def test_a_contender_whose_polls_fail_or_cease_has_no_figure(rounds: list[Sample], why: str | None) -> None:
    runner = Runner(Roles({}), lambda: 0, lambda: [10], {})

    with pytest.raises(Short, match=why) if why else nullcontext():
        verify(runner, 10, rounds)


def test_a_contender_that_has_ended_has_no_figure() -> None:
    with subprocess.Popen(["false"]) as process:
        process.wait()

        with pytest.raises(Short, match=r"'false'.* ended with 1"):
            verify(Runner(Roles({}), lambda: 0, lambda: [10], {}, [process]), 10, [ROUND])


def test_what_a_contender_did_is_counted_over_the_while_in_which_its_cpu_is() -> None:
    order: list[str] = []

    class Spying(Roles):
        def cpu_s(self) -> dict[str, float]:
            order.append("cpu")
            return {}

    def done() -> int:
        order.append("devices")
        return len(order)

    found = sample(Runner(Spying({}), done, list, {}, failed=lambda since: 3), 0.0)

    assert order == ["cpu", "devices"] * 2
    assert (found.devices, found.failed) == (2, 3)


def test_tasks_of_celery_that_raised_are_counted_from_then_on(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text(
        "[2026-01-01 10:00:00,123: ERROR/ForkPoolWorker-1] Task pysnmp[a] raised unexpected: RuntimeError('x')\n"
        "Traceback (most recent call last):\n"
        "[2026-01-01 10:00:05,123: ERROR/ForkPoolWorker-1] Task pysnmp[b] raised unexpected: RuntimeError('x')\n"
        "[2026-01-01 10:00:06,123: WARNING/MainProcess] something else\n"
    )
    began = datetime(2026, 1, 1, 10, 0, 5).astimezone().timestamp()  # as the worker writes it: local time

    assert [celery.failed_of(log, began - 5), celery.failed_of(log, began), celery.failed_of(log, began + 1)] == [
        2, 1, 0,
    ]  # fmt: skip


class Exporter(BaseHTTPRequestHandler):
    """Breaks the connection of its first scrape off, and answers all others."""

    protocol_version = "HTTP/1.1"
    broken = False

    def do_GET(self) -> None:
        if not Exporter.broken:
            Exporter.broken = self.close_connection = True
            return
        body = b"sysUpTime 1\nsnmp_scrape_pdus_returned 10\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *about: object) -> None:
        """Say nothing."""


def test_a_scrape_whose_connection_breaks_is_counted_and_made_again() -> None:
    only = Asked("get10", [Value("sysUpTime", "1.3.6.1.2.1.1.3.0", True)], [], 0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        ground = SimpleNamespace(addresses=["127.1.0.1"], port=161, asked=only)
        scraper = snmp_exporter.Scraper(server.server_port, ground)  # type: ignore[arg-type]
        with scraper.at_work():
            eventually(lambda: scraper.done >= 3)
        server.shutdown()
        thread.join()

    assert scraper.failed_since(0) == 1
    assert set(scraper.values) == {10}


CLEAN = ("missing", "duplicates", "skipped", "expired", "failed", "lost", "partial")


def trial(audit: dict[str, float] | None = None, late_s: tuple[float | None, float | None] = (0.3, 0.3)) -> Trial:
    clean = dict.fromkeys(CLEAN, 0)
    window = Window(0, 90.0, 9_000, {}, {}, 1.0, 10.0, 0.1)
    return Trial(100, window, {**clean, "expected": 9_000, "lateness_p99_s": 1.0, **(audit or {})}, late_s, 50.0)


@pytest.mark.parametrize(
    ("done", "sustained"),
    [
        (trial(), True),
        (trial({"lateness_p99_s": 5.0}), False),
        (trial({"expected": 0}), False),
        *((trial({term: 1}), False) for term in CLEAN),
        (trial(late_s=(0.3, 1.1)), True),
        (trial(late_s=(0.3, 1.2)), False),  # 1.5 % more is due than is done
        (trial(late_s=(0.3, None)), False),
    ],
)
def test_a_rate_is_sustained_if_all_is_polled_in_time_and_no_later_and_later(done: Trial, sustained: bool) -> None:
    assert done.sustained is sustained


@pytest.mark.parametrize("precision", ["0", "0.05"])
def test_a_search_ends_at_what_is_held_whatever_else_the_machine_does(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    tried: list[int] = []

    def noted(load: object, per_s: int, options: object) -> Trial:
        tried.append(per_s)
        disturbed = per_s == 1_000 and tried.count(per_s) == 1
        return replace(trial({"missing": int(per_s > 1_234 or disturbed)}), per_s=per_s)

    monkeypatch.setattr(endtoend, "noted", noted)

    found = endtoend.search(
        endtoend.LOADS["get10"], endtoend.parse(["--search", "--first", "1000", "--precision", precision])
    )

    assert found is not None
    assert 1_234 / 1.05 <= found.per_s <= 1_234
    assert precision != "0" or found.per_s == 1_234


def test_the_windows_of_a_search_are_long() -> None:
    assert [endtoend.parse(words).seconds for words in ([], ["--search"], ["--search", "--seconds", "7"])] == [
        20,
        90,
        7,
    ]


async def test_polls_of_a_window_are_those_whose_rows_say_so(fresh_database: str) -> None:
    async with results_bench(fresh_database, now=NOON + 2.5) as results:
        late = NOON - 400  # too late to be of any
        await results.handle(*(result_entry(f"r{n}") for n in range(3)), result_entry("r9", slot=late))
    deployment = Deployment(Shape(), Path(), SimpleNamespace(dsn=fresh_database, redis_url=""), [], 0)  # type: ignore[arg-type]

    def stored(since: float, until: float) -> int:
        return deployment.stored(NOON + since, NOON + until)

    found = await asyncio.to_thread(lambda: [stored(2.5, 2.6), stored(2.4, 2.5), stored(0, 9)])
    late_s = await asyncio.to_thread(deployment.lateness_p50_s, NOON, NOON + 1)

    assert found == [3, 0, 3]
    assert late_s == 2.5


def run_of(late_s: float | None, **more: int) -> dict[str, Any]:
    clean = dict.fromkeys(UNDONE, 0)
    return {"p50_s": late_s, "p99_s": late_s, "healthy_polls": 100, "due": 100, **clean, **more}


@pytest.mark.parametrize(
    ("trouble", "within"),
    [
        (run_of(1.25), True),
        (run_of(1.26), False),
        (run_of(None), False),
        (run_of(1.0, healthy_polls=94), False),
        (run_of(1.0, lost=1), False),
        (run_of(1.0, expired=1), False),
    ],
)
def test_silence_costs_the_healthy_neither_time_nor_polls(trouble: dict[str, Any], within: bool) -> None:
    found = {"none": run_of(1.0), "a tenth silent": trouble}

    silent.judge(found)

    assert (found["none"]["within"], trouble["within"]) == (True, within)


@pytest.mark.parametrize(
    ("audit", "clean"),
    [
        ({"failed": 100}, True),
        ({"failed": 106}, False),
        ({"skipped": 1}, False),
        ({"expired": 1}, False),
        ({"lost": 1}, False),
        ({"expected": 0, "failed": 0}, False),
    ],
)
def test_a_soak_fails_with_any_poll_that_only_silence_does_not_explain(audit: dict[str, int], clean: bool) -> None:
    assert soak.is_clean({**dict.fromkeys(soak.CLEAN, 0), "expected": 1_000, "failed": 0, **audit}) is clean


def test_cores_are_divided_where_there_are_three() -> None:
    assert not divide((0, 1)).apart
    assert divide((0, 1, 2)) == Cores((0, 1), (2,))
    assert divide(tuple(range(8))) == Cores((0, 1, 2, 3, 4, 5), (6, 7))


def test_what_is_measured_is_kept_off_the_cores_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[object] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: set_to.append(set(cores)))
    monkeypatch.setattr(cores, "divide", lambda: divide((0, 1, 2, 3)))

    with cores.kept_apart():
        assert set_to == [{0, 1, 2}]

    assert set_to == [{0, 1, 2}, {0, 1, 2, 3}]


@pytest.mark.parametrize(("profile", "values", "tables"), [("get10", 10, []), ("walk90", 90, [4, 4])])
def test_what_is_asked_is_read_from_the_profile(profile: str, values: int, tables: list[int]) -> None:
    found = asked(profile, 10)

    assert (found.values, [len(columns) for columns in found.tables]) == (values, tables)


@pytest.mark.parametrize("cut", [1, 3, 5, 100])
def test_a_walk_of_the_celery_deployment_has_every_value_wherever_replies_are_cut(cut: int) -> None:
    agent = {"1.1.1": "a", "1.1.2": "b", "1.1.10": "c", "1.10.2": "d", "1.11.1": "e"}
    walk = Walk(["1.1", "1.10", "1.11"])

    for _ in range(len(agent) + 3):  # each column's end is an answer of its own where one comes at a time
        walk.take(bulk(agent, walk.oids, 4)[:cut])
        if not walk.oids:
            break

    assert not walk.oids
    assert walk.found == {"1.1": {"1": "a", "2": "b", "10": "c"}, "1.10": {"2": "d"}, "1.11": {"1": "e"}}


def test_a_walk_that_gets_an_empty_reply_does_not_go_on_for_ever() -> None:
    with pytest.raises(RuntimeError, match="empty"):
        Walk(["1.1"]).take([])


def bulk(agent: dict[str, str], oids: list[str], repetitions: int) -> list[tuple[str, str]]:
    """Answer a GETBULK as RFC 3416 has it: at the end of the view the OID is that which was asked."""
    found: list[tuple[str, str]] = []
    for _ in range(repetitions):
        behind = [[each for each in agent if arcs(each) > arcs(oid)] for oid in oids]
        oids = [min(known, key=arcs) if known else oid for known, oid in zip(behind, oids, strict=True)]
        found += [(oid, agent[oid] if known else "No more variables") for known, oid in zip(behind, oids, strict=True)]
    return found


def arcs(oid: str) -> list[int]:
    return [*map(int, oid.split("."))]


def test_values_of_a_poll_are_those_that_came() -> None:
    table = Table(("in", "out"), [(1, 5, 6), (2, 7, None)])
    outcome = Outcome(Status.OK, values={"name": "r", "up": None}, tables={"interfaces": table})

    assert streampoll.values_of(encode_payload(outcome, Trace(1.0, 1.0, 1.0, 1.0, 1.0, 1, "w"))) == 4


def test_what_does_not_exist_is_no_value_of_a_celery_row() -> None:
    found = {"1.1.0": "3", "1.5.0": "No Such Instance currently exists at this OID", "2.1": {"1": "4", "2": "5"}}

    assert celery.values_of(found) == 3


def test_values_of_a_scrape_are_those_that_the_exporter_got() -> None:
    assert snmp_exporter.values_of(b"# TYPE up\nsnmp_scrape_pdus_returned 90\nup 1\n") == 90
    assert snmp_exporter.values_of(b"up 1\n") == 0


def test_values_of_collectd_are_of_each_poll_that_is_written(tmp_path: Path) -> None:
    where = tmp_path / "127.1.0.1" / "snmp"
    where.mkdir(parents=True)
    (where / "get10-2026-01-01").write_text("epoch,v0,v1\n1,5,6\n3,5,nan\n5,5,6\n")
    (where / "table0-1-2026-01-01").write_text("epoch,v0\n1,5\n3,5\n")
    (where / "table0-2-2026-01-01").write_text("epoch,v0\n1,5\n")

    assert collectd.values_of(tmp_path) == [4, 2]  # the third is being written


def test_a_peer_that_can_not_be_installed_is_missing_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\npeer-none = ["./is-not-there"]\n')
    monkeypatch.setattr("benchmarks.rig.environments.TOP", tmp_path)

    with pytest.raises(MissingPeer, match="none can't be installed"):
        peer_environment("none")


def test_cpu_of_a_role_counts_its_children_that_have_ended() -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))']); print(); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        used = spent({}, Roles({"work": [process.pid], "none": []}).cpu_s())
        process.stdin.close()

    assert used["work"] > 0.1
    assert used["none"] == 0


def test_what_has_run_is_counted_where_the_task_notes_it(tmp_path: Path) -> None:
    tally = queue.Tally(tmp_path / "tally", 3)
    script = f"import sys; sys.path.insert(0, {str(queue.APPS)!r}); import tally; tally.done(1.5); tally.done(2.5)"
    subprocess.run([sys.executable, "-c", script], env={"TALLY": str(tally.path)}, check=True)

    assert tally.count() == 2
    assert [sent for _, sent in tally.records()] == [1.5, 2.5]


def test_what_is_due_comes_to_the_stores_once_and_silent_devices_slots_later() -> None:
    written = arrivals(Due(a_slot=40, interval=3, slots=12), random.Random(1))

    came = [key for at_a_time in written for batch in at_a_time for key in batch]
    assert sorted(came) == [(slot, device) for slot in range(12) for device in range(slot % 3, 120, 3)]
    assert max(earlier[0] - later[0] for earlier, later in pairwise(came)) >= 4
    assert max(map(len, written)) == 2


def test_growth_is_seen_against_the_third_before() -> None:
    looks = [
        {"minutes": n, "leaking_mb": 100 + 10 * n, "steady_mb": 100 + n % 2, "few_descriptors": n} for n in range(9)
    ]

    found = soak.growth(looks)

    assert {name: each["flat"] for name, each in found.items()} == {
        "leaking_mb": False, "steady_mb": True, "few_descriptors": True,
    }  # fmt: skip
