"""One poll over SSH: a session found or opened, the commands run, the output parsed; what became of it is an `Outcome`.

A kept session that turns out to have died is replaced, once a poll. A login that was refused is not tried again.
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from streampoll.model import Asked, Outcome, Status, Table, Value
from streampoll.ssh.collect import Answers, collect
from streampoll.ssh.parse import Parsed, parse_all
from streampoll.ssh.plan import Format, SshPlan
from streampoll.ssh.platforms import PLATFORMS
from streampoll.ssh.pool import Doors, Pool, SessionKey
from streampoll.ssh.port import Connector, Limits, SshFailure
from streampoll.ssh.session import Session, open_session

_TO_PARSE_S: Final = 1.0  # kept of a poll's time for what comes after its last command
_AT_ONCE: Final = {Format.RAW}  # formats that need no parser, and no thread


class Executor:
    """Runs plans on devices. For one event loop."""

    def __init__(self, connector: Connector, max_kept: int) -> None:
        self._connector = connector
        self._pool = Pool(max_kept)
        self._doors = Doors()
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="ssh-parse")  # one: templates are not shared

    @property
    def kept(self) -> int:
        """Sessions that are open and idle."""
        return len(self._pool)

    async def run(self, key: SessionKey, plan: SshPlan, limits: Limits, deadline: float) -> Outcome:
        """Run a plan until `deadline` (the loop's time); whatever the device does is an outcome."""
        asked = Asked()
        try:
            async with asyncio.timeout_at(deadline):
                with self._doors.door(key.place) as lock:
                    async with lock:
                        answers = await self._ask(key, plan, limits, _before(deadline), asked)
                outcome = await self._outcome(plan, answers)
        except TimeoutError:
            outcome = Outcome(Status.TIMEOUT, f"{key.endpoint}: the poll's time was over before it answered")
        except SshFailure as failure:
            outcome = Outcome(failure.status, failure.reason, step=failure.step)
        outcome.asked = asked
        return outcome

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()
        await self._connector.close()
        self._parser.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, key: SessionKey, plan: SshPlan, limits: Limits, deadline: float, asked: Asked) -> Answers:
        """Ask a kept session, or a new one if there is none or it died; note when in `asked`."""
        asked.first = time.time()
        kept = self._pool.take(key)
        if kept is not None:
            answers = await self._use(kept, key, plan, limits, deadline)
            if not answers.lost:
                asked.last_reply = answers.last
                return answers
            asked.note_retry(time.time())
        self._pool.make_room(key.place, max(1, limits.max_sessions))
        platform = PLATFORMS[plan.platform]
        session = await open_session(
            self._connector, key.endpoint, key.credential, platform, plan.channel, limits
        )  # fmt: skip
        answers = await self._use(session, key, plan, limits, deadline)
        asked.last_reply = answers.last
        return answers

    async def _use(self, session: Session, key: SessionKey, plan: SshPlan, limits: Limits, deadline: float) -> Answers:
        """Run the commands on a session, and keep it if it is still in order."""
        fit = False
        try:
            answers, fit = await collect(session, plan, limits, deadline)
        finally:
            if fit:
                self._pool.keep(key, session, limits.idle_s, limits.max_sessions)
            else:
                self._pool.discard(key, session)
        return answers

    async def _outcome(self, plan: SshPlan, answers: Answers) -> Outcome:
        """Parse what came, and sum the poll up."""
        outputs = [(command, answers.texts[command.name]) for command in plan.commands if command.name in answers.texts]
        if all(command.format in _AT_ONCE for command, _ in outputs):
            parsed = parse_all(plan.platform, outputs)
        else:
            loop = asyncio.get_running_loop()
            parsed = await loop.run_in_executor(self._parser, parse_all, plan.platform, outputs)
        status, error = _verdict(answers, parsed)
        values, tables, missing = _found(plan, answers, parsed)
        step = answers.failure.step if answers.failure else ""
        return Outcome(status, error, values, tables, missing, answers.at, answers.at, answers.requests, step=step)


def _before(deadline: float) -> float:
    """Return when the last command ends, so that what came before it is parsed and kept."""
    now = asyncio.get_running_loop().time()
    return deadline - min(_TO_PARSE_S, (deadline - now) / 10)


def _found(
    plan: SshPlan, answers: Answers, parsed: Parsed
) -> tuple[Mapping[str, Value], Mapping[str, Table], Mapping[str, str]]:
    """Return values, tables and reasons; a scalar that did not come is a None with its command's reason."""
    missing = {**answers.reasons, **parsed.missing}
    if not answers.texts:
        return {}, {}, missing
    values = dict(parsed.values)
    for command in plan.commands:
        for each in command.values:
            if each.name not in values:
                values[each.name] = None
                missing.setdefault(each.name, missing.get(command.name, "not in the output"))
    return values, parsed.tables, missing


def _verdict(answers: Answers, parsed: Parsed) -> tuple[Status, str]:
    """Say how a poll ended, and why where it isn't ok."""
    troubles = [*(f"{name}: {reason}" for name, reason in answers.reasons.items()), *parsed.troubles]
    if answers.failure is not None and not answers.texts:
        return answers.failure.status, answers.failure.reason
    if not troubles:
        return Status.OK, ""
    if not parsed.done:
        return Status.DECODE, parsed.troubles[0] if parsed.troubles else troubles[0]
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return Status.PARTIAL, troubles[0] + more
