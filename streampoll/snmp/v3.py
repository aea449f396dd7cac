"""Asking SNMPv3 agents: who an agent is, whose keys fit it, and what to do about its reports.

    ask --> known engine and keys? --no--> discovery (one for all who wait) --> keys localized --.
             |                                                                                    |
             '--yes--> request --> reply                      <-----------------------------------'
                          '--> report --> its remedy, once --> request, under a new id

Only two reports have a remedy, and it is applied within the same poll: *not in time window*, if signed, sets the clock
right; *unknown engine ID* begins anew with the ID it came from. Every other one is the request's failure.

What is remembered of an agent changes only by what proves itself. A new engine ID takes the place of a proven one when
a request to it was answered, with a signature where there is one, and not by a report, which anybody can send. An agent
that kept silent is asked who it is before its next request: it may have been replaced.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from streampoll.model import Status
from streampoll.snmp.authority import LAST_BOOTS, Clock, Engines, Learned, RemoteEngine
from streampoll.snmp.courier import Courier
from streampoll.snmp.credential import UsmUser
from streampoll.snmp.engine import Address, Agent, Failure, Reply
from streampoll.snmp.master_keys import MasterKeys
from streampoll.snmp.message import PduType, Request
from streampoll.snmp.message_v3 import PRIV
from streampoll.snmp.reports import Cause, Report
from streampoll.snmp.session import Discovery, Kits, Session

_QUESTION: Final = Request(PduType.GET, ())
_MOST_SESSIONS: Final = 200_000
_log = logging.getLogger(__name__)

_Remedy = Callable[[Session, Agent, Report], Coroutine[Any, Any, Session | Failure]]


class V3Asker:
    """Asks agents as users. One for a process, so that engines and keys are found once for all its polls."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._counters = courier.counters
        self._loop = asyncio.get_running_loop()
        self._engines = Engines()
        self._keys = MasterKeys()
        self._kits = Kits()
        self._sessions: dict[tuple[Address, int], Session] = {}  # by address and the user's identity
        self._discoveries: dict[Address, asyncio.Future[Reply | Failure]] = {}
        self._discovery = Discovery()
        self._salt = random.getrandbits(64)  # counted up, so that none comes twice within an engine's second

    def knows(self, agent: Agent) -> bool:
        """Tell whether an agent has answered this user, and need not be asked who it is."""
        session = self._sessions.get((agent.address, id(agent.credential)))
        return session is not None and session.has_answered and not session.engine.is_doubtful

    async def ask(self, agent: Agent, request: Request, deadline: float) -> Reply | Failure:
        """Ask an agent; see `Engine`."""
        session = self._sessions.get((agent.address, id(agent.credential)))
        if session is not None and not session.engine.is_doubtful:
            result = await self._courier.ask(session, agent, request, deadline)
            if type(result) is Reply and session.has_answered:
                return result
            sent = 0
        else:
            sent, opened = await self._open(agent, deadline)
            if isinstance(opened, Failure):
                return opened
            session = opened
            result = await self._courier.ask(session, agent, request, deadline)
        return await self._conclude(session, agent, request, deadline, result, sent)

    def _new_salt(self) -> int:
        self._salt = (self._salt + 1) & 0xFFFFFFFFFFFFFFFF
        return self._salt

    # ---- before the request: whom we talk to, and with which keys

    async def _open(self, agent: Agent, deadline: float) -> tuple[int, Session | Failure]:
        """Find or make the session with an agent; returns the messages that took, too."""
        engine = self._engines.by_address.get(agent.address)
        sent = 0
        if engine is None or engine.is_doubtful:
            sent, found = await self._discover(agent, deadline)
            if not isinstance(found, Report):
                return sent, found
            accepted = self._accept(agent, found)
            if isinstance(accepted, Failure):
                return sent, replace(accepted, sent=sent)
            engine = accepted
        return sent, await self._session(agent, engine)

    async def _discover(self, agent: Agent, deadline: float) -> tuple[int, Failure]:
        """Ask an agent who it is. Whoever wants to know meanwhile waits for the same answer, and sends nothing."""
        asked = self._discoveries.get(agent.address)
        is_first = asked is None
        if asked is None:
            self._counters.discoveries += 1
            asked = self._courier.ask(self._discovery, agent, _QUESTION, deadline)
            self._discoveries[agent.address] = asked
            asked.add_done_callback(lambda _: self._discoveries.pop(agent.address, None))
        try:
            async with asyncio.timeout_at(deadline):
                found = await asyncio.shield(asked)
        except TimeoutError:
            return 0, Failure(Status.TIMEOUT, "no answer to the question for the agent's engine ID before the deadline")
        assert isinstance(found, Failure), "a discovery reads reports only"
        return (found.sent, found) if is_first else (0, replace(found, sent=0))

    def _accept(self, agent: Agent, found: Report) -> RemoteEngine | Failure:
        """Return the engine that an agent says it is: the known one, or a new one that has yet to prove itself."""
        known = self._engines.by_address.get(agent.address)
        hint = Clock(found.boots, found.time_s, self._loop.time())
        if known is not None and known.engine_id == found.engine_id:
            known.is_doubtful = False
            known.hint = hint
            return known
        engine = RemoteEngine(found.engine_id, hint)
        if known is None or not known.has_answered:
            self._engines.keep(agent.address, engine)
        elif not agent.limits.follow_engine_id:
            return Failure(Status.AUTH, _changed(known.engine_id, found.engine_id) + _HOW_TO_FOLLOW)
        return engine

    async def _session(self, agent: Agent, engine: RemoteEngine) -> Session:
        """Return the session of an agent's user with an engine, its keys localized."""
        user = agent.credential
        assert isinstance(user, UsmUser)
        key = agent.address, id(user)
        session = self._sessions.get(key)
        if session is None or session.engine is not engine:
            keys = await self._keys.localized(user, engine.engine_id)
            session = Session(user, engine, keys, self._kits, self._new_salt)
            if len(self._sessions) >= _MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[key] = session
        return session

    # ---- after the request: what came instead of a reply

    async def _conclude(
        self, session: Session, agent: Agent, request: Request, deadline: float, result: Reply | Failure, sent: int
    ) -> Reply | Failure:
        """Apply the remedies that a request's reports have, each once; note what the end says about the agent."""
        remedies: dict[Cause, _Remedy] = {
            Cause.NOT_IN_TIME: self._resynchronize,
            Cause.TIME_WENT_BACK: self._resynchronize,
            Cause.UNKNOWN_ENGINE: self._begin_anew,
        }
        while isinstance(result, Report):
            self._counters.reports += 1
            remedy = remedies.pop(result.cause, None)
            if remedy is None:
                break
            sent += result.sent
            cured = await remedy(session, agent, result)
            if isinstance(cured, Failure):
                return replace(cured, sent=sent)
            session = cured
            result = await self._courier.ask(session, agent, request, deadline)
        if isinstance(result, Failure):
            return _failed(session, result, sent)
        self._prove(agent, session)
        result.sent += sent
        return result

    async def _resynchronize(self, session: Session, agent: Agent, report: Report) -> Session | Failure:
        """Set the clock right by a signed report; one that is not signed only has the agent asked who it is, next."""
        engine = session.engine
        if not report.is_authentic:
            engine.is_doubtful = True
            return Failure(report.status, f"{report.reason}; the report is not signed, so its time is not taken over")
        if report.boots == LAST_BOOTS:
            return Failure(report.status, f"engine boots are at their maximum, {LAST_BOOTS}: it needs a new engine ID")
        if engine.learn(report.boots, report.time_s, self._loop.time()) is Learned.BACK:
            return self._go_back(session, agent, report)
        self._counters.resyncs += 1
        return session

    def _go_back(self, session: Session, agent: Agent, report: Report) -> Session | Failure:
        """Follow an agent whose boots or time went back, or refuse to."""
        now = self._loop.time()
        known = session.engine.proven.at(now) if session.engine.proven else (0, 0)
        text = f"engine boots and time went back from {known[0]}, {known[1]} to {report.boots}, {report.time_s}"
        if not agent.limits.allow_boots_back:
            return Failure(Status.AUTH, f"{text}: a device that keeps none, or a replay; {_HOW_TO_GO_BACK}")
        _log.warning("%s: %s; followed, as the device is allowed to", agent.address[0], text)
        self._counters.boots_back += 1
        session.engine.go_back(report.boots, report.time_s, now)
        return session

    async def _begin_anew(self, session: Session, agent: Agent, report: Report) -> Session | Failure:
        """Take the engine ID that a report came from, for as long as it proves itself."""
        if not report.engine_id or report.engine_id == session.engine.engine_id:
            session.engine.is_doubtful = True
            return report
        accepted = self._accept(agent, report)
        return accepted if isinstance(accepted, Failure) else await self._session(agent, accepted)

    def _prove(self, agent: Agent, session: Session) -> None:
        """Note that an engine has answered; report what is new about it."""
        engine = session.engine
        session.has_answered = True
        if engine.has_answered:
            return
        engine.has_answered = True
        known = self._engines.by_address.get(agent.address)
        if known is not engine:
            if known is not None:
                self._counters.engine_id_changes += 1
                _log.warning("%s: %s", agent.address[0], _changed(known.engine_id, engine.engine_id))
            if known is None or known.proven is None or session.level:  # what was signed gives way only to a signature
                self._engines.keep(agent.address, engine)
        shared = self._engines.claim(agent.address, engine.engine_id)
        if shared is not None:
            self._counters.shared_engine_ids += 1
            if shared[1]:
                _log.warning(
                    "%s has the engine ID of %s, %s: cloned devices, or one with two addresses; give each its own",
                    agent.address[0], shared[0][0], engine.engine_id.hex(),
                )  # fmt: skip


