"""How much data files and directories hold, within a budget; nothing is opened but directories."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from runner.registry import estimates
from runner.repository import tree_exclude

_BLOCK = 512
# Below this, holes are not worth believing a file system that has not placed the data yet.
_SPARSE = 1 << 20


def of_paths(paths: Sequence[str], budget: estimates.Budget, *, exclude: Sequence[str] = ()) -> estimates.Size | None:
    """Add up the files at some paths, following those that are links; None if one of them does not exist.

    A file with several names counts once, holes count nothing, and what cannot be seen is left out.
    """
    counted = _Count(budget=budget, excluded=tree_exclude.Excluded(exclude))
    for path in paths:
        real = Path(path).resolve()
        if not real.exists():
            return None
        counted.add(real, (os.fsencode(real.name),))
    return estimates.Size(bytes=counted.total, is_whole=counted.is_whole)


def of_volume(volume: str, budget: estimates.Budget) -> estimates.Size | None:
    """Return how much a block device or a raw image holds; of a device all counts, since nobody knows its holes."""
    path = Path(volume).resolve()
    with contextlib.suppress(OSError, ValueError):
        facts = path.stat()
        if stat.S_ISBLK(facts.st_mode):
            kernel = Path(f"/sys/dev/block/{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}/size")
            return estimates.Size(bytes=int(kernel.read_text()) * _BLOCK)
    return of_paths([volume], budget)


class _Count(msgspec.Struct, kw_only=True):
    budget: estimates.Budget
    excluded: tree_exclude.Excluded
    total: int = 0
    is_whole: bool = True
    seen: set[tuple[int, int]] = msgspec.field(default_factory=set)

    def add(self, top: Path, path: tuple[bytes, ...]) -> None:
        """Count a file, or everything below a directory."""
        if not top.is_dir():
            self._file(top.stat())
            return
        open_directories = [(os.fspath(top), path)]
        while open_directories and self.is_whole:
            place, below = open_directories.pop()
            for entry in self._entries(place):
                name = (*below, os.fsencode(entry.name))
                is_directory = entry.is_dir(follow_symlinks=False)
                if self.excluded.covers(name, is_directory=is_directory):
                    continue
                if is_directory:
                    open_directories.append((entry.path, name))
                elif entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):  # it was removed meanwhile
                        self._file(entry.stat(follow_symlinks=False))

    def _entries(self, place: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(place) as found:
                for entry in found:
                    self.is_whole = self.is_whole and self.budget.take()
                    if not self.is_whole:
                        return
                    yield entry
        except OSError:
            return  # the phase will say so, if it matters

    def _file(self, facts: os.stat_result) -> None:
        if facts.st_nlink > 1:
            identity = (facts.st_dev, facts.st_ino)
            if identity in self.seen:
                return
            self.seen.add(identity)
        is_large = facts.st_size >= _SPARSE
        self.total += min(facts.st_size, facts.st_blocks * _BLOCK) if is_large else facts.st_size
