"""The adapter of webhooks: a message as JSON, signed, over httpx.

    POST /hook
    Idempotency-Key: 4f1c…                       the same however often the message is sent
    Streampoll-Signature: t=1767225600,v1=5d41…  HMAC-SHA256 of "1767225600." and the body, in hexadecimal

A receiver takes the body's bytes as they came, computes the same with its key, compares in constant time, and refuses
times that are more than a few minutes off. A key it has seen it answers with 200 and does nothing.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from streampoll.config.secret import Secret
from streampoll.http.client import HttpxClient
from streampoll.http.endpoint import Endpoint
from streampoll.http.port import Answer, Ask, Failure, Limits, Tally
from streampoll.http.retry_after import wait_asked
from streampoll.http.trust import CaUnusable, Contexts
from streampoll.notifications.channel import Style, WebhookTarget
from streampoll.notifications.compose import Text, facts
from streampoll.notifications.message import Message
from streampoll.notifications.port import NotSent

LAYOUT: Final = 1
SIGNATURE: Final = "Streampoll-Signature"
_FINAL: Final = frozenset((400, 405, 410, 413, 415, 422))  # sent again, it would be answered the same
_MOST_WAIT_S: Final = 3600.0
_MOST_BODY: Final = 65_536  # bytes of an answer, which nobody reads


class Webhook:
    """Sends messages to one address."""

    def __init__(
        self, target: WebhookTarget, timeout_s: float, contexts: Contexts, now: Callable[[], float] = time.time
    ) -> None:
        """Prepare. Raises NotSent: the authorities' file can't be used."""
        self._target = target
        self._now = now
        parts = urlsplit(target.url.reveal())
        tls = parts.scheme == "https"
        endpoint = Endpoint(parts.hostname or "", parts.port or (443 if tls else 80), tls, trust=target.trust)
        self._path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        limits = Limits(timeout_s / 2, timeout_s, timeout_s, _MOST_BODY, 2)
        try:
            self._client = HttpxClient(endpoint, limits, contexts.get(target.trust, False) if tls else None)
        except CaUnusable as error:
            raise NotSent(str(error)) from None

    async def send(self, message: Message, text: Text, style: Style) -> str:
        """Send a message. Raises NotSent: it was not taken, or nobody knows."""
        content = payload(message, text, style)
        headers = [
            ("Content-Type", "application/json"),
            ("Idempotency-Key", message.key),
            *self._proofs(content),
        ]
        try:
            answer = await self._client.send(Ask("POST", self._path, (), tuple(headers), content), Tally())
        except Failure as failure:
            raise NotSent(failure.cause.partition(" (see ")[0]) from None
        return self._judge(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _proofs(self, content: bytes) -> list[tuple[str, str]]:
        proofs = []
        if self._target.key:
            proofs.append((SIGNATURE, signature(self._target.key, content, int(self._now()))))
        if self._target.token:
            proofs.append(("Authorization", f"Bearer {self._target.token.reveal()}"))
        return proofs

    def _judge(self, answer: Answer) -> str:
        """Return what the answer was; what it says in words is not repeated: it may quote what we sent."""
        if 200 <= answer.status < 300:
            return f"HTTP {answer.status}"
        wait_s = min(wait_asked(answer.headers, self._now()) or 0.0, _MOST_WAIT_S)
        moved = "; redirects are not followed" if 300 <= answer.status < 400 else ""
        raise NotSent(f"HTTP {answer.status}{moved}", wait_s, answer.status in _FINAL)


def payload(message: Message, text: Text, style: Style) -> bytes:
    """Return a message as JSON: what templates may use, with its own texts, its key and what names the layout."""
    told = facts(message, style) | {"title": text.title, "text": text.body}
    return json.dumps({"version": LAYOUT, "key": message.key, "channel": message.channel, **told}).encode()


def signature(key: Secret, content: bytes, at: int) -> str:
    """Return what proves that a body is ours, and of when."""
    proof = hmac.new(key.reveal().encode(), b"%d." % at + content, hashlib.sha256).hexdigest()
    return f"t={at},v1={proof}"
