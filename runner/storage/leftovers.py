"""Removing what dead processes have left beside a volume."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from pathlib import Path

from runner.base import files


def sweep(directory: Path, prefix: str, now: datetime) -> None:
    """Remove what dead processes left unfinished in a directory under names that start with `prefix`."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and files.is_leftover(entry, now, prefix=prefix):
                remove(Path(entry.path))


def remove(path: Path) -> None:
    """Remove a file or a whole tree, also one with directories that forbid it; nothing there is fine."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    # Hardly ever called, and slow to import.
    import shutil

    for directory, _, _ in os.walk(path):
        os.chmod(directory, 0o700)
    shutil.rmtree(path)
