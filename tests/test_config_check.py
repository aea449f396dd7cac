"""`streampoll init` and `streampoll check`."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from streampoll.cli import run
from streampoll.cli.options import default_directory
from streampoll.config.profiles import BUILTIN
from streampoll.config.units import parse_since
from tests.config_support import write

NOT_SET = "the variable SNMP_COMMUNITY is not set; set SNMP_COMMUNITY where streampoll runs"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SNMP_COMMUNITY", "STREAMPOLL_CONFIG", "STREAMPOLL_REDIS_URL", "STREAMPOLL_POSTGRES_DSN"):
        monkeypatch.delenv(name, raising=False)


def cli(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


def lines(text: str) -> Sequence[str]:
    return text.strip().splitlines()


def test_what_init_writes_passes_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli("init", tmp_path / "conf") == 0
    capsys.readouterr()

    assert cli("check", "--config", tmp_path / "conf") == 0
    out, err = capsys.readouterr()
    profiles = len(list(BUILTIN.glob("*.toml"))) + 1
    assert out.startswith(f"ok: 3 devices, 2 jobs, {profiles} profiles, 1 credential; ")
    assert lines(err) == [f"warning: credential 'default': {NOT_SET}"]


def test_init_says_what_comes_next_and_guards_the_credentials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "credentials.toml").write_text("old")

    assert cli("init", tmp_path, "--force") == 0
    assert (tmp_path / "credentials.toml").stat().st_mode & 0o777 == 0o600
    assert f"streampoll check --config {tmp_path}" in capsys.readouterr().out


def test_init_leaves_a_directory_with_something_in_it_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "streampoll.toml").write_text("mine")

    assert cli("init", tmp_path) == 2
    assert capsys.readouterr().err == f"{tmp_path}: is not empty; name another directory, or use --force\n"
    assert (tmp_path / "streampoll.toml").read_text() == "mine"


def test_check_prints_each_fault_on_a_line_and_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"streampoll.toml": '[jobs.a]\nevery = "60s"\nprofil = "system"\n'})

    assert cli("check", "--config", tmp_path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert lines(err) == ["streampoll.toml:3: jobs.a.profil: unknown key; did you mean 'profile'?", "1 fault"]


def test_check_answers_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"inventory.csv": "name,address,interval,enabled\na,1.1.1.1,,\nb,1.1.1.2,30s,\nc,1.1.1.3,,false\n"})

    assert cli("check", "--config", tmp_path, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["devices"], answer["jobs"], answer["polls_per_s"]) == (True, 3, 1, 0.05)
    assert [warning["where"] for warning in answer["warnings"]] == ["credential 'default'"]


def test_check_tries_every_credential(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "[credentials.default]\ncommunity = { file = 'gone' }\n"
    write(tmp_path, {"credentials.toml": text})

    assert cli("check", "--config", tmp_path) == 2
    assert "gone can't be read: No such file or directory" in capsys.readouterr().err


def test_check_connect_says_which_server_is_away_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", "redis://:hunter2@127.0.0.1:1/0")
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", "postgresql://u:hunter2@127.0.0.1:1/x")

    assert cli("check", "--config", write(tmp_path, {}), "--connect") == 2
    err = capsys.readouterr().err
    assert any(line.startswith("redis.url: Redis is not reachable") for line in lines(err))
    assert any(line.startswith("postgres.dsn: PostgreSQL: ") for line in lines(err))
    assert "hunter2" not in err


def test_check_connect_is_content_with_servers_that_fit(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fresh_redis: str,
    fresh_database: str,
) -> None:
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", fresh_redis)
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)

    assert cli("check", "--config", write(tmp_path, {}), "--connect") == 0
    assert "the schema is not there yet" in capsys.readouterr().err


def test_the_configuration_is_looked_for_here_then_in_the_system(tmp_path: Path) -> None:
    here, system = tmp_path / "here", tmp_path / "system"
    here.mkdir()
    write(system, {})
    assert default_directory(here, system) == system
    write(here, {})
    assert default_directory(here, system) == here


@pytest.mark.parametrize(
    ("text", "start"),
    [("10m", 999_400), ("2h", 992_800), ("1970-01-02T00:00:00Z", 86_400), ("1970-01-02T01:00+01:00", 86_400)],
)
def test_a_span_starts_so_long_ago_or_at_a_time(text: str, start: float) -> None:
    assert parse_since(text, now=1_000_000) == start


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        parse_since("yesterday", now=0)
