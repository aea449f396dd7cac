"""A session at a device: one login, shared by all polls of the device, renewed when it has expired, ended at the end.

Two polls that find the session expired at once log in once: each says which login it went by, and the second finds
that there was another since. A refused login counts too: a wrong password is tried once a poll and not once a request,
since devices lock users out.
"""

import asyncio
import logging
from dataclasses import replace

from streampoll.config.secret import Secret
from streampoll.http.credential import LOCATION, Login, check_header_value
from streampoll.http.expression import compile_expression
from streampoll.http.judge import is_login_page, phrase, read_json
from streampoll.http.pages import elsewhere
from streampoll.http.port import Answer, Ask, Client, Failure, Tally
from streampoll.http.template import fill_body
from streampoll.model import Status

log = logging.getLogger(__name__)

_REFUSED = (400, 401, 403, 422)  # by these a login says that user or password are wrong


class LoginSession:
    """The session of one device and credential."""

    def __init__(self, login: Login, client: Client) -> None:
        self._login = login
        self._client = client
        self._lock = asyncio.Lock()
        self._token = Secret("")
        self._location = ""
        self._failure: Failure | None = None  # of the last attempt
        self.is_in = False
        self.attempt = 0  # logins that have ended, refused ones too

    async def headers(self, tally: Tally) -> tuple[tuple[str, str], ...]:
        """Return what a request must carry, after a login if there is no session. Raises Failure: refused."""
        if not self.is_in:
            await self.renew(self.attempt, tally)
        return self._proof()

    async def renew(self, seen: int, tally: Tally) -> None:
        """Log in, unless another poll has since attempt `seen`: its success or failure is ours too.

        Raises:
            Failure: refused.
        """
        async with self._lock:
            if self.attempt == seen:
                await self._log_in(tally)
            elif self._failure is not None:
                raise self._failure

    def has_expired(self, answer: Answer) -> bool:
        """Tell whether an answer says that the session is over: a status, the way to the login, its page."""
        is_elsewhere = bool(self._login.cookie) and 300 <= answer.status < 400 and answer.status != 304
        return answer.status in self._login.expired or is_elsewhere or is_login_page(answer)

    async def end(self) -> None:
        """Log out; a device that does not answer it is left as it is."""
        logout, is_in, self.is_in = self._login.logout, self.is_in, False
        if logout is None or not is_in:
            return
        ask = Ask(logout.method, logout.path, headers=self._proof())
        try:
            if logout.path == LOCATION:
                ask = elsewhere(replace(ask, path=self._login.path), self._location)
            await self._client.send(ask, Tally())
        except Failure as error:
            log.debug("logout: %s", error)

    async def _log_in(self, tally: Tally) -> None:
        self.is_in, self._failure = False, None
        self._client.forget_cookies()
        try:
            self._keep(await self._send(tally))
        except Failure as failure:
            self._failure = failure
            raise
        else:
            self.is_in = True
        finally:
            self.attempt += self.is_in or self._failure is not None  # one that was cancelled says nothing to others

    async def _send(self, tally: Tally) -> Answer:
        login = self._login
        secrets = {"user": login.user, "password": login.password.reveal()}
        content, kind = fill_body(login.body, secrets)
        ask = Ask("POST", login.path, headers=(("Content-Type", kind), ("Accept", "*/*")), content=content)
        answer = await self._client.send(ask, tally)
        if answer.status in _REFUSED:
            raise Failure(Status.AUTH, f"login refused: {phrase(answer.status)}", True)
        is_moved = bool(login.cookie) and 300 <= answer.status < 400
        if not 200 <= answer.status < 300 and not is_moved:
            raise Failure(Status.REFUSED, f"login: {phrase(answer.status)}", True)
        return answer

    def _keep(self, answer: Answer) -> None:
        """Take the proof out of a login's answer. Raises Failure: it has none."""
        login = self._login
        self._location = answer.headers.get("location", "")
        if login.cookie:
            if not self._client.has_cookie(login.cookie):
                raise Failure(Status.AUTH, f"login refused: no cookie {login.cookie!r} was set", True)
            return
        token = answer.headers.get(login.token_header.lower(), "") if login.token_header else _token(login, answer)
        if not token:
            raise Failure(Status.AUTH, "login refused: its answer has no token", True)
        try:
            check_header_value("token", token)
        except ValueError as error:
            raise Failure(Status.DECODE, f"login: {error}", True) from None
        self._token = Secret(token)

    def _proof(self) -> tuple[tuple[str, str], ...]:
        """Return the header that has the token; a cookie goes by itself."""
        return ((self._login.header, self._login.prefix + self._token.reveal()),) if self._token else ()


def _token(login: Login, answer: Answer) -> str:
    """Return the token in a login's answer; "" if there is none."""
    try:
        document: object = read_json(answer.body)
    except Failure as error:
        raise Failure(error.status, f"login: {error.cause}", True) from None
    found = compile_expression(login.token)(document)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
