"""Credentials that change while a process polls: taken up without a restart, and nothing else is touched."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streampoll.config.credential_book import LOOK_AGAIN_S, Credentials
from streampoll.config.credentials import read_credentials
from streampoll.config.report import Report
from streampoll.config.rotation import follow_credentials
from streampoll.config.secret import Secret
from streampoll.errors import ConfigError
from streampoll.snmp.credential import Community
from tests.test_config_credentials import secret_file
from tests.test_credentials_sources import program
from tests.waiting import eventually_async

TWO = "[credentials.a]\ncommunity = 'file:a'\n[credentials.b]\ncommunity = 'file:b'\n"


def book(directory: Path, text: str = TWO) -> Credentials:
    (directory / "credentials.toml").write_text(text)
    report = Report()
    credentials = read_credentials(directory / "credentials.toml", "credentials.toml", {}, report)
    report.refuse()
    return credentials


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    secret_file(tmp_path / "a", "one")
    secret_file(tmp_path / "b", "two")
    return tmp_path


async def test_only_what_changed_becomes_another_object(directory: Path) -> None:
    credentials = book(directory)
    a, b = await credentials.fetch("a"), await credentials.fetch("b")
    secret_file(directory / "a", "new")

    await credentials.renew(book(directory))

    assert (credentials["a"], credentials["b"] is b) == (Community(Secret("new")), True)
    assert a == Community(Secret("one"))


async def test_a_new_line_in_the_file_is_taken_up_and_one_that_went_is_gone(directory: Path) -> None:
    credentials = book(directory)
    await credentials.fetch("a")

    await credentials.renew(book(directory, "[credentials.c]\ncommunity = 'file:b'\n"))

    assert list(credentials) == ["c"]
    assert await credentials.fetch("c") == Community(Secret("two"))
    with pytest.raises(KeyError):
        credentials["a"]


async def test_a_secret_that_is_gone_for_a_moment_stays_as_it_was(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = book(directory)
    a = await credentials.fetch("a")
    (directory / "a").unlink()

    await credentials.renew(book(directory))

    assert credentials["a"] is a
    assert "what was read before stays in use" in caplog.text


async def test_a_program_is_asked_once_for_all_who_wait(directory: Path) -> None:
    program(directory / "vault", "echo x >> asked; sleep 0.1; echo one")
    credentials = book(directory, "[credentials.a]\ncommunity = 'command:./vault'\n")

    found = await asyncio.gather(*(credentials.fetch("a") for _ in range(20)))

    assert set(map(id, found)) == {id(credentials["a"])}
    assert (directory / "asked").read_text() == "x\n"


async def test_a_program_that_fails_is_not_asked_by_every_poll(directory: Path) -> None:
    program(directory / "vault", "echo x >> asked; exit 1")
    credentials = book(directory, "[credentials.a]\ncommunity = 'command:./vault'\n")

    for _ in range(5):
        with pytest.raises(ConfigError, match="exit code 1"):
            await credentials.fetch("a")

    assert (directory / "asked").read_text() == "x\n"


async def test_what_a_device_refuses_is_read_again_once_a_minute(directory: Path) -> None:
    now = 1000.0
    program(directory / "vault", "echo x >> asked; wc -l < asked")
    fresh = book(directory, "[credentials.a]\ncommunity = 'command:./vault'\n")
    credentials = Credentials(fresh._recipes, fresh._keeping, lambda: now)
    await credentials.fetch("a")

    for passed_s in (1, LOOK_AGAIN_S, 1, LOOK_AGAIN_S):
        now += passed_s
        await credentials.look_again(["a"])

    assert (directory / "asked").read_text() == "x\n" * 3
    assert credentials["a"] == Community(Secret("3"))


async def test_a_file_that_changes_is_seen(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = book(directory)
    await credentials.fetch("a")
    following = asyncio.create_task(
        follow_credentials(directory / "credentials.toml", lambda: book_again(directory), credentials)
    )

    async def rotated() -> bool:
        secret_file(directory / "a", "a-new-secret")  # again and again: the watch begins when it can
        return credentials["a"] == Community(Secret("a-new-secret"))

    await eventually_async(rotated)
    following.cancel()
    await asyncio.wait([following])
    assert "credential 'a' has changed" in caplog.text
    assert "a-new-secret" not in caplog.text


async def test_files_of_a_configuration_that_was_named_relatively_are_watched_where_they_are(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory.parent)  # as in `streampoll up --config net`
    here = Path(directory.name)
    watched: list[str] = []

    async def look(base: Path, patterns: tuple[str, ...]) -> AsyncIterator[list[str]]:
        watched.extend(str(base.resolve() / pattern) for pattern in patterns)
        return
        yield

    await follow_credentials(here / "credentials.toml", lambda: book_again(here), book(here), look)

    assert str(directory / "a") in watched


async def test_a_faulty_file_is_refused_and_the_old_credentials_stay(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = book(directory)

    async def once(*_: object) -> AsyncIterator[list[str]]:
        yield ["credentials.toml"]

    await follow_credentials(
        directory / "credentials.toml", lambda: book(directory, "[credentials.a]\n"), credentials, once
    )

    assert "'community' is missing" in caplog.text
    assert list(credentials) == ["a", "b"]


def book_again(directory: Path) -> Credentials:
    return read_credentials(directory / "credentials.toml", "credentials.toml", {}, Report())
