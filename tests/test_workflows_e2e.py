"""Workflows as they are run: real workers that are killed in the middle, a real OpenSSH, the command line."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.embedded.redis import EmbeddedRedis
from tests.e2e_support import START_S, Deployment, deployed
from tests.servers_support import made_database
from tests.ssh_support import openssh
from tests.waiting import eventually

MORE = "\n[queues.workflows]\nclaim_idle_s = 2\n\n[ssh]\nconnect_timeout_s = 5\n"
LOGIN = """
[credentials.login]
protocol = "ssh"
user = "{user}"
key = {{ file = "{key}" }}
"""
WORK = """
[inputs]
command = "true"

[steps.work]
ssh = {{ platform = "linux", allow_config = true, commands = ["{{{{ inputs.command }}}}"] }}
once = {once}

[steps.after]
needs = ["work"]
ssh = {{ platform = "linux", commands = ["uptime"] }}
"""


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis, postgres_server: EmbeddedPostgres
) -> Iterator[Deployment]:
    """A deployment with a worker, an OpenSSH and a fleet, for all tests of this file."""
    where = tmp_path_factory.mktemp("configuration")
    (where / "workflows").mkdir()
    for name, once in (("twice", "false"), ("once", "true")):
        (where / "workflows" / f"{name}.toml").write_text(WORK.format(once=once))
    url = redis_server.url.reveal()
    with redis.Redis.from_url(url) as client:
        client.flushall()
    with (
        openssh(tmp_path_factory.mktemp("sshd")) as server,
        made_database(postgres_server.dsn.reveal()) as dsn,
        deployed(where, url, dsn, fleet=FleetSettings(devices=2, interfaces=(1, 1)), more=MORE) as made,
    ):
        login = LOGIN.format(user=server.user, key=server.directory / "user")
        (where / "credentials.toml").write_text((where / "credentials.toml").read_text() + login)
        devices = ["sim-0000,127.0.0.1,system,,", f"host,127.0.0.1,system,login,{server.port}"]
        made.inventory(devices, "name,address,profile,credential,port")
        made.start("worker", "--processes", "1")
        yield made


def start(deployment: Deployment, name: str, *options: str) -> str:
    done = deployment.run("workflow", "run", name, "--device", "host", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def show(deployment: Deployment, run: str) -> dict[str, object]:
    done = deployment.run("workflow", "show", run, "--json")
    return json.loads(done.stdout) if done.returncode == 0 else {}


def states(deployment: Deployment, run: str) -> dict[str, str]:
    rows = deployment.query(f"SELECT step, state FROM workflow_steps WHERE run = '{run}' AND element = -1")
    return {row["step"]: row["state"] for row in rows if row[0]}


def lines(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def killed_while_it_works(deployment: Deployment, name: str, log: Path) -> str:
    """Start a run, and kill the worker processes while its step is under way."""
    run = start(deployment, name, "--input", f"command=echo x >> {log}; sleep 3")
    eventually(lambda: lines(log) == 1, START_S)
    for pid in deployment.running[0].children:
        os.kill(pid, signal.SIGKILL)
    return run


def test_a_worker_killed_in_the_middle_of_a_step_resumes_at_that_step(deployment: Deployment, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run = killed_while_it_works(deployment, "twice", log)
    eventually(lambda: states(deployment, run) == {"work": "ok", "after": "ok"}, START_S)
    assert lines(log) == 2


def test_a_step_that_runs_once_is_left_unknown_until_a_person_says(deployment: Deployment, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run = killed_while_it_works(deployment, "once", log)
    eventually(lambda: states(deployment, run) == {"work": "unknown", "after": "waiting"}, START_S)

    waited = deployment.run("workflow", "show", run, "--watch")
    assert waited.returncode == 1
    assert "`streampoll workflow resolve` tells what became of it" in waited.stdout
    resolved = json.loads(deployment.run("workflow", "resolve", run, "work", "--done", "--json").stdout)
    assert resolved == {"run": run, "step": "work", "element": None, "said": "done"}
    eventually(lambda: states(deployment, run) == {"work": "ok", "after": "ok"}, START_S)
    assert lines(log) == 1


BACKUP = 'extends = "backup-config"\n[inputs]\nplatform = "linux"\ncommand = "cat {file}"\n'


def test_a_configuration_is_kept_where_it_changed_and_its_secrets_are_not(
    deployment: Deployment, tmp_path: Path
) -> None:
    config = tmp_path / "router.conf"
    (deployment.where / "workflows" / "nightly.toml").write_text(BACKUP.format(file=config))
    for name in ("r1", "r1", "r2"):
        config.write_text(f"hostname {name}\nenable secret correct-horse\n")
        done = deployment.run("workflow", "run", "nightly", "--device", "host", "--wait", "--json")
        assert done.returncode == 0, done.stdout + done.stderr

    newest = json.loads(deployment.run("workflow", "configs", "host", "--latest", "--json").stdout)
    assert (newest["version"], newest["text"]) == (2, "hostname r2\nenable secret <masked>\n")
    assert "-hostname r1\n+hostname r2" in newest["diff"]
    everything = deployment.query("SELECT t::text AS row FROM workflow_steps t UNION ALL SELECT t::text FROM configs t")
    assert not any("correct-horse" in row["row"] for row in everything)


def test_a_device_that_is_another_now_gets_a_proposal(deployment: Deployment) -> None:
    done = deployment.run("workflow", "run", "rediscover", "--device", "sim-0000", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ask: ok" in done.stdout

    proposal = deployment.run("workflow", "configs", "sim-0000", "--name", "proposal", "--latest").stdout
    assert 'profile = "' in proposal
    assert "[[devices]]" in proposal


def test_diagnostics_are_collected_as_rows_that_audit_accounts_for(deployment: Deployment) -> None:
    done = deployment.run("workflow", "run", "diagnose", "--device", "sim-0000", "--input", "again=100ms", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    eventually(deployment.drained, START_S)
    jobs = {row["name"] for row in deployment.query("SELECT name FROM jobs")}
    assert jobs >= {f"diagnose.{step}" for step in ("reach", "system", "details", "reach_again")}
    assert deployment.audit()  # which fails unless every poll is accounted for


def test_a_schedule_starts_a_run_once_for_each_slot(deployment: Deployment) -> None:
    for _ in range(2):
        deployment.start("coordinator")
    (deployment.where / "workflows" / "often.toml").write_text('[schedule]\nevery = "2s"\n[steps.rest]\nwait = "1ms"\n')

    def runs() -> list[int]:
        found = deployment.query(
            "SELECT extract(epoch FROM started)::bigint / 2 AS slot FROM workflow_runs WHERE workflow = 'often'"
        )
        return [row["slot"] for row in found if len(row) and "slot" in dict(row)]

    eventually(lambda: len(runs()) >= 3, START_S)
    assert len(runs()) <= len(set(runs())) + 1  # a start may be read a moment into the next slot


def test_what_can_not_be_run_is_said_in_one_line(deployment: Deployment) -> None:
    done = deployment.run("workflow", "run", "twise")
    assert done.returncode == 2
    assert done.stderr.strip() == "workflow: no workflow 'twise'; did you mean 'twice'?"
    done = deployment.run("workflow", "run", "once", "--input", "comand=1")
    assert done.stderr.strip() == "inputs: workflow 'once' has no input 'comand'; did you mean 'command'?"
    listed = map(json.loads, deployment.run("workflow", "list", "--files", "--json").stdout.splitlines())
    assert {"backup-config", "diagnose", "rediscover", "once", "twice"} <= {each["name"] for each in listed}
