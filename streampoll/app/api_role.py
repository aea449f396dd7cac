"""The role of the API, for commands that have other processes too: its libraries are loaded in its child alone."""

from streampoll.app.files import Files
from streampoll.config.settings import Settings
from streampoll.worker.child import ChildContext
from streampoll.worker.crew import Role
from streampoll.worker.policy import Rules


def api_role(files: Files, settings: Settings, beside: bool = False) -> Role:
    """Return the role of the API. `beside` others: a port that is taken is no reason to end, it is waited for."""

    def run_child(context: ChildContext) -> int:
        from streampoll.app.api import run  # here: no other process of `up` is to carry a web server

        return run(context, files, settings, patient=beside or context.serial > 1)

    return Role(
        "api", run_child, Rules(start_timeout_s=settings.worker.start_timeout_s, drain_s=8.0, hard_limit_s=60.0)
    )


def api_roles(files: Files, settings: Settings) -> list[Role]:
    """Return the role for `up` and `demo`, if it is wanted there."""
    return [api_role(files, settings, beside=True)] if settings.api.enabled else []
