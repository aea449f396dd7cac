"""The command line: one module a command, imported when it is asked for.

`streampoll poll` must start fast, so a command's module (`streampoll/cli/poll.py`, which has the click command as
`command`) is imported only when the command runs or `--help` lists it. An error that streampoll raises on purpose is
shown as its text on stderr, without a traceback; what is left to show one is a bug.
"""

import errno
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from difflib import get_close_matches

import click
from click.exceptions import NoArgsIsHelpError

from streampoll.errors import ConfigError, PostgresUnavailable, RedisUnavailable, StreampollError, UnfitServerError
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

_UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # where stdout is a pipe or a file


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
    prepare_streams()
    try:
        answer = group.main(arguments, prog_name="streampoll", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return show_usage(error)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        return close_quietly(error)
    except (StreampollError, BaseExceptionGroup) as error:
        return show_errors(error)
    return answer if isinstance(answer, int) else 0


def prepare_streams() -> None:
    """Have stdout and stderr where they were closed, and no letter that stdout's encoding can't write end a command."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure and not (sys.stdout.encoding or "").lower().startswith("utf"):
        reconfigure(errors="replace")


def show_usage(error: click.ClickException) -> int:
    """Write what is wrong with the command line as one line: the option or command, what is wrong, where to look."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, NoArgsIsHelpError):
        error.show()  # a group without a command: its help is the answer
    elif isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter):
        hint = error.param_hint or (error.param.get_error_hint(context) if error.param and context else "")
        name = hint if isinstance(hint, str) else " / ".join(hint)
        click.echo(f"{name.replace(chr(39), '')}: {_one_line(error.message)}", err=True)
    else:
        path = context.command_path if context else "streampoll"
        text = _one_line(error.format_message())
        click.echo(f"{path}: {text}" + ("" if ";" in text else f"; `{path} --help`"), err=True)
    return error.exit_code


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


def close_quietly(error: OSError) -> int:
    """Let nothing be flushed to a stdout that takes no more; that a pipe's reader (`| head`) has gone is no news."""
    if error.errno != errno.EPIPE:
        click.echo(f"streampoll: stdout can't be written: {error.strerror}", err=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED  # as click does when a command's own write fails


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _text(error: BaseException) -> str:
    # a fault starts with its place ("inventory.csv:17: …"), for editors and grep; anything else with our name
    if isinstance(error, ConfigError):
        return str(error)
    return f"streampoll: {error}{_where_to_look(error)}"


def _where_to_look(error: BaseException) -> str:
    """Return what to do about a server that did not answer at all."""
    if isinstance(error, PostgresUnavailable) and isinstance(error.__cause__, OSError):
        setting = "postgres.dsn"
    elif isinstance(error, RedisUnavailable) and "not reachable" in str(error):
        setting = "redis.url"
    else:
        return ""
    return f"; is it up, and {setting} right? (`streampoll up` brings one)"
