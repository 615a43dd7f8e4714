"""Which entries of a tree are left out: patterns as in a `.gitignore` file that lies in each root."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pathspec

    from runner.repository import tree_entry


def _compile(patterns: Sequence[str]) -> pathspec.GitIgnoreSpec:
    # Loading it costs more than everything else here, and most blueprints exclude nothing.
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(patterns)


class Excluded:
    """Patterns of `.gitignore`: `*.log` anywhere, `/cache` at the top, `tmp/` directories only, `!keep.log` back in.

    They are matched against the path below the root; an excluded directory is not entered, so nothing below it can be
    taken back in. A root itself is never excluded.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._spec = _compile(patterns) if patterns else None

    def covers(self, path: tree_entry.NamePath, *, is_directory: bool) -> bool:
        """Tell whether an entry is left out; the path starts with the name of the root."""
        if self._spec is None or len(path) < 2:
            return False
        text = os.fsdecode(b"/".join(path[1:]))
        return self._spec.match_file(f"{text}/" if is_directory else text)
