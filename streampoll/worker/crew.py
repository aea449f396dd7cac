"""A crew: the children of one role, forked and reaped here. What is done to them is decided in `policy`."""

import gc
import logging
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from streampoll.worker.beat import Beat
from streampoll.worker.child import EXIT_REFUSED, TRACE_SIGNAL, ChildContext, RunChild, live
from streampoll.worker.policy import (
    RAN_WELL_S,
    Action,
    Child,
    CrewView,
    Drain,
    Fork,
    Kill,
    Rules,
    Trace,
    backoff_s,
    decide,
    jittered_limit,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Role:
    """What a crew is there for."""

    name: str  # "worker", "coordinator": what logs and `ps` call it
    run_child: RunChild
    rules: Rules
    ends_all: bool = False  # when a child of it exits by itself the whole supervisor stops, with that code


class Crew:
    """The living children of one role."""

    def __init__(self, role: Role, clock: Callable[[], float], rng: random.Random) -> None:
        self.role = role
        self.children: dict[int, Child] = {}
        self.stopping = False
        self.hurry = False
        self.verdict: int | None = None  # an exit code that concerns the whole supervisor: ended, refused, unclean
        self._clock = clock
        self._rng = rng
        self._beats: dict[int, Beat] = {}
        self._failures: dict[int, int] = {}
        self._not_before: dict[int, float] = {}
        self._serial = 0
        self._has_run = False
        self._former = role

    def renew(self, role: Role) -> None:
        """Take on new rules and code; the children of the old are replaced one at a time."""
        self._former, self.role = self.role, role
        self.children = {pid: replace(child, outdated=True) for pid, child in self.children.items()}
        self._failures.clear()
        self._not_before.clear()

    def tick(self, awake_since: float) -> None:
        """Look at every child, then do what the policy says."""
        for child in tuple(self.children.values()):
            self._reap(child)
        if self.verdict is not None:
            return  # all is about to stop: fork nothing in the place of the one whose end says so
        for child in tuple(self.children.values()):
            self._look_at(child)
        children = tuple(self.children.values())
        view = CrewView(children, self._not_before, awake_since, self.stopping, self.hurry)
        for action in decide(self._clock(), view, self.role.rules):
            self._act(action)

    def _look_at(self, child: Child) -> None:
        beat = self._beats[child.pid]
        rss_mb = _rss_mb(child.pid) if self.role.rules.max_rss_mb else 0.0
        self._has_run = self._has_run or beat.at > 0
        self.children[child.pid] = replace(child, beat=beat.at, done=beat.done, rss_mb=rss_mb)

    def _act(self, action: Action) -> None:
        match action:
            case Fork():
                self._fork(action)
            case Drain(pid, why):
                log.info("%s: draining, %s", self._name(pid), why)
                self._signal(pid, signal.SIGTERM, drained=self._clock())
            case Trace(pid, why):
                log.error("%s: %s; its stack follows, then it is killed", self._name(pid), why)
                self._signal(pid, TRACE_SIGNAL, traced=self._clock())
            case Kill(pid, why):
                log.error("%s: killed, %s", self._name(pid), why)
                self._signal(pid, signal.SIGKILL, killed=self._clock())

    def _signal(self, pid: int, number: int, **mark: float) -> None:
        """Send a signal and note when; the child is ours and unreaped, so its number can't be another's."""
        os.kill(pid, number)
        self.children[pid] = replace(self.children[pid], **mark)  # type: ignore[arg-type]  # only times are marked

    def _fork(self, order: Fork) -> None:
        self._serial += 1
        beat, parent_pid = Beat(self._clock), os.getpid()
        gc.collect()
        gc.freeze()  # a collection in the child would write to, and so copy, every page it shares with the parent
        try:
            pid = os.fork()
        except OSError as error:  # out of processes or memory
            beat.close()
            self._failed(order.index, f"{self.role.name} {order.index} can't be forked: {error.strerror}")
            return
        if not pid:
            live(ChildContext(self.role.name, order.index, self._serial, beat, parent_pid), self.role.run_child)
        limit = jittered_limit(self.role.rules.max_tasks, self._rng.random())
        self._beats[pid] = beat
        self.children[pid] = Child(pid, order.index, self._serial, self._clock(), limit)
        log.info("%s: started, %s", self._name(pid), order.why)

    def _reap(self, child: Child) -> None:
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if not pid:
            return
        code, name = os.waitstatus_to_exitcode(status), self._name(pid)
        self._beats.pop(pid).close()
        del self.children[pid]
        ended = f"{name}: {_how(code)} after {self._clock() - child.forked:.1f} s"
        if child.drained:
            self._drained(child, code, ended)
        elif self.role.ends_all:
            log.info("%s", ended)
            self.verdict = max(code, 0) or int(code < 0)
        elif code == EXIT_REFUSED and not self._has_run:
            log.error("%s; it would only do so again", ended)
            self.verdict = EXIT_REFUSED
        elif code == EXIT_REFUSED and any(held.outdated for held in self.children.values()):
            self._keep_former(ended)
        else:
            if self._clock() - child.forked >= RAN_WELL_S:
                self._failures.pop(child.index, None)
            self._failed(child.index, ended)

    def _keep_former(self, ended: str) -> None:
        """Go back to what the children run that are still to be replaced: the first successor refused to start."""
        log.error("%s; the new configuration is refused, the old one stays", ended)
        self.role = self._former
        self.children = {pid: replace(child, outdated=not child.outdated) for pid, child in self.children.items()}

    def _drained(self, child: Child, code: int, ended: str) -> None:
        """Note the end of a child that was told to end; before it has beaten, SIGTERM itself may end it."""
        clean = code == 0 or (code == -signal.SIGTERM and not child.beat)
        log.log(logging.INFO if clean else logging.ERROR, "%s", ended)
        if self.stopping and not clean:
            self.verdict = 1

    def _failed(self, index: int, what: str) -> None:
        """Say what failed and, once for each back-off, when its place is filled again."""
        if self.stopping:
            log.error("%s", what)
            self.verdict = 1
            return
        self._failures[index] = self._failures.get(index, 0) + 1
        delay_s = backoff_s(self._failures[index], self._rng.random())
        self._not_before[index] = self._clock() + delay_s
        if delay_s:
            log.error("%s; failure %d in a row, next try in %.1f s", what, self._failures[index], delay_s)
        else:
            log.error("%s", what)

    def _name(self, pid: int) -> str:
        return f"{self.role.name} {self.children[pid].index} (pid {pid})"


def _how(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"ended by signal {-code}"


def _rss_mb(pid: int) -> float:
    """Return a process's resident size, shared pages included; 0.0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
