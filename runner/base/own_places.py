"""Directories of the runner itself: a copy that held them would hold itself, and grow with every further one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPlaces:
    """What backups and snapshots leave out: repositories and the state of runs."""

    paths: Sequence[Path] = ()

    def identities(self) -> frozenset[tuple[int, int]]:
        """Return device and inode of those that exist."""
        facts = [path.stat() for path in self.paths if path.exists()]
        return frozenset((one.st_dev, one.st_ino) for one in facts)

    def holds(self, path: Path) -> bool:
        """Tell whether a path is one of them, or lies in one."""
        return any(path.resolve().is_relative_to(own.resolve()) for own in self.paths)
