"""A free port may be taken before the server binds it; both servers then try another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streampoll.embedded import places
from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.embedded.redis import EmbeddedRedis
from streampoll.errors import UnavailableError


@pytest.mark.parametrize("server_of", [EmbeddedRedis, EmbeddedPostgres])
def test_a_port_taken_in_between_is_not_the_end(
    server_of: Callable[[Path], EmbeddedRedis | EmbeddedPostgres],
    open_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    redis_server: EmbeddedRedis,
) -> None:
    ports = iter([redis_server.port, places.free_port()])
    monkeypatch.setattr(places, "free_port", lambda: next(ports))

    with server_of(open_directory / "server") as server:
        assert server.port != redis_server.port


def test_a_server_that_fails_for_another_reason_is_not_tried_again() -> None:
    tried: list[int] = []

    def start(port: int) -> None:
        tried.append(port)
        raise UnavailableError("no")

    with pytest.raises(UnavailableError):
        places.on_free_port(start)
    assert len(tried) == 1
