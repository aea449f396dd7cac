"""notifications.toml: what it may say, and what it must not."""

from pathlib import Path

import pytest

from streampoll.config.notifications import Notifications, read_notifications
from streampoll.config.report import Report
from streampoll.errors import ConfigError
from streampoll.model import Severity
from streampoll.notifications.channel import AppriseTarget, WebhookTarget

WHOLE = """\
timezone = "Europe/Zurich"
link = "https://poll.example.com/events/{id}"

[hours.night]
begin = "22:00"
end = "07:00"
days = ["weekdays", "sun"]

[channels.mail]
type = "apprise"
url = "mailtos://noc:{password}@smtp.example.com?to=oncall@example.com"
parts = { password = { env = "SMTP_PASSWORD" } }
rate = "10/m"
subject = "{{ title }}"

[channels.chat]
type = "apprise"
url = { env = "CHAT_URL" }

[channels.hook]
type = "webhook"
url = "https://tickets.example.com/hook"
key = { env = "HOOK_KEY" }
give_up = "2h"

[routes.core]
severity = "error"
match = { site = "zurich", groups = ["core"], devices = ["sw1", "sw2"], team = ["net"] }
channels = ["mail"]
group_by = ["site", "rule"]
escalate = [{ after = "15m", channels = ["chat"] }, { after = "1h", channels = ["hook"] }]
quiet = "night"
quiet_unless = "error"
repeat = "4h"
go_on = true

[routes.rest]
channels = ["hook"]
"""
ENVIRON = {"SMTP_PASSWORD": "a/b@c", "CHAT_URL": "slack://token", "HOOK_KEY": "k"}


def read(directory: Path, text: str, mode: int = 0o644) -> tuple[Notifications, Report]:
    path, report = directory / "notifications.toml", Report()
    path.write_text(text)
    path.chmod(mode)
    return read_notifications(path, path.name, ENVIRON, report), report


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    known, report = read(tmp_path, WHOLE)

    assert not report.faults
    assert not report.notices
    core = known.routes[0]
    assert (core.severity, core.through, core.repeat_s) == (Severity.ERROR, Severity.ERROR, 14_400.0)
    assert core.labels == {
        "site": frozenset(["zurich"]), "groups": frozenset(["core"]), "device": frozenset(["sw1", "sw2"]),
        "team": frozenset(["net"]),
    }  # fmt: skip
    assert [(step.after_s, step.channels) for step in core.steps] == [(900.0, ("chat",)), (3600.0, ("hook",))]
    assert core.quiet
    assert core.quiet.days == frozenset([0, 1, 2, 3, 4, 6])
    assert known.terms["hook"].give_up_s == 7200.0
    assert isinstance(known.channels["hook"].target, WebhookTarget)


def test_parts_are_put_into_an_address_escaped(tmp_path: Path) -> None:
    target = read(tmp_path, WHOLE)[0].channels["mail"].target

    assert isinstance(target, AppriseTarget)
    assert target.url.reveal() == "mailtos://noc:a%2Fb%40c@smtp.example.com?to=oncall@example.com"


def test_no_file_is_no_notifications(tmp_path: Path) -> None:
    assert read_notifications(tmp_path / "notifications.toml", "notifications.toml", {}, Report()).routes == ()


CHAT = '[channels.chat]\ntype = "apprise"\nurl = { env = "CHAT_URL" }\n'
ROUTE = CHAT + '[routes.a]\nchannels = ["chat"]\n'
TWICE = '{ after = "1h", channels = ["chat"] }'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[rutes.a]\nchannels = ["a"]', "1: rutes: unknown section; did you mean 'routes'?"),
        ('timezone = "Europe/Zurick"', "1: timezone: no time zone 'Europe/Zurick'; did you mean 'Europe/Zurich'?"),
        (CHAT + '[routes.a]\nchannels = ["chatt"]', "5: routes.a.channels: no channel 'chatt'; did you mean 'chat'?"),
        (CHAT + "[routes.a]\nchannels = []", '5: routes.a.channels: tells nobody; write channels = ["NAME"]'),
        (CHAT + "[routes.a]", "4: routes.a: 'channels' is missing; channels = a list of texts"),
        (ROUTE + 'severity = "crit"', "6: routes.a.severity: 'crit' is not allowed; did you mean 'critical'?"),
        (ROUTE + 'repeet = "1h"', "6: routes.a.repeet: unknown key; did you mean 'repeat'?"),
        (ROUTE + 'quiet = "night"', "6: routes.a.quiet: no hours 'night'; write [hours.night]"),
        (ROUTE + 'match = { severity = "error" }', "6: routes.a.match.severity: is not matched; write severity = "),
        (ROUTE + f"escalate = [{TWICE}, {TWICE}]", "6: routes.a.escalate[1].after: is not later than the step before"),
        ('[hours.h]\nbegin = "7"', "2: hours.h.begin: '7' is not a time of day; write one as \"07:30\""),
        ('[hours.h]\ndays = ["mo"]', "2: hours.h.days: no day 'mo'; did you mean 'mon'?"),
        ("[channels.a]\nurl = 1", "1: channels.a.type: 'type' is missing; known: apprise, webhook"),
        ('[channels.a]\ntype = "webhok"', "2: channels.a.type: no type 'webhok'; did you mean 'webhook'?"),
        (
            '[channels.a]\ntype = "apprise"\nurl = "x://{a}"\nparts = { b = "c" }',
            "3: channels.a.url: {a} is not in parts",
        ),
        (CHAT + 'rate = "fast"', "4: channels.chat.rate: 'fast' is not a rate; write messages per time, as"),
        (CHAT + 'body = "{{ title"', "4: channels.chat.body: is not a template: unexpected end of template"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_to_write(tmp_path: Path, text: str, fault: str) -> None:
    report = read(tmp_path, text)[1]

    assert any(str(each).startswith(f"notifications.toml:{fault}") for each in report.faults), report.faults


def test_a_secret_in_the_file_wants_the_file_guarded(tmp_path: Path) -> None:
    text = '[channels.chat]\ntype = "apprise"\nurl = "slack://token-a/token-b"\n[routes.a]\nchannels = ["chat"]\n'

    faults = read(tmp_path, text)[1].faults

    assert "chmod 600" in str(faults[0])
    assert "token-a" not in str(faults)
    assert not read(tmp_path, text, mode=0o600)[1].faults


def test_an_address_that_is_none_is_refused_without_being_shown(tmp_path: Path) -> None:
    known, _ = read(tmp_path, '[channels.a]\ntype = "webhook"\nurl = { text = "ftp://hunter2" }\n', mode=0o600)

    with pytest.raises(ConfigError, match="not an address") as error:
        known.channels["a"]
    assert "hunter2" not in str(error.value)


def test_an_unsigned_webhook_and_a_label_like_ours_are_worth_a_word(tmp_path: Path) -> None:
    text = '[channels.a]\ntype = "webhook"\nurl = "https://x/"\n[routes.a]\nchannels = ["a"]\nmatch = { sit = "x" }\n'

    notices = [str(notice) for notice in read(tmp_path, text)[1].notices]

    assert any("not signed" in notice for notice in notices)
    assert any("did you mean 'site'" in notice for notice in notices)
