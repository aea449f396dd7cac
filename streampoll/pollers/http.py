"""The poller of HTTP: a target becomes an endpoint, its session is borrowed, and the collector does the rest.

Nothing here imports the HTTP library; the first session does.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from streampoll.config.settings import HttpSettings
from streampoll.http.collect import collect
from streampoll.http.credential import HttpCredential
from streampoll.http.endpoint import Endpoint
from streampoll.http.plan import HttpPlan
from streampoll.http.port import Clock, Limits
from streampoll.http.sessions import Keeping, Sessions, Whom
from streampoll.http.trust import CaUnusable, Trust, Verify, fingerprint
from streampoll.model import Outcome, Scalar, Status, Target

_PORTS: Final = {True: 443, False: 80}


class HttpPoller:
    """Polls targets over HTTP; made in the forked child, in its loop."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        keeping = Keeping(
            settings.idle_s, settings.logout_limit_s, settings.max_retry_after_s, settings.max_kept
        )  # fmt: skip
        self._sessions = Sessions(keeping, Clock(time.time, asyncio.get_running_loop().time))

    @property
    def wall_limit_s(self) -> float:
        """A poll ends after this, with what it has."""
        return self._settings.wall_limit_s

    async def poll(self, target: Target, plan: HttpPlan, credential: HttpCredential | None, deadline: float) -> Outcome:
        """Poll a target until `deadline` (the loop's time); whatever happens is an outcome."""
        try:
            whom = whom_of(target, plan, credential, self._settings)
        except ValueError as error:
            return Outcome(Status.CONFIG, str(error))
        known = {"device": target.device, "address": target.address}
        try:
            async with self._sessions.borrow(whom) as session:
                return await collect(session, plan, known, target.device, deadline)
        except CaUnusable as error:
            return Outcome(Status.CONFIG, str(error))

    async def close(self) -> None:
        """Log out everywhere and close the connections."""
        await self._sessions.close()


def whom_of(target: Target, plan: HttpPlan, credential: HttpCredential | None, settings: HttpSettings) -> Whom:
    """Return where a target's server is and by what it is known. Raises ValueError: an override makes no sense."""
    own = target.overrides
    port = own.get("http.port") or target.port or plan.port or _PORTS[plan.tls]
    endpoint = Endpoint(
        target.address, int(port), plan.tls, plan.http2, str(own.get("http.tls_server_name", "")),
        _trust(own, credential, settings),
    )  # fmt: skip
    limits = Limits(
        _seconds(own, "http.connect_timeout_s", settings.connect_timeout_s),
        _seconds(own, "http.read_timeout_s", settings.read_timeout_s),
        settings.request_limit_s,
        settings.max_body_bytes,
        settings.connections,
    )
    return Whom(endpoint, credential, limits)


def _trust(own: Mapping[str, Scalar], credential: HttpCredential | None, settings: HttpSettings) -> Trust:
    """Return what a certificate is checked by: what the device says, else its credential, else the settings."""
    trust = Trust(Verify(settings.tls_verify), settings.tls_ca)
    if credential and credential.tls_ca:
        trust = replace(trust, ca=credential.tls_ca)
    pin = credential.tls_fingerprint if credential else ""
    if verify := own.get("http.tls_verify"):
        trust, pin = replace(trust, verify=Verify(str(verify))), ""
    if ca := own.get("http.tls_ca"):
        trust, pin = replace(trust, ca=str(ca)), ""
    pin = str(own.get("http.tls_fingerprint", pin))
    return replace(trust, fingerprint=fingerprint(pin)) if pin else trust


def _seconds(own: Mapping[str, Scalar], key: str, default: float) -> float:
    value = own.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"override {key} = {value!r}: write seconds above 0")
    return float(value)
