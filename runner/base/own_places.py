"""Directories of the runner itself: a copy that held them would hold itself, and grow with every further one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec


class OwnPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """What backups and snapshots leave out: repositories and the state of runs."""

    paths: Sequence[Path] = ()

    def identities(self) -> frozenset[tuple[int, int]]:
        """Return device and inode of those that exist."""
        facts = [path.stat() for path in self.paths if path.exists()]
        return frozenset((one.st_dev, one.st_ino) for one in facts)

    def holds(self, path: Path) -> bool:
        """Tell whether a path is one of them, or lies in one."""
        return any(path.resolve().is_relative_to(own.resolve()) for own in self.paths)
