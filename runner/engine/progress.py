"""How far work is, as it is told to onlookers."""

from __future__ import annotations

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an attempt is; `total` is None when nobody knows."""

    node: str
    completed: int
    total: int | None
    unit: str
    description: str
