"""docs/notifications.md and the examples of notifications.toml: all of it is read, run and true."""

import dataclasses
import hashlib
import hmac
import re
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from streampoll.cli.notify import command
from streampoll.config import notification_channels, notifications
from streampoll.config.notifications import read_notifications
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.notifications.webhook import signature
from tests.docs_support import blocks, text_of

PAGE = text_of("docs/notifications.md")
EXAMPLES = [
    *blocks(PAGE, "toml"),
    text_of("conf/notifications.toml"),
    re.sub(r"(?m)^# ?(?=\[|[a-z_]+ = )", "", text_of("streampoll/cli/starter/notifications.toml")),
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_read_without_a_word(text: str, tmp_path: Path) -> None:
    report = Report()
    (tmp_path / "notifications.toml").write_text(text)
    read_notifications(tmp_path / "notifications.toml", "notifications.toml", {}, report)

    assert [str(each) for each in [*report.faults, *report.notices] if "no route" not in str(each)] == []


def test_every_key_of_channels_and_routes_is_on_the_page() -> None:
    tables = [
        notification_channels._AppriseTable, notification_channels._WebhookTable, notifications._RouteTable,
    ]  # fmt: skip
    keys = {each.name for table in tables for each in dataclasses.fields(table)}

    assert {key for key in keys if f"`{key}`" not in PAGE} == set()


def test_the_receiver_on_the_page_knows_what_is_ours() -> None:
    made: dict[str, object] = {}
    exec(blocks(PAGE, "python")[0], made)
    is_ours = made["is_ours"]
    header = signature(Secret("k"), b"{}", int(time.time()))

    assert callable(is_ours)
    assert is_ours(b"k", header, b"{}")
    assert not is_ours(b"k", header, b"{ }")
    assert not is_ours(b"k", signature(Secret("k"), b"{}", 1), b"{}")
    assert hmac.new(b"k", b"1.{}", hashlib.sha256).hexdigest() in signature(Secret("k"), b"{}", 1)


def test_what_routes_prints_is_what_the_page_shows(tmp_path: Path) -> None:
    [shown] = blocks(PAGE, "console")
    (tmp_path / "streampoll.toml").write_text("")
    (tmp_path / "notifications.toml").write_text(blocks(PAGE, "toml")[2])
    arguments = shown.splitlines()[0].split()[3:]
    answer = CliRunner().invoke(command, [*arguments, "--config", str(tmp_path)])

    assert answer.output.splitlines() == shown.splitlines()[1:]
