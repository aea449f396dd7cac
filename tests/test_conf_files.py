"""The files of conf/ are what the programs they are for accept."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from streampoll.config.settings import WorkerSettings
from streampoll.embedded.places import free_port
from tests.servers_support import REDIS_NAMES, redis_program

CONF = Path(__file__).resolve().parent.parent / "conf"
UNITS = ("streampoll-coordinator.service", "streampoll-worker@.service", "streampoll-api.service")
PROMISED_REDIS = {
    "maxclients": "10000",
    "tcp-backlog": "511",
    "timeout": "0",
    "tcp-keepalive": "300",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory": str(2 << 30),
    "maxmemory-policy": "noeviction",
    "stream-node-max-entries": "32",
}


@pytest.mark.parametrize("name", REDIS_NAMES)
def test_every_redis_starts_with_our_redis_conf(name: str, tmp_path: Path) -> None:
    port = free_port()
    argv = [redis_program(name), CONF / "redis.conf", "--port", str(port), "--dir", tmp_path]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        try:
            retry = Retry(ConstantBackoff(0.01), 1000)
            with redis.Redis(port=port, decode_responses=True, retry=retry, protocol=2) as client:
                settings = client.config_get("*")
        finally:
            server.terminate()

    assert {name: settings[name] for name in PROMISED_REDIS} == PROMISED_REDIS


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as installed, but for its program, which `verify` wants to find."""
    for name in UNITS:
        text = (CONF / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/streampoll/bin/streampoll", shutil.which("true") or ""))
    return tmp_path / str(request.param)


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("systemd-analyze") or pytest.fail("apt-get install systemd: systemd-analyze is not there")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_systemd_accepts_a_unit_without_a_word(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))

    assert (done.stderr, done.returncode) == ("", 0)


def test_a_mistake_in_a_unit_would_be_noticed(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("RestartSec=", "RestartSecs="))

    assert "RestartSecs" in analyze("verify", "--man=no", str(unit)).stderr


def test_a_unit_is_hardened(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=20", str(unit))  # 20 stands for an exposure of 2.0

    assert done.returncode == 0, done.stdout[-400:]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_gives_the_drain_its_time(name: str) -> None:
    service = service_section(name)

    assert int(service["TimeoutStopSec"]) > WorkerSettings().drain_s + 10
    assert service["KillMode"] == "mixed"  # SIGTERM to the parent, which drains its children
    assert service["Restart"] == "always"
    assert service["LimitNOFILE"] == service["LimitNPROC"] == "65536"


def service_section(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(CONF / "systemd" / name)
    return parser["Service"]


def test_limits_are_as_the_units_have_them() -> None:
    lines = re.findall(
        r"^(streampoll)\s+(soft|hard)\s+(nofile|nproc)\s+(\d+)$", (CONF / "limits.conf").read_text(), re.M
    )

    assert {line[1:] for line in lines} == {
        (kind, limit, "65536") for kind in ("soft", "hard") for limit in ("nofile", "nproc")
    }