_HOW_TO_FOLLOW: Final = "; if the device was replaced, set snmp.follow_engine_id = true for it, or restart the workers"
_HOW_TO_GO_BACK: Final = "if that is right for this device, set snmp.allow_boots_back = true for it"


def _changed(before: bytes, after: bytes) -> str:
    return f"the engine ID changed from {before.hex()} to {after.hex()}"


def _failed(session: Session, failure: Failure, sent: int) -> Failure:
    """Note a request's failure: whoever kept silent, or does not know itself, may be another engine by now."""
    if (failure.sent and not isinstance(failure, Report)) or not session.engine.has_answered:
        session.engine.is_doubtful = True
    if failure.status is Status.TIMEOUT and failure.sent and sent:
        failure = _explain_silence(session, failure)
    return replace(failure, sent=failure.sent + sent) if sent else failure


def _explain_silence(session: Session, silence: Failure) -> Failure:
    """Say why an agent that has just told who it is may keep silent: net-snmp does so where it should report."""
    user = session.user
    if session.has_answered or not (session.level & PRIV or user.context):
        return silence
    why = [f"it has another priv_key or priv_protocol than {user.priv_protocol}"] if session.level & PRIV else []
    if user.context:
        why.append(f"it has no context {user.context!r}")
    status = Status.AUTH if session.level & PRIV else Status.TIMEOUT
    return replace(
        silence, status=status, reason=f"the agent told its engine ID, then kept silent: perhaps {' or '.join(why)}"
    )  # fmt: skip
