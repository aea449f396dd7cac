"""The first and last steps of a forked child: from the parent's copy to a process of its own, and out again."""

import ctypes
import faulthandler
import gc
import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from streampoll.errors import ConfigError, StreampollError, UnfitServerError
from streampoll.worker.beat import Beat

log = logging.getLogger(__name__)

EXIT_REFUSED = 2
"""The exit code of a child that can't be helped by another try: bad configuration, an unfit server."""

TRACE_SIGNAL = signal.SIGUSR1
"""Makes a child write its stack to stderr, from C, so also while its loop is blocked."""

_GC_THRESHOLDS = (50_000, 20, 50)
"""When the cyclic collector runs. By Python's own (700, 10, 10) it went through all that is in flight again and again:
33 us of the 150 that a poll took, and one object found in a dozen polls. This many objects are 10 MB at the most."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


@dataclass(frozen=True, slots=True)
class ChildContext:
    """What a child is told about itself."""

    role: str  # "worker", "coordinator"
    index: int  # its place in the crew, from 0; a successor has its predecessor's
    serial: int  # counts the crew's forks: never used twice in a parent's life
    beat: Beat
    parent_pid: int


RunChild = Callable[[ChildContext], int]
"""A child's whole life, in its own process. It installs a SIGTERM handler that drains (SIGTERM may come twice; before
there is a handler it ends the process, which then holds no work), and returns the exit code."""


def live(context: ChildContext, run_child: RunChild) -> NoReturn:
    """Run a just forked child to its end; never returns to the parent's code, nor runs its exit hooks."""
    code = 1
    try:
        code = _exit_code(context, run_child)
        _flush()
    finally:
        os._exit(code)


def _settle(context: ChildContext) -> None:
    """Undo what belongs to the parent: its signal mask and handlers, its random state, its name."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent relays it as SIGTERM
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # so does a hang-up
    faulthandler.register(TRACE_SIGNAL, all_threads=True, file=2)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, _process_name(context), 0, 0, 0)
    random.seed()
    gc.set_threshold(*_GC_THRESHOLDS)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if os.getppid() != context.parent_pid:  # it died before prctl: that signal will not come
        os._exit(0)


def _process_name(context: ChildContext) -> bytes:
    """Return what `top` calls it: "sp-worker-3", within the kernel's 15 bytes."""
    number = f"-{context.index}"
    return f"sp-{context.role}"[: 15 - len(number)].encode("ascii", "replace") + number.encode()


def _exit_code(context: ChildContext, run_child: RunChild) -> int:
    """Run the child; an error on purpose is one line, any other is a bug and gets its traceback."""
    try:
        _settle(context)
        return run_child(context)
    except (ConfigError, UnfitServerError) as error:
        log.error("%s %d: %s", context.role, context.index, error)
        return EXIT_REFUSED
    except StreampollError as error:
        log.error("%s %d: %s", context.role, context.index, error)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        log.exception("%s %d: a bug ended it", context.role, context.index)
    return 1


def _flush() -> None:
    """Write out what is buffered: os._exit would drop it."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream and not stream.closed:
            stream.flush()
