"""`streampoll completion SHELL`: what a shell needs to complete commands, options and names."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the completion script of SHELL: the Tab key completes commands, options, their choices, and names.

    Names of devices, jobs, profiles and workflows are those of the configuration: --config before it, if at all.

    \b
    Examples:
      streampoll completion bash > ~/.local/share/bash-completion/completions/streampoll
      streampoll completion zsh > "${fpath[1]}/_streampoll"
      streampoll completion fish > ~/.config/fish/completions/streampoll.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(ctx.find_root().command, {}, "streampoll", "_STREAMPOLL_COMPLETE").source())
    return 0
