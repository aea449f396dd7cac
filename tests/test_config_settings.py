"""streampoll.toml and STREAMPOLL_* into settings."""

from pathlib import Path

import pytest

from streampoll.config.environment import variables
from streampoll.config.load import load_settings
from streampoll.config.secret import Secret
from streampoll.config.settings import Settings
from streampoll.model import QueueClass
from tests.config_support import JOB, faults_of, settings_with, write


def test_a_file_without_settings_gives_the_defaults_and_one_pool(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "").settings

    assert settings.redis == Settings().redis
    assert list(settings.pools) == ["general"]


def test_durations_and_sizes_may_be_text(tmp_path: Path) -> None:
    snmp = settings_with(tmp_path, '[snmp]\ntimeout_s = "1m30s"\nreceive_buffer_bytes = "1MiB"').settings.snmp

    assert (snmp.timeout_s, snmp.receive_buffer_bytes) == (90.0, 1 << 20)


def test_a_rate_is_no_duration(tmp_path: Path) -> None:
    faults = faults_of(lambda: settings_with(tmp_path, '[snmp]\npackets_per_s = "5m"'))

    assert faults == ["streampoll.toml:2: snmp.packets_per_s: '5m' is not allowed; expected a whole number, at least 0"]


def test_a_part_of_a_queue_class_keeps_the_rest_of_its_own_defaults(tmp_path: Path) -> None:
    results = settings_with(tmp_path, "[queues.results]\nbatch = 50").settings.queues[QueueClass.RESULTS]

    assert (results.batch, results.concurrency, results.soft_limit_s, results.weight) == (50, 1_000, 0.0, 8)


def test_every_mistake_is_reported_with_its_line(tmp_path: Path) -> None:
    toml = "[redis]\nprefx = 'x'\n[snmp]\nretries = 11\ntimeout_s = -1\n[queus.polling]\nbatch = 1"

    assert faults_of(lambda: settings_with(tmp_path, toml)) == [
        "streampoll.toml:6: queus: unknown section; did you mean 'queues'?",
        "streampoll.toml:2: redis.prefx: unknown key; did you mean 'prefix'?",
        "streampoll.toml:4: snmp.retries: 11 is not allowed; expected a whole number, at least 0 and at most 10",
        'streampoll.toml:5: snmp.timeout_s: -1 is not allowed; expected seconds or a duration as "90s", above 0',
    ]


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("[snmp]\nengine = 'wires'", "snmp.engine: 'wires' is not allowed; did you mean 'wire'?"),
        ("[pools.a]\nqueues = ['pollin']", "pools.a.queues: ['pollin'] is not allowed; did you mean 'polling'?"),
        (
            "[pools.a]\nqueues = ['all']",
            "['all'] is not allowed; known: analysis, notifications, polling, results, urgent",
        ),
        ("[pools.a]\nqueues = []", "expected a list of polling, results, workflows, analysis, notifications"),
        ("[pools.a]\nqueues = ['polling', 'polling']", "pools.a.queues: 'polling' is there 2 times; name it once"),
        ("[pools.'A,b']\n", "'A,b' is not a pool's name"),
        ("[queues.pollin]\nbatch = 1", "queues.pollin: unknown queue class; did you mean 'polling'?"),
        ("[queues.polling]\nhard_limit_s = 300", "hard_limit_s: 300 s is not above soft_limit_s (300 s)"),
        ("[worker]\ndead_after_s = 1.5", "1.5 s is not two heartbeats of 1 s"),
        ("[redis]\nurl = 'http://x'", "redis.url: not a URL of Redis"),
        ("[postgres]\ndsn = 'mysql://x'", "postgres.dsn: not a DSN of PostgreSQL"),
        ("[snmp]\ntimeout_s = inf", "snmp.timeout_s: inf is not allowed"),
        ("[snmp]\nretries = true", "snmp.retries: True is not allowed"),
        ("snmp = 3", "snmp: 3 is not a table"),
        ("pools = 3", "pools: 3 is not a table"),
        ("[snmp\n", "streampoll.toml:1: not TOML"),
    ],
)
def test_a_setting_that_is_wrong_says_what_to_write(tmp_path: Path, toml: str, fault: str) -> None:
    assert fault in "\n".join(faults_of(lambda: settings_with(tmp_path, toml)))


def test_no_file_says_how_to_get_one(tmp_path: Path) -> None:
    (fault,) = faults_of(lambda: load_settings(tmp_path, {}))

    assert fault.startswith(f"{tmp_path}/streampoll.toml: no such file; `streampoll init DIR`")


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    environ = {
        "STREAMPOLL_REDIS_URL": "redis://other/1",
        "STREAMPOLL_SNMP_TIMEOUT_S": "500ms",
        "STREAMPOLL_SNMP_RETRIES": "3",
        "STREAMPOLL_POOLS_MY_POOL_QUEUES": "polling, results",
        "STREAMPOLL_QUEUES_POLLING_CLAIM_IDLE_S": "45s",
        "STREAMPOLL_PATHS_INVENTORY": "inventory.csv",
        "STREAMPOLL_LOG_LEVEL": "",
    }
    settings = settings_with(tmp_path, "[snmp]\nretries = 0\n[pools.my-pool]\nprocesses = 1", environ).settings

    assert settings.redis.url == Secret("redis://other/1")
    assert (settings.snmp.timeout_s, settings.snmp.retries) == (0.5, 3)
    assert settings.pools["my-pool"].queues == (QueueClass.POLLING, QueueClass.RESULTS)
    assert settings.queues[QueueClass.POLLING].claim_idle_s == 45
    assert settings.log.level == "info"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("STREAMPOLL_REDIS_ULR", "x", "no setting has this variable; did you mean 'STREAMPOLL_REDIS_URL'?"),
        ("STREAMPOLL_SNMP_TIMEOUT", "2", "no setting has this variable; did you mean 'STREAMPOLL_SNMP_TIMEOUT_S'?"),
        ("STREAMPOLL_POOLS_NEW_PROCESSES", "2", "no setting has this variable"),
        ("STREAMPOLL_SNMP_PORT", "70000", "70000 is not allowed; expected a whole number, at least 1 and at most"),
        ("STREAMPOLL_SNMP_PORT", "snmp", "'snmp' is not allowed"),
    ],
)
def test_a_variable_that_is_wrong_is_refused(tmp_path: Path, name: str, text: str, fault: str) -> None:
    (line,) = faults_of(lambda: settings_with(tmp_path, "", {name: text}))

    assert line.startswith(f"{name}: {fault}")


def test_the_variables_of_the_directory_and_of_tests_are_no_settings(tmp_path: Path) -> None:
    settings_with(tmp_path, "", {"STREAMPOLL_CONFIG": "/x", "STREAMPOLL_TEST_REDIS": "y"})


def test_no_two_settings_share_a_variable() -> None:
    known = variables(["general", "polling"])

    assert len({path for path, _ in known.values()}) == len(known)
    assert "STREAMPOLL_POSTGRES_DSN" in known


def test_no_message_has_the_secret(tmp_path: Path) -> None:
    environ = {"STREAMPOLL_REDIS_URL": "http://user:hunter2@x", "STREAMPOLL_POSTGRES_DSN": "mysql://u:hunter2@h"}

    assert "hunter2" not in "\n".join(faults_of(lambda: settings_with(tmp_path, "", environ)))


def test_settings_are_read_without_the_inventory(tmp_path: Path) -> None:
    write(tmp_path, {"streampoll.toml": JOB, "inventory.csv": "broken"})

    assert load_settings(tmp_path / "streampoll.toml", {}).snmp.port == 161
