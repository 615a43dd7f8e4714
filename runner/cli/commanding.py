"""Click classes of the command line: global options on every command, commands imported when they are needed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import click

from runner.cli import settings as settings_module


def _store(context: click.Context, option: click.Parameter, value: object) -> None:
    if value is not None and option.name is not None:
        setattr(context.obj.settings, option.name, value)


def _choice(
    *names: str, kind: type[settings_module.Output] | type[settings_module.Progress], **facts: str
) -> click.Option:
    return click.Option(
        names,
        type=click.Choice([member.value for member in kind]),
        expose_value=False,
        callback=lambda context, option, value: _store(context, option, None if value is None else kind(value)),
        **facts,  # type: ignore[arg-type]
    )


def _global_options() -> tuple[click.Option, ...]:
    return (
        _choice("-o", "--output", kind=settings_module.Output, help="Form of the result on standard output."),
        _choice("--progress", kind=settings_module.Progress, help="Form of the progress on standard error."),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=lambda context, option, value: _store(context, option, value or None),
            help="Show the log of the run as well; twice for details.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            default=None,
            expose_value=False,
            callback=_store,
            help="Show results, warnings and errors only.",
        ),
        click.Option(
            ["--no-color"], is_flag=True, default=None, expose_value=False, callback=_store, help="Use no colours."
        ),
        click.Option(
            ["--state-dir"],
            type=click.Path(path_type=Path, file_okay=False),
            expose_value=False,
            callback=_store,
            help="Where runs and the default repository live. [RUNNER_STATE_DIR]",
        ),
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path, dir_okay=False),
            expose_value=False,
            callback=_store,
            help="Configuration file. [RUNNER_CONFIG]",
        ),
    )


class Command(click.Command):
    """A command that also takes the global options; its help lists only its own."""

    def __init__(self, *args: object, **facts: object) -> None:
        super().__init__(*args, **facts)  # type: ignore[arg-type]
        self.own = len(self.params)
        self.params.extend(_global_options())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of this command, then where the global ones are described."""
        _write_options(ctx, formatter, "Options", [*self.params[: self.own], *_help_option(self, ctx)])
        formatter.write_paragraph()
        formatter.write_text(
            "Global options (-o, --progress, -v, -q, --no-color, --state-dir, --config): runner --help"
        )


class Group(click.Group):
    """A command with subcommands, all of one module."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands only; a group has no options of its own."""
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands with the whole first sentence of each."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, (found.help or "").split("\n")[0]) for name, found in commands if found])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand, or say which one was probably meant."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from runner.base import suggest

            error = click.UsageError(f'there is no command "{name}"', ctx)
            error.hint = suggest.hint(name, self.list_commands(ctx))  # type: ignore[attr-defined]
            raise error
        return super().resolve_command(ctx, args)


class RootGroup(Group):
    """The program itself: global options, and commands by section, imported one at a time.

    Attributes:
        sections: Title to command name to (module, summary). The summary stands here so that help imports nothing.
    """

    sections: ClassVar[Mapping[str, Mapping[str, tuple[str, str]]]] = {}

    def __init__(self, *args: object, **facts: object) -> None:
        super().__init__(*args, **facts)  # type: ignore[arg-type]
        self.own = len(self.params)
        self.params.extend(_global_options())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all command names in the order of the help."""
        return [name for commands in self.sections.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        for commands in self.sections.values():
            if cmd_name in commands:
                command: click.Command = importlib.import_module(commands[cmd_name][0]).command
                return command
        return None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, then the global options."""
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in commands.items()], col_max=16)
        _write_options(
            ctx, formatter, "Global options, before or after the command", [*self.params, *_help_option(self, ctx)]
        )


def _help_option(command: click.Command, context: click.Context) -> list[click.Parameter]:
    option = command.get_help_option(context)
    return [] if option is None else [option]


def _write_options(
    context: click.Context, formatter: click.HelpFormatter, title: str, options: Sequence[click.Parameter]
) -> None:
    # Arguments stand in the usage line; newer versions of click give them help records as well.
    shown = (option.get_help_record(context) for option in options if isinstance(option, click.Option))
    records = [record for record in shown if record is not None]
    with formatter.section(title):
        formatter.write_dl(records)
