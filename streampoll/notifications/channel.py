"""What is known of a channel once its secrets are read."""

from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from streampoll.config.secret import Secret
from streampoll.http.trust import Trust
from streampoll.notifications.pace import Rate

UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Style:
    """What all texts are made with."""

    zone: ZoneInfo = UTC
    link: str = ""  # address of an event's page, with {id}, {device}, {rule} in it; "": no links


@dataclass(frozen=True, slots=True)
class AppriseTarget:
    """A service that apprise speaks to."""

    url: Secret


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A program that takes JSON."""

    url: Secret  # it may hold a token
    key: Secret = field(default_factory=lambda: Secret(""))  # signs; empty: nothing is signed
    token: Secret = field(default_factory=lambda: Secret(""))  # Authorization: Bearer; empty: none
    trust: Trust = field(default_factory=Trust)


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to people."""

    name: str
    target: AppriseTarget | WebhookTarget
    timeout_s: float
    subject: str = ""  # templates; "": the built-in text
    body: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of a channel without its secrets."""

    rate: Rate | None = None  # None: no bound
    give_up_s: float = 86_400.0  # a message that was not taken by then goes to the dead letters
