"""Where other commands find the servers of a running `up`."""

from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.embedded.endpoints import Endpoints, publish, read_settings, withdraw

EMBEDDED = Endpoints(Secret("redis://:pw@127.0.0.1:7001/0"), Secret("postgresql://sp:pw@127.0.0.1:7002/sp"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "streampoll.toml").write_text("")
    (tmp_path / "data").mkdir()
    return tmp_path


def urls(place: Path, **environ: str) -> tuple[str, str]:
    settings = read_settings(place, environ)
    return settings.redis.url.reveal(), settings.postgres.dsn.reveal()


def test_the_servers_of_a_running_up_stand_in_for_those_not_named(place: Path) -> None:
    before = urls(place)
    publish(place / "data", EMBEDDED)
    assert urls(place) == (EMBEDDED.redis_url.reveal(), EMBEDDED.postgres_dsn.reveal())
    named = urls(place, STREAMPOLL_REDIS_URL="redis://elsewhere:1/0")
    assert named == ("redis://elsewhere:1/0", EMBEDDED.postgres_dsn.reveal())
    withdraw(place / "data")
    assert urls(place) == before


def test_only_its_owner_can_read_them_and_no_half_of_it_is_ever_seen(place: Path) -> None:
    publish(place / "data", EMBEDDED)
    assert (place / "data" / "endpoints.json").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (place / "data").iterdir()] == ["endpoints.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"redis": "x"}'])
def test_a_file_that_can_not_be_read_counts_as_none(place: Path, text: str) -> None:
    before = urls(place)
    (place / "data" / "endpoints.json").write_text(text)
    assert urls(place) == before


def test_to_withdraw_what_is_not_there_is_no_error(place: Path) -> None:
    withdraw(place / "data")
    withdraw(place / "nowhere")
