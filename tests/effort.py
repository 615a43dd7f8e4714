"""How hard properties and campaigns are tried: quickly by default, at length where it is asked for."""

from __future__ import annotations

import os

_FACTOR = int(os.environ.get("RUNNER_TEST_EFFORT", "1"))


def examples(number: int) -> int:
    """Return how many examples are tried of a property of which `number` are enough while somebody waits."""
    return number * _FACTOR


def stride(number: int) -> int:
    """Return the step from one position to the next, of which each `number`-th is enough while somebody waits."""
    return max(1, number // _FACTOR)
