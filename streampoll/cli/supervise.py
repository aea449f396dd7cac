"""What `coordinator`, `worker` and `up` share: supervise roles until told to stop; SIGHUP reads the files again."""

import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from streampoll.app.files import Files
from streampoll.config.settings import Settings
from streampoll.embedded.endpoints import read_settings
from streampoll.logs import set_up_logs
from streampoll.worker.crew import Role
from streampoll.worker.supervisor import Supervisor

MakeRoles = Callable[[Files, Settings], Sequence[Role]]


def supervise(where: Path, make_roles: MakeRoles, environ: Mapping[str, str] = os.environ) -> int:
    """Run the roles that a configuration asks for; return the exit code.

    Raises:
        ConfigError: the configuration can't be used. On SIGHUP that only refuses the new one.
    """

    def read() -> Sequence[Role]:
        settings = read_settings(where, environ)
        set_up_logs(settings.log)
        return make_roles(Files(where, environ), settings)

    roles = read()
    allow_files()
    return Supervisor(roles, read).run()


def allow_files(most: int = 65_536) -> None:
    """Raise this process's limit of open files as far as its user may: a shell's 1,024 are fewer than its devices."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def unwind_on_stop() -> None:
    """Have SIGTERM and SIGHUP end what is being set up as Ctrl-C does: in order, with nothing left behind.

    For commands that start servers first; a supervisor, once it runs, takes its signals itself.
    """

    def unwind(number: int, _: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)  # a second one must not cut the end short
        raise SystemExit(128 + number)

    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is not signal.SIG_IGN:  # nohup
            signal.signal(each, unwind)
