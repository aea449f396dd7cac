"""Channels against real servers: a mail server that apprise speaks to, a receiver that verifies signatures."""

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from streampoll.config.secret import Secret
from streampoll.http.trust import Contexts, Trust
from streampoll.notifications.apprise_sender import AppriseSender, unknown
from streampoll.notifications.channel import AppriseTarget, Channel, Style, WebhookTarget
from streampoll.notifications.compose import Text
from streampoll.notifications.message import Message
from streampoll.notifications.policy import Reason
from streampoll.notifications.port import NotSent, Sender
from streampoll.notifications.senders import Senders
from streampoll.notifications.webhook import Webhook
from tests.http_support import Device, json_page, serving
from tests.notify_servers_support import KEY, Mailbox, Receiver
from tests.notify_support import event
from tests.security_support import authority
from tests.test_notify_text import of

STYLE = Style()
ADDRESSES = {"mail": "mailto://u:p@example.com", "strange": "nosuch://hunter2", "cut": "slack://"}
TEXT = Text("[ERROR] sw1: if-down", "Zürich is down")


@pytest_asyncio.fixture
async def senders():
    """Makes senders and closes them."""
    made: list[Sender] = []

    def keep(sender: Sender) -> Sender:
        made.append(sender)
        return sender

    yield keep
    for sender in made:
        await sender.close()


def webhook(url: str, trust: Trust = Trust(), timeout_s: float = 5.0) -> Webhook:  # noqa: B008 - frozen
    return Webhook(WebhookTarget(Secret(url), Secret(KEY), Secret("bearer"), trust), timeout_s, Contexts())


async def not_sent(sender: Sender, message: Message | None = None) -> NotSent:
    with pytest.raises(NotSent) as why:
        await sender.send(message or of(event()), TEXT, STYLE)
    return why.value


async def test_a_webhook_is_signed_and_says_all_there_is(receiver: Receiver, senders) -> None:
    message = of(event(2**64 - 1), event(2))
    said = await senders(webhook(receiver.url)).send(message, TEXT, STYLE)

    [received] = receiver.received
    assert said == "HTTP 200"
    assert received.is_signed()
    assert not received.is_signed("another key")
    assert (received.key, received.path) == (message.key, "/hook?token=t0ken")
    assert received.headers["Authorization"] == "Bearer bearer"
    assert {each["id"] for each in received.told["events"]} == {str(2**64 - 1), "2"}
    assert (received.told["reason"], received.told["title"], received.told["text"]) == ("opened", TEXT.title, TEXT.body)


@pytest.mark.parametrize(
    ("status", "headers", "wait_s", "final"),
    [
        (503, {}, 0.0, False),
        (429, {"Retry-After": "120"}, 120.0, False),
        (429, {"Retry-After": "999999"}, 3600.0, False),
        (302, {"Location": "http://127.0.0.1:1/"}, 0.0, False),
        (422, {}, 0.0, True),
        (403, {}, 0.0, False),
    ],
)
async def test_a_webhook_that_is_not_taken_says_when_to_come_again(
    receiver: Receiver, senders, status: int, headers: dict[str, str], wait_s: float, final: bool
) -> None:
    receiver.answer = lambda _: (status, headers)

    why = await not_sent(senders(webhook(receiver.url)))

    assert why.cause.startswith(f"HTTP {status}")
    assert (why.wait_s, why.final) == (wait_s, final)
    assert len(receiver.received) == 1


async def test_a_receiver_that_is_away_or_silent_is_said_without_its_address(receiver: Receiver, senders) -> None:
    gone = await not_sent(senders(webhook("http://127.0.0.1:9/hunter2")))
    receiver.answer = lambda _: time.sleep(1.0) or (200, {})
    silent = await not_sent(senders(webhook(receiver.url, timeout_s=0.2)))

    assert (gone.cause, silent.cause) == ("connection refused", "no whole answer within 0.2 s")


async def test_a_receiver_must_show_a_certificate_that_is_trusted(tmp_path: Path, senders) -> None:
    ca = authority(tmp_path)
    async with serving(Device(), ca.issue("mine")) as device:
        device.on("/hook", json_page({}))
        url = f"https://127.0.0.1:{device.port}/hook"
        stranger = await not_sent(senders(webhook(url)))
        said = await senders(webhook(url, Trust(ca=str(ca.certificate)))).send(of(event()), TEXT, STYLE)

    assert "certificate is not trusted" in stranger.cause
    assert "http.tls" not in stranger.cause
    assert said == "HTTP 200"


async def test_a_mail_is_sent(mailbox: Mailbox, senders) -> None:
    await senders(AppriseSender(AppriseTarget(Secret(mailbox.url)), 10.0)).send(of(event()), TEXT, STYLE)

    [mail] = mailbox.mails
    assert "Subject: [ERROR] sw1: if-down" in mail
    assert mailbox.recipients == ["rcpt TO:<noc@example.com>"]


async def test_a_mail_that_is_refused_or_takes_too_long_is_said_without_a_word_of_the_address(
    mailbox: Mailbox, senders, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = mailbox.url.replace("mailto://", "mailto://user:hunter2@")
    sender = senders(AppriseSender(AppriseTarget(Secret(url)), 10.0))
    mailbox.refuses = "550 hunter2 is not here"
    refused = await not_sent(sender)
    sender._timeout_s = 0.3
    mailbox.hangs.set()
    silent = await not_sent(sender)
    mailbox.hangs.clear()
    mailbox.refuses = ""
    sender._timeout_s = 10.0
    await sender.send(of(event()), TEXT, STYLE)

    assert silent.cause == "no answer within 0.3 s"
    assert len(mailbox.mails) == 1
    assert "hunter2" not in caplog.text + refused.cause


async def test_an_address_that_apprise_does_not_know_is_said(senders) -> None:
    targets = {name: AppriseTarget(Secret(url)) for name, url in ADDRESSES.items()}
    strange = await not_sent(senders(AppriseSender(targets["strange"], 10.0)))

    assert strange.cause == "apprise does not know such an address, or a part of it is missing"
    assert await unknown(targets) == ["strange", "cut"]


class Book(dict[str, Channel]):
    async def fetch(self, name: str) -> Channel:
        return self[name]


def hook(receiver: Receiver, **templates: str) -> Book:
    return Book(hook=Channel("hook", WebhookTarget(Secret(receiver.url), Secret(KEY)), 5.0, **templates))


async def test_templates_make_the_text_and_one_that_fails_is_said_and_replaced(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    message, senders = replace(of(event()), channel="hook"), Senders()
    book = hook(receiver, subject="a\n{{ group }}", body="{{ group.nothing.at_all }}")
    for _ in range(2):
        await senders.send(book, message, STYLE)
    await senders.close()

    told = receiver.received[0].told
    assert told["title"] == "a sw1"
    assert told["text"].startswith("error sw1 Gi0/1, if-down")
    assert caplog.text.count("its body fails, the built-in text is sent") == 1


async def test_a_channel_that_is_not_there_is_said(receiver: Receiver) -> None:
    with pytest.raises(NotSent, match="no such channel"):
        await Senders().send(hook(receiver), Message("other", "k", Reason.NOTICE, 0.0), STYLE)
