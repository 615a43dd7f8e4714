"""What functions that run a command have in common: their arguments, the environment, the words of a failure."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path, PurePath
from typing import Annotated, ClassVar, Self

import pydantic

from runner.base import errors
from runner.processes import commands
from runner.registry import context
from runner.registry.args import Arguments, CommandLine, SecretText, ShellText, argument

VariableName = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

FileName = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]

# How many of a command's last lines an error shows.
TAIL_LINES = 20

# The runner's own variables may hold passphrases and inputs, which are no business of a command.
_OWN_VARIABLES = "RUNNER_"


class CommandArguments(Arguments):
    """A program with its arguments, or a shell script, and what it needs around it."""

    ways: ClassVar[tuple[str, ...]] = ("command", "script")

    command: Annotated[CommandLine, pydantic.Field(min_length=1)] | None = argument(
        "Program and arguments, run without a shell. Everybody on the machine can read them: no secrets here.",
        default=None,
        example=["pg_dump", "--format=custom", "shop"],
    )
    script: ShellText | None = argument(
        "Shell text, run by `sh -eu -c`, so that it stops at the first command that fails. No secrets here.",
        default=None,
        example='systemctl stop shop\nrm -f "$RUNNER_WORK/ready"\n',
    )
    env: dict[VariableName, SecretText] = argument(
        "Environment variables, which may be secrets, on top of those of the runner without its own `RUNNER_*`.",
        default={},
        example={"PGPASSWORD": "{{ inputs.password }}"},
    )
    files: dict[FileName, SecretText] = argument(
        "Files for the command, which may be secrets. It finds them by their names in the directory that the variable "
        "`RUNNER_FILES` names; only its own user can read them, and they are gone when it has ended.",
        default={},
        example={"my.cnf": "[client]\npassword={{ inputs.password }}\n"},
    )
    workdir: Annotated[str, pydantic.StringConstraints(pattern=r"^/")] | None = argument(
        "Absolute path of the working directory; the phase's own `RUNNER_WORK` by default.",
        default=None,
        example="/var/lib/shop",
    )

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in self.ways if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(self.ways)}")
        return self

    @property
    def argv(self) -> list[str]:
        """The program and its arguments."""
        return self.command or ["sh", "-eu", "-c", self.script or ""]

    @property
    def subject(self) -> str:
        """What runs, in the words of an error."""
        return PurePath(self.command[0]).name if self.command else "the script"

    def directory(self, ctx: context.PhaseContext) -> Path:
        """Return where it runs; not where the runner was started, which may be elsewhere after a resume."""
        return Path(self.workdir) if self.workdir else ctx.work

    def contents(self, ctx: context.PhaseContext) -> dict[str, bytes]:
        """Return the contents of its files, secrets revealed."""
        return {name: ctx.reveal(text).encode() for name, text in self.files.items()}

    def environment(self, ctx: context.PhaseContext) -> dict[str, str]:
        """Return its whole environment, secrets revealed."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
        own = {"RUNNER_WORK": str(ctx.work), "RUNNER_RUN_ID": ctx.run_id, "RUNNER_PHASE": ctx.phase}
        return {**inherited, **own, **{name: ctx.reveal(value) for name, value in self.env.items()}}


def failed(subject: str, ended: commands.Exit, last_lines: Collection[str]) -> errors.PermanentError:
    """Describe a command that failed, with the last lines of its output."""
    return errors.PermanentError(
        f"{subject} ended with {ended}",
        code="RT206",
        details="\n".join(last_lines),
        hint="read the last lines of its output above, and all of it with `runner logs`"
        if any(last_lines)
        else "it wrote nothing that tells why: run it by hand, or let it say more",
    )
