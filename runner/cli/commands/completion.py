"""`runner completion`."""

from __future__ import annotations

import click
from click import shell_completion

from runner.base import codes
from runner.cli import commanding
from runner.cli import console as consoles


@click.command("completion", cls=commanding.Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print the shell completion script.

    \b
      bash:  runner completion bash > ~/.local/share/bash-completion/completions/runner
      zsh:   runner completion zsh > "${fpath[1]}/_runner"
      fish:  runner completion fish > ~/.config/fish/completions/runner.fish
    """
    console: consoles.Console = context.obj
    kind = shell_completion.get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}", context)
    script = kind(context.find_root().command, {}, "runner", "_RUNNER_COMPLETE")
    console.out.write(shell_completion.ShellComplete.source(script))
    return codes.Exit.OK
