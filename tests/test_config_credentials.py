"""Credentials: where secrets are kept, and that they stay there."""

from pathlib import Path

import pytest

from streampoll.config.credentials import Credentials, read_credentials
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.snmp.credential import AuthProtocol, Community, PrivProtocol, UsmUser, Version
from tests.config_support import faults_of


def read(
    directory: Path, text: str, environ: dict[str, str] | None = None, mode: int = 0o644
) -> tuple[Credentials, Report]:
    path = directory / "credentials.toml"
    path.write_text(text)
    path.chmod(mode)
    report = Report()
    return read_credentials(path, path.name, {} if environ is None else environ, report), report


def faults(directory: Path, text: str, mode: int = 0o644) -> list[str]:
    return [str(fault) for fault in read(directory, text, mode=mode)[1].faults]


def secret_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_community_is_read_from_a_variable_when_it_is_asked_for(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    credentials, _ = read(tmp_path, "[credentials.default]\nversion = 1\ncommunity = { env = 'C' }", environ)
    environ["C"] = "public"

    assert credentials["default"] == Community(Secret("public"), Version.V1)
    assert credentials[""] is credentials["default"]
    assert "" in credentials


def test_a_user_is_read_from_a_file_and_from_systemd(tmp_path: Path) -> None:
    secret_file(tmp_path / "auth", "auth-secret\n")
    secret_file(tmp_path / "units" / "core.priv", "priv-secret", mode=0o440)
    text = """
        [credentials.core]
        version = "3"
        user = "poller"
        auth_protocol = "sha256"
        auth_key = { file = "auth" }
        priv_protocol = "aes128"
        priv_key = { systemd = "core.priv" }
    """
    credentials, report = read(tmp_path, text, {"CREDENTIALS_DIRECTORY": str(tmp_path / "units")})

    assert not report.faults
    assert credentials["core"] == UsmUser(
        "poller", AuthProtocol.SHA256, Secret("auth-secret"), PrivProtocol.AES128, Secret("priv-secret")
    )


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path / "c", "hunter2", mode)
    credentials, _ = read(tmp_path, "[credentials.default]\ncommunity = { file = 'c' }")
    (fault,) = faults_of(lambda: credentials["default"])

    assert fault == f"credential 'default': {path} holds a secret and has mode {mode:04o}; run: chmod 600 {path}"


def test_a_secret_as_text_needs_a_guarded_file(tmp_path: Path) -> None:
    text = "[credentials.default]\ncommunity = 'hunter2'"
    (fault,) = faults(tmp_path, text)
    credentials, guarded = read(tmp_path, text, mode=0o600)

    assert "holds a secret and has mode 0644; run: chmod 600" in fault
    assert "hunter2" not in fault
    assert not guarded.faults
    assert credentials["default"] == Community(Secret("hunter2"))


@pytest.mark.parametrize(
    ("kept", "fault"),
    [
        ("{ env = 'GONE' }", "the variable GONE is not set; set GONE where streampoll runs"),
        ("{ file = 'gone' }", "gone can't be read: No such file"),
        ("{ file = 'empty' }", "empty is empty"),
        ("{ file = 'latin' }", "latin is not UTF-8 text"),
        ("{ systemd = 'gone' }", "systemd credential 'gone' is not here"),
    ],
)
def test_a_secret_that_is_not_there_is_one_line(tmp_path: Path, kept: str, fault: str) -> None:
    secret_file(tmp_path / "empty", "\n")
    secret_file(tmp_path / "latin", "").write_bytes(b"\xe9")
    credentials, report = read(tmp_path, f"[credentials.default]\ncommunity = {kept}")
    (line,) = faults_of(lambda: credentials["default"])

    assert not report.faults
    assert line.startswith("credential 'default': ")
    assert fault in line


def test_a_short_passphrase_is_refused_without_showing_it(tmp_path: Path) -> None:
    text = "[credentials.a]\nversion = 3\nuser = 'u'\nauth_protocol = 'sha1'\nauth_key = { env = 'K' }"
    credentials, _ = read(tmp_path, text, {"K": "hunter2"})
    (fault,) = faults_of(lambda: credentials["a"])

    assert "at least 8" in fault
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("protocol = 'smnp'", "credentials.a.protocol: no protocol 'smnp'; did you mean 'snmp'?"),
        ("version = 4", "credentials.a.version: not a version of SNMP; write \"1\", \"2c\" or \"3\""),
        ("", "credentials.a: 'community' is missing"),
        ("comunity = 'hunter2'\ncommunity = { env = 'X' }", "comunity: unknown key; did you mean 'community'?"),
        ("community = 5", "credentials.a.community: does not say where the secret is kept; write { env ="),
        ("community = { envv = 'X' }", "credentials.a.community.envv: unknown key; did you mean 'env'?"),
        ("community = { systemd = '../x' }", "credentials.a.community.systemd: is not a name"),
        ("version = 3", "credentials.a: 'user' is missing"),
        ("version = 3\nuser = 'u'\nauth_protocol = 'sha'", "auth_protocol: 'sha' is not allowed; did you mean 'sha1'?"),
        ("version = 3\nuser = 'u'\nauth_protocol = 'sha1'", "auth_key and auth_protocol go together"),
        ("version = 3\nuser = 'u'\nauth_key = { env = 'X' }", "auth_key and auth_protocol go together"),
        ("version = 3\nuser = 'u'\npriv_protocol = 'des'\npriv_key = { env = 'X' }", "privacy needs authentication"),
    ],
)  # fmt: skip
def test_a_credential_that_is_wrong_says_what_to_write(tmp_path: Path, body: str, fault: str) -> None:
    (line,) = faults(tmp_path, f"[credentials.a]\n{body}")

    assert fault in line
    assert "hunter2" not in line


def test_a_table_outside_credentials_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, "[core]\ncommunity = 'x'") == [
        "credentials.toml:1: core: unknown section; write [credentials.core]"
    ]


def test_no_file_is_no_credentials(tmp_path: Path) -> None:
    report = Report()

    assert not read_credentials(tmp_path / "gone.toml", "gone.toml", {}, report)
    assert not report.faults


def test_a_credential_shows_no_secret(tmp_path: Path) -> None:
    credentials, _ = read(tmp_path, "[credentials.default]\ncommunity = { env = 'C' }", {"C": "hunter2"})

    assert "hunter2" not in f"{credentials} {credentials['default']!r}"
