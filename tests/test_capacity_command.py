"""`streampoll capacity` as it is called."""

import json
from pathlib import Path
from typing import Any

import pytest

from streampoll.capacity.constants import write
from streampoll.cli import run
from tests.capacity_support import CONSTANTS


@pytest.fixture
def constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of constants to reckon with; there is no configuration where the test runs."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.toml", CONSTANTS)
    return str(tmp_path / "mine.toml")


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["capacity", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_it_reckons_with_the_constants_it_is_given(constants: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "--devices", "60000", "--interval", "1m", "--profile", "get10", "--silent", "0",
                  "--constants", constants)  # fmt: skip

    assert found["polls_per_s"] == 1_000
    assert found["roles"]["worker"]["cores"] == pytest.approx(0.21)
    assert found["roles"]["analysis"]["cores"] == pytest.approx(0.1)
    assert found["postgres"]["rows_per_day"] == 2 * 86_400_000  # rates of counters too
    assert found["postgres"]["retention_days"] == 30
    assert found["settings"]["shards.count"] == found["shards"]


def test_it_prints_tables_that_name_where_the_figures_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["capacity", "--devices", "100000", "--profile", "walk90"]) == 0

    out = capsys.readouterr().out
    assert "100,000 devices every 5m" in out
    assert "measured: capacity, 20" in out
    for word in ("coordinator", "worker", "redis", "postgres", "shards.count", "net.core.rmem_max", "Mbit/s", "a day"):
        assert word in out


def test_a_profile_that_was_not_measured_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "--devices", "1000", "--profile", "interfaces", "--rows", "48")

    assert found["load"]["estimated"]
    assert "was not measured" in found["remarks"][0]


def test_analysis_is_in_it_as_configured_and_as_asked(constants: str, capsys: pytest.CaptureFixture[str]) -> None:
    ask = "--devices", "60000", "--interval", "1m", "--profile", "get10", "--silent", "0", "--constants", constants
    usual, without = (asked(capsys, *ask, *more) for more in ([], ["--no-analysis"]))
    Path("streampoll.toml").write_text("[analysis]\nenabled = false\n")
    off, although = (asked(capsys, *ask, *more) for more in ([], ["--analysis"]))

    assert ["analysis" in found["roles"] for found in (usual, without, off, although)] == [True, False, False, True]
    assert usual["postgres"]["rows_per_day"] == 2 * without["postgres"]["rows_per_day"]


def test_a_device_that_does_not_answer_has_no_rates(constants: str, capsys: pytest.CaptureFixture[str]) -> None:
    ask = "--devices", "60000", "--interval", "1m", "--profile", "get10", "--constants", constants
    found = asked(capsys, *ask, "--silent", "0.25")

    assert found["load"]["rates_rows"] == pytest.approx(0.75)
    assert found["postgres"]["rows_per_day"] == pytest.approx(1.75 * 86_400_000)


@pytest.mark.parametrize(("kind", "rates_rows"), [("counter", 0.95), ("integer", 0.0)])
def test_only_what_counts_has_rates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, rates_rows: float
) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/p.toml").write_text(f'[scalars]\nx = {{ oid = "1.3.6.1.2.1.1.3.0", type = "{kind}" }}\n')
    (tmp_path / "streampoll.toml").write_text("")

    found = asked(capsys, "--devices", "10", "--profile", "p", "--config", str(tmp_path))["load"]

    assert found["analysed"]
    assert found["rates_rows"] == pytest.approx(rates_rows)


def test_what_analysis_adds_is_no_load_to_ask_for(constants: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["capacity", "--devices", "10", "--profile", "analysis-get10", "--constants", constants]) == 2
    said = capsys.readouterr().err
    assert "no profile or measured load 'analysis-get10'" in said


def test_more_rows_cost_more(capsys: pytest.CaptureFixture[str]) -> None:
    few, many = (asked(capsys, "--devices", "1000", "--rows", rows)["cores"] for rows in ("4", "400"))

    assert many > 2 * few


def test_snmpv3_costs_more(capsys: pytest.CaptureFixture[str]) -> None:
    plain, v3 = (
        asked(capsys, "--devices", "1000", "--profile", "get10", *more)["load"]["cpu_us"]["worker"]
        for more in ([], ["--v3"])
    )

    assert v3 > plain


def test_a_simulation_stands_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "--devices", "3000", "--interval", "30s", "--profile", "get10", "--simulate")

    assert found["simulated"]["stored"] == found["simulated"]["polls"] > 0
    assert 0.0 < found["simulated"]["lateness_p50_s"] < 1.0


def test_a_profile_of_the_configuration_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/pumps.toml").write_text('[scalars]\nx = { oid = "1.3.6.1.2.1.1.3.0", type = "ticks" }\n')
    (tmp_path / "streampoll.toml").write_text("[postgres]\nretention_days = 7\n")

    found = asked(capsys, "--devices", "10", "--profile", "pumps", "--config", str(tmp_path))

    assert found["load"]["name"] == "pumps"
    assert found["postgres"]["retention_days"] == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--devices: is needed"),
        (["--devices", "10", "--profile", "interface"], "there is no profile or measured load 'interface'"),
        (["--devices", "10", "--profile", "ping", "--constants", "mine.toml"], "ping is not of SNMP"),
        (["--devices", "10", "--interval", "soon"], "'soon' is not a duration"),
        (["--devices", "10", "--interval", "0"], "'0' is not a duration"),
        (["--devices", "0"], "0 is not in the range"),
        (["--devices", "10", "--silent", "2"], "2.0 is not in the range"),
        (["--devices", "10", "--constants", "nowhere.toml"], "nowhere.toml: can't be read"),
        (["--measured", "--profile", "get10"], "leave out --profile"),
        (["--measured", "--no-analysis"], "leave out --no-analysis"),
    ],
)
def test_what_can_t_be_answered_is_a_line_and_exit_code_2(
    constants: str, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["capacity", *arguments]) == 2

    assert said in capsys.readouterr().err


def test_a_fleet_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = '[redis]\nurl = "redis://127.0.0.1:1/0"\n[postgres]\ndsn = "postgresql://127.0.0.1:1/none"\n'
    (tmp_path / "streampoll.toml").write_text(settings)

    assert run(["capacity", "--measured", "--config", str(tmp_path)]) == 1

    assert "PostgreSQL" in capsys.readouterr().err
