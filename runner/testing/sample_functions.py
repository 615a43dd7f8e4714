"""Functions that are declared but do nothing, one for each kind of contract: for tests of documents and plans."""

from __future__ import annotations

from typing import Literal

from runner.registry import args, context, function, registry
from runner.registry.args import ExportOutputs


class CommandArguments(args.Arguments):
    """Arguments of `RunCommand`."""

    command: args.CommandLine = args.argument("The program and its arguments.")
    script: args.ShellText = args.argument("What a shell does before.", default="")
    env: dict[str, args.SecretText] = args.argument("Variables of its environment.", default={})
    idempotent: bool = args.argument("Whether it may run twice.", default=False)
    success_codes: list[int] = args.argument("Exit codes that mean success.", default=[0])


@function.function(
    "RunCommand",
    effects=function.Effects.MUTATES,
    idempotent=False,
    idempotent_argument="idempotent",
    dynamic_outputs=True,
)
def run_command(ctx: context.PhaseContext, args: CommandArguments) -> None:
    """Run a command; its outputs are those that the phase declares."""


class SnapshotArguments(args.Arguments):
    """Arguments of `SnapshotVolume`."""

    volume: str = args.argument("The volume.", min_length=1)
    driver: Literal["file", "memory"] = args.argument("The driver.", default="file")
    keep: int = args.argument("How many to keep.", default=1, ge=1)


class SnapshotOutputs(args.Outputs):
    """Outputs of `SnapshotVolume`."""

    id: str
    size_bytes: int


@function.function("SnapshotVolume", effects=function.Effects.CREATES, idempotent=False)
def snapshot_volume(ctx: context.PhaseContext, args: SnapshotArguments) -> SnapshotOutputs:
    """Take a snapshot of a volume."""
    return SnapshotOutputs(id=args.volume, size_bytes=0)


@snapshot_volume.finder
def find_snapshot(ctx: context.PhaseContext, args: SnapshotArguments, token: str) -> None:
    """Look for the snapshot of an earlier attempt."""


class DeleteArguments(args.Arguments):
    """Arguments of `DeleteSnapshot`."""

    snapshot: str = args.argument("The snapshot.")


@function.function("DeleteSnapshot", effects=function.Effects.DELETES, idempotent=True)
def delete_snapshot(ctx: context.PhaseContext, args: DeleteArguments) -> None:
    """Delete a snapshot."""


class BackupArguments(args.Arguments):
    """Arguments of `BackupFiles`."""

    paths: list[str] = args.argument("What to back up.")


@function.function("BackupFiles", effects=function.Effects.CREATES, idempotent=True)
def backup_files(ctx: context.PhaseContext, args: BackupArguments) -> ExportOutputs:
    """Export files."""
    return export_outputs()


class AssertArguments(args.Arguments):
    """Arguments of `AssertThat`."""

    that: bool = args.argument("What must hold.")


@function.function("AssertThat", effects=function.Effects.READS, idempotent=True)
def assert_that(ctx: context.PhaseContext, args: AssertArguments) -> None:
    """Fail unless something holds."""


class PauseArguments(args.Arguments):
    """Arguments of `Pause`."""

    duration: args.Duration = args.argument("How long to wait.")


@function.function("Pause", effects=function.Effects.READS, idempotent=True, duration_argument="duration")
def pause(ctx: context.PhaseContext, args: PauseArguments) -> None:
    """Wait."""


def export_outputs() -> args.ExportOutputs:
    """Return the outputs of an empty export."""
    return args.ExportOutputs(export="0" * 26, bytes_read=0, bytes_new=0, bytes_stored=0)


def sample_registry() -> registry.Registry:
    """Return a registry of these functions."""
    return registry.Registry([run_command, snapshot_volume, delete_snapshot, backup_files, assert_that, pause])
