"""What a pruning is at, and how it says so."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Stage(StrEnum):
    """What a pruning is at."""

    MARKING = "finding what is needed"
    PACKING = "packing anew"
    REMOVING = "removing"

    @property
    def unit(self) -> str:
        """What is counted meanwhile."""
        return {Stage.MARKING: "chunks", Stage.PACKING: "bytes", Stage.REMOVING: "packs"}[self]


# Called with how much is done, and of how much.
Progress = Callable[[Stage, int, int], None]
