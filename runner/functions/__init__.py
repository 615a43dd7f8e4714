"""The storage functions that come with the runner, one file each."""

from __future__ import annotations

from runner.registry.function import FunctionSpec


def builtin() -> tuple[FunctionSpec, ...]:
    """Return them all; importing them takes a while, so it happens here and not with the package."""
    from runner.functions import (
        approve,
        assert_that,
        backup_files,
        backup_stream,
        copy_files,
        delete_export,
        delete_snapshot,
        export_snapshot,
        export_volume,
        pause,
        restore_files,
        restore_stream,
        restore_volume,
        run_command,
        snapshot_volume,
        sqlite_backup,
        verify_export,
        wait_until,
    )

    return (
        approve.approve,
        assert_that.assert_that,
        backup_files.backup_files,
        backup_stream.backup_stream,
        copy_files.copy_files,
        delete_export.delete_export,
        delete_snapshot.delete_snapshot,
        export_snapshot.export_snapshot,
        export_volume.export_volume,
        pause.pause,
        restore_files.restore_files,
        restore_stream.restore_stream,
        restore_volume.restore_volume,
        run_command.run_command,
        snapshot_volume.snapshot_volume,
        sqlite_backup.sqlite_backup,
        verify_export.verify_export,
        wait_until.wait_until,
    )
