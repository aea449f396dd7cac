"""The command line: one module a command, imported when it is asked for.

`streampoll poll` must start fast, so a command's module (`streampoll/cli/poll.py`, which has the click command as
`command`) is imported only when the command runs or `--help` lists it. An error that streampoll raises on purpose is
shown as its text on stderr, without a traceback; what is left to show one is a bug.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from difflib import get_close_matches

import click

from streampoll.errors import ConfigError, StreampollError, UnfitServerError
from streampoll.version import VERSION

COMMANDS = (
    "init",
    "check",
    "up",
    "demo",
    "poll",
    "discover",
    "profile",
    "stats",
    "top",
    "metrics",
    "results",
    "plot",
    "device",
    "explain",
    "events",
    "rules",
    "maintenance",
    "notify",
    "workflow",
    "audit",
    "send",
    "task",
    "coordinator",
    "worker",
    "api",
    "migrate",
    "dead",
    "run",
    "job",
    "queue",
    "token",
    "capacity",
    "fleet",
    "completion",
)
"""In the order `--help` shows them: what a newcomer wants first."""

_MODULES = {"run": "run_now"}  # where a command's name is one of ours here

EXIT_FAILED = 1  # a server is away, or the answer is no
EXIT_USAGE = 2  # the user's input, or a server that must not be used as it is; click's own code for bad options
EXIT_INTERRUPTED = 128 + 2  # as shells report SIGINT


class LazyGroup(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands that there are."""
        return [name for name in COMMANDS if importlib.util.find_spec(_module_of(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(_module_of(cmd_name)).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve as click does; an unknown name gets the nearest one in its message (click does so from 8.4)."""
        names = self.list_commands(ctx)
        if args and args[0].isidentifier() and args[0] not in names:
            near = get_close_matches(args[0], names, n=1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


def _module_of(name: str) -> str:
    """Return the module that has a command."""
    return f"{__name__}.{_MODULES.get(name, name)}"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="streampoll", message="%(prog)s %(version)s")
def group() -> None:
    """Poll network devices on a schedule, and account for every poll.

    Start with `streampoll demo`, or `streampoll init DIR` and `streampoll up --config DIR`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 (failed or the answer is no), 2 (bad input), 130 (interrupted)."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; its exit code, which a command may return or give by `ctx.exit`."""
    try:
        answer = group.main(arguments, prog_name="streampoll", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return close_quietly()
    except (StreampollError, BaseExceptionGroup) as error:
        return show_errors(error)
    return answer if isinstance(answer, int) else 0


def show_errors(error: StreampollError | BaseExceptionGroup) -> int:
    """Write each error on purpose as its text; anything else among them is a bug and is raised."""
    leaves = list(dict.fromkeys(_leaves(error)))
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return EXIT_INTERRUPTED
    if not all(isinstance(leaf, StreampollError) for leaf in leaves):
        raise error
    for text in dict.fromkeys(_text(leaf) for leaf in leaves):
        click.echo(text, err=True)
    return EXIT_USAGE if any(isinstance(leaf, ConfigError | UnfitServerError) for leaf in leaves) else EXIT_FAILED


def close_quietly() -> int:
    """Let nothing be flushed to a pipe whose reader (`| head`) has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED  # as click does when a command's own write fails


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


def _text(error: BaseException) -> str:
    # a fault starts with its place ("inventory.csv:17: …"), for editors and grep; anything else with our name
    return str(error) if isinstance(error, ConfigError) else f"streampoll: {error}"
