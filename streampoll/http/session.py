"""All that is kept of one device between polls: its client, its login, when it wants to be asked again, what it said.

ask -> told to wait? -> with the session's proof -> expired? once more after a login -> 429, 503: wait or remember
"""

import asyncio
from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from streampoll.http.credential import ApiKey, Basic, Bearer, Digest, HttpCredential, Login, Scheme
from streampoll.http.findings import Findings
from streampoll.http.judge import phrase
from streampoll.http.login import LoginSession
from streampoll.http.plan import Request
from streampoll.http.port import Answer, Ask, Client, Clock, Failure, Tally
from streampoll.http.retry_after import wait_asked
from streampoll.model import Status

_BUSY: Final = (429, 503)
_WAITS: Final = 3  # in one request: a device that always asks to wait for 0 s is not asked for ever
_KEPT: Final = 64  # answers kept for conditional requests


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that a device may later confirm."""

    request: Request  # as it was asked: a changed profile asks anew
    validators: tuple[tuple[str, str], ...]  # the headers that ask for a change
    findings: Findings


@dataclass(slots=True)
class Visit:
    """One poll's use of a session."""

    deadline: float  # the loop's time
    tally: Tally = field(default_factory=Tally)
    renewed: bool = False  # a login was made in this poll


class Session:
    """A device's session. Used by all polls of the device with one credential."""

    def __init__(self, client: Client, credential: HttpCredential | None, clock: Clock, most_wait_s: float) -> None:
        self._scheme = credential.scheme if credential else None
        self._client = client
        self._clock = clock
        self._most_wait_s = most_wait_s
        self._login = LoginSession(self._scheme, client) if isinstance(self._scheme, Login) else None
        self._refuses_until = 0.0  # the loop's time
        self.kept: dict[tuple[str, Ask], Kept] = {}  # by profile and request; see `keep`

    @property
    def is_told_to_wait(self) -> bool:
        """True while the device has asked not to be asked."""
        return self._clock.loop() < self._refuses_until

    async def ask(self, ask: Ask, visit: Visit) -> Answer:
        """Ask the device as who we are; wait where it asks for it and there is time.

        Raises:
            Failure: no answer, the login is refused, or it asks to wait for longer than this poll lasts.
        """
        for _ in range(_WAITS):
            self._check_wait()
            answer = await self._as_ourselves(ask, visit)
            wait_s = wait_asked(answer.headers, self._clock.wall()) if answer.status in _BUSY else None
            if wait_s is None:
                return answer
            until = self._clock.loop() + wait_s
            if until >= visit.deadline:
                break
            await asyncio.sleep(wait_s)
        self._refuses_until = self._clock.loop() + min(wait_s or 0.0, self._most_wait_s)
        raise Failure(Status.REFUSED, f"{phrase(answer.status)}: asks to wait for {wait_s:g} s (Retry-After)", True)

    def keep(self, profile: str, ask: Ask, kept: Kept) -> None:
        """Keep an answer for a conditional request, the oldest going first."""
        self.kept.pop((profile, ask), None)
        self.kept[profile, ask] = kept
        while len(self.kept) > _KEPT:
            del self.kept[next(iter(self.kept))]

    async def close(self) -> None:
        """Log out and close the connections."""
        try:
            if self._login is not None:
                await self._login.end()
        finally:
            await self._client.close()

    def _check_wait(self) -> None:
        """Refuse to ask a device that has asked to be left alone."""
        rest_s = self._refuses_until - self._clock.loop()
        if rest_s > 0:
            until = datetime.fromtimestamp(self._clock.wall() + rest_s, UTC)
            cause = f"not asked: it wants to be left alone until {until:%H:%M:%S} UTC (Retry-After)"
            raise Failure(Status.REFUSED, cause, True)

    async def _as_ourselves(self, ask: Ask, visit: Visit) -> Answer:
        """Ask with our proof; once a poll, after a new login if the session has expired."""
        login = self._login
        if login is None:
            return await self._client.send(_with(ask, static_headers(self._scheme)), visit.tally)
        visit.renewed = visit.renewed or not login.is_in
        proof = await login.headers(visit.tally)
        seen = login.attempt
        answer = await self._client.send(_with(ask, proof), visit.tally)
        if login.has_expired(answer) and not visit.renewed:
            visit.renewed = True
            await login.renew(seen, visit.tally)
            answer = await self._client.send(_with(ask, await login.headers(visit.tally)), visit.tally)
        if login.has_expired(answer):
            raise Failure(Status.AUTH, f"not let in after a login: {phrase(answer.status)}")
        return answer


def static_headers(scheme: Scheme | None) -> tuple[tuple[str, str], ...]:
    """Return the headers that prove who we are in every request; a digest and a login have theirs elsewhere."""
    match scheme:
        case Basic(user, password):
            return (("Authorization", "Basic " + b64encode(f"{user}:{password.reveal()}".encode()).decode()),)
        case Bearer(token):
            return (("Authorization", f"Bearer {token.reveal()}"),)
        case ApiKey(header, key):
            return ((header, key.reveal()),)
        case Digest() | Login() | None:
            return ()


def _with(ask: Ask, headers: tuple[tuple[str, str], ...]) -> Ask:
    return replace(ask, headers=(*ask.headers, *headers)) if headers else ask
