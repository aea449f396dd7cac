"""A plan's commands run on one device, one after the other, and what it said."""

import asyncio
import time
from dataclasses import dataclass, field

from streampoll.model import Status
from streampoll.ssh.plan import SshPlan
from streampoll.ssh.port import Limits, SshFailure
from streampoll.ssh.session import Session


@dataclass(slots=True)
class Answers:
    """What a device said to a plan's commands."""

    texts: dict[str, str] = field(default_factory=dict)  # output by the command's name
    reasons: dict[str, str] = field(default_factory=dict)  # why there is none
    failure: SshFailure | None = None  # what ended it early, or the first refusal
    requests: int = 0
    at: float = 0.0  # wall clock of the first output
    last: float = 0.0  # and of the last
    lost: bool = False  # the session ended before it said a word

    def fail(self, name: str, failure: SshFailure) -> None:
        """Note why a command has no output."""
        self.reasons[name] = failure.reason
        self.failure = self.failure or failure


async def collect(session: Session, plan: SshPlan, limits: Limits, deadline: float) -> tuple[Answers, bool]:
    """Run a plan's commands until `deadline` (the loop's time); answers, and whether the session can be kept."""
    answers = Answers()
    try:
        if plan.enable:
            await session.enable(_left(limits.command_timeout_s, deadline))
    except SshFailure as failure:
        answers.failure = failure
        answers.lost = failure.lost
    for command in plan.commands:
        if answers.failure is not None and not answers.failure.only_this:
            answers.reasons[command.name] = f"not asked after: {answers.failure.reason}"
            continue
        try:
            timeout_s = _left(command.timeout_s or limits.command_timeout_s, deadline)
            answers.requests += 1
            answers.texts[command.name] = await session.run(command.line, timeout_s, limits.max_output_bytes)
            answers.last = time.time()
            answers.at = answers.at or answers.last
        except SshFailure as failure:
            _note(answers, command.name, failure, session.heard)
    return answers, answers.failure is None or answers.failure.only_this


def _note(answers: Answers, name: str, failure: SshFailure, heard: bool) -> None:
    """Note a failure; one that ends the session stands before a refusal."""
    answers.reasons[name] = failure.reason
    first = answers.requests == 1 and not answers.texts
    silent = failure.status is Status.TIMEOUT and not heard  # as behind a router that forgot the connection
    answers.lost = answers.lost or (first and (failure.lost or silent))
    if answers.failure is None or not failure.only_this:
        answers.failure = failure


def _left(timeout_s: float, deadline: float) -> float:
    """Return a time-out that ends by the deadline. Raises SshFailure: that has passed."""
    left_s = deadline - asyncio.get_running_loop().time()
    if left_s <= 0:
        raise SshFailure(Status.TIMEOUT, "the poll's time was over", step="command")
    return min(timeout_s, left_s)
