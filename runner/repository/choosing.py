"""Which parts of a restore point somebody wants: patterns as in a `.gitignore` file that lies above its exports."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from runner.base import errors
from runner.repository import tree_entry

if TYPE_CHECKING:
    import pathspec


def _compile(patterns: Sequence[str]) -> pathspec.GitIgnoreSpec:
    # Loading it costs more than everything else here, and most commands have no patterns.
    import pathspec

    try:
        return pathspec.GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise errors.UsageError(
            f"--include cannot be used: {error}", hint="patterns are those of a .gitignore file"
        ) from error


class Chosen:
    """Patterns of `.gitignore` that say what is taken, not what is left out; without patterns, everything is.

    `*.conf` takes such files wherever they are, `files/etc/` a directory with all that is in it, `!*.log` leaves out
    again what patterns before it took. The name of an export stands for this export alone.

    Args:
        patterns: The patterns.
        exports: Names of the exports.
    """

    def __init__(self, patterns: Sequence[str], exports: Collection[str]) -> None:
        anchored = [f"/{pattern}" if pattern.rstrip("/") in exports else pattern for pattern in patterns]
        self._spec = _compile(anchored) if patterns else None
        self._unmatched = {
            pattern: _compile([spelled])
            for pattern, spelled in zip(patterns, anchored, strict=True)
            if not pattern.startswith("!")
        }

    @property
    def unmatched(self) -> list[str]:
        """The patterns that nothing has matched so far."""
        return list(self._unmatched)

    def covers(self, export: str, path: tree_entry.NamePath = (), is_directory: bool = False) -> bool:
        """Tell whether an export, or what is at a path in it, is taken."""
        if self._spec is None:
            return True
        text = "/".join([export, *map(os.fsdecode, path)])
        text = f"{text}/" if is_directory else text
        for pattern in [pattern for pattern, spec in self._unmatched.items() if spec.match_file(text)]:
            del self._unmatched[pattern]
        return self._spec.match_file(text)
