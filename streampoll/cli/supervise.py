"""What `coordinator`, `worker` and `up` share: supervise roles until told to stop; SIGHUP reads the files again."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streampoll.app import Files
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

    return Supervisor(read(), read).run()
