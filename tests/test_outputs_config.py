"""`[outputs.NAME]`: what is wrong is said in one line, with what to write instead; no secret stands in it."""

from pathlib import Path

import pytest

from streampoll.config.load import load, load_settings
from streampoll.errors import ConfigError


def configured(where: Path, outputs: str, credentials: str = "") -> Path:
    (where / "streampoll.toml").write_text(outputs)
    (where / "inventory.csv").write_text("name,address\n")
    (where / "credentials.toml").write_text(credentials)
    return where


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('kind = "kafka"', "outputs.x.kind: 'kafka' is not allowed"),
        ("batch = 5", "outputs.x: 'kind' is missing"),
        ('kind = "jsonl"', "outputs.x.path: is missing; name a file, or - for stdout"),
        ('kind = "influx"', "outputs.x.url: not a URL of a influx server; it begins with http://, https://"),
        ('kind = "redis"\nurl = "http://h"', "it begins with redis://, rediss://, unix://"),
        ('kind = "influx"\nurl = "https://me:s3cret@h/w"', "has a user or password in it; name a credential"),
        ('kind = "influx"\nurl = "https://h/w"\nbatch = 0', "outputs.x.batch: 0 is not allowed"),
        ('kind = "influx"\nurl = "https://h/w"\ntls_ca = "gone.pem"', "gone.pem can't be read"),
        ('kind = "influx"\nurl = "https://h/w"\nurll = "x"', "outputs.x.urll: unknown key; did you mean 'url'?"),
        ('kind = "influx"\nurl = "https://h/w"\ncredential = "nobody"', "no credential 'nobody'"),
    ],
)
def test_what_is_wrong_with_an_output_is_said(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(configured(tmp_path, f"[outputs.x]\n{table}\n"), {})
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_name_that_no_variable_could_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'No' is not an output's name"):
        load(configured(tmp_path, '[outputs.No]\nkind = "jsonl"\npath = "-"\n'), {})


def test_files_of_outputs_are_found_from_any_directory_and_variables_win(tmp_path: Path) -> None:
    where = configured(tmp_path, '[outputs.my-file]\nkind = "jsonl"\npath = "out.jsonl"\n')
    output = load_settings(where, {"STREAMPOLL_OUTPUTS_MY_FILE_BATCH": "7"}).outputs["my-file"]
    assert (output.path, output.batch) == (str(tmp_path / "out.jsonl"), 7)


def test_outputs_that_no_pool_serves_are_noticed(tmp_path: Path) -> None:
    text = '[outputs.x]\nkind = "jsonl"\npath = "-"\n[pools.general]\noutputs = false\n'
    notices = load(configured(tmp_path, text), {}).notices
    assert any("no pool serves outputs" in str(notice) for notice in notices)
