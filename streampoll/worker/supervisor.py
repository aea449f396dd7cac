"""The parent process: forks its crews before anything else exists, then only watches.

It has no event loop, thread, socket or TLS object, so a fork copies nothing that would break in two processes. Its
signals are blocked and taken one at a time from a queue: no handler ever runs between two lines of it.

    SIGTERM, SIGINT   drain the crews, one after another in their order, and exit; a second one kills
    SIGHUP            read the configuration again and replace the children one by one; where it says that the
                      terminal is gone: stop
    SIGCHLD           look sooner than at the next tick
"""

import gc
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence

from streampoll.errors import StreampollError
from streampoll.worker.crew import Crew, Role
from streampoll.worker.signals import SignalQueue

log = logging.getLogger(__name__)

TICK_S = 0.5
"""How often the children are looked at when nothing happens."""

_LATE_S = 5.0  # a tick later than this means that the parent itself did not run
_AGAIN_S = 0.3  # a stop repeated sooner is the same one, come by two ways (terminal and wrapper, systemd and shell)
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Reload = Callable[[], Sequence[Role]]
"""Reads the configuration again and returns the roles with new rules and code; a StreampollError refuses it.

A role that is missing stays as it is, one that is new is not started: roles are those of the command line."""


class Supervisor:
    """Keeps the crews of some roles alive until told to stop."""

    def __init__(
        self,
        roles: Sequence[Role],
        reload: Reload | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """`roles` in the order in which they are drained: first what makes work, last what finishes it."""
        self._reload = reload or (lambda: roles)
        self._clock = clock
        rng = rng or random.Random()
        self._crews = [Crew(role, clock, rng) for role in roles]
        self._stopping = 0.0  # when it was told to stop
        self._code = 0
        self._terminal = _at_terminal()

    def run(self) -> int:
        """Supervise until stopped and return the exit code: 0 when everything asked to end did so cleanly.

        The signals stay blocked: a stop repeated at the end must not cut what the caller does last, nor its exit code.
        """
        if threading.active_count() > 1:
            raise RuntimeError("a supervisor forks: it must run before any thread is started")
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # an inherited SIG_IGN would let the kernel reap our children
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._watch()
        return self._code

    def _watch(self) -> None:
        received = SignalQueue(_SIGNALS)
        try:
            self._watch_until_done(received)
        finally:
            received.close()

    def _watch_until_done(self, received: SignalQueue) -> None:
        awake_since = last = self._clock()
        while self._tick(awake_since):
            if number := received.wait(TICK_S):
                self._heed(number)
            now = self._clock()
            if now - last > _LATE_S:
                log.warning("the supervisor itself did not run for %.1f s", now - last)
                awake_since = now
            last = now

    def _tick(self, awake_since: float) -> bool:
        """Tend every crew; return False once all are told to stop and gone."""
        for crew in self._crews:
            crew.tick(awake_since)
            self._judge(crew)
        if not self._stopping:
            return True
        for crew in self._crews:
            if not crew.stopping:
                crew.stopping = True
                crew.tick(awake_since)
            if crew.children:
                return True  # the next crew's turn comes when this one is gone
        return False

    def _judge(self, crew: Crew) -> None:
        """Stop, and keep the code, if the end of a child concerns all."""
        if crew.verdict is None:
            return
        self._code = self._code or crew.verdict
        crew.verdict = None
        self._stopping = self._stopping or self._clock()

    def _heed(self, number: int) -> None:
        if number == signal.SIGHUP and not (self._terminal and not _at_terminal()):
            self._renew()
        elif number != signal.SIGCHLD:
            self._stop(signal.Signals(number).name)

    def _stop(self, name: str) -> None:
        now = self._clock()
        if not self._stopping:
            log.info("%s: draining", name)
            self._stopping = now
        elif now - self._stopping > _AGAIN_S:
            log.warning("%s again: killing what is left", name)
            for crew in self._crews:
                crew.stopping = crew.hurry = True

    def _renew(self) -> None:
        """Re-read the configuration and replace the children; refused, everything stays as it is."""
        if self._stopping:
            return
        try:
            roles = {role.name: role for role in self._reload()}
        except StreampollError as error:
            log.error("SIGHUP: the new configuration is refused, the old one stays: %s", error)
            return
        except Exception:  # a bug in reading files must not end what runs
            log.exception("SIGHUP: the new configuration could not be read, the old one stays")
            return
        log.info("SIGHUP: configuration read again, replacing processes one at a time")
        gc.unfreeze()  # so that what only the old configuration held is collected before the next fork
        for crew in self._crews:
            crew.renew(roles.get(crew.role.name, crew.role))


def _at_terminal() -> bool:
    """Say whether stdin is a terminal that is still there."""
    try:
        return os.isatty(0)
    except OSError:
        return False
