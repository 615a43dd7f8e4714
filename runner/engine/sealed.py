"""Secret inputs and outputs of a run, kept in files that only its owner can read until the run has ended."""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.base import files, ids, secret


class Sealed:
    """A directory of secret values by name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, label: str, value: str) -> None:
        """Keep a value durably under a label (`inputs.password`), replacing an earlier one."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        files.write_atomically(self._path(label), value.encode())

    def secret(self, label: str) -> secret.Secret:
        """Return the placeholder that reads the value when it is revealed."""
        path = self._path(label)
        return secret.Secret(label, lambda: path.read_text(encoding="utf-8"))

    def delete(self) -> None:
        """Remove all values."""
        if self._directory.is_dir():
            shutil.rmtree(self._directory)
            files.flush_directory(self._directory.parent)

    def _path(self, label: str) -> Path:
        return self._directory / ids.token(label)
