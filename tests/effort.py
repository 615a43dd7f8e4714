"""How hard properties are tried: quickly by default, at length where `.ci/run` asks for it."""

from __future__ import annotations

import os

_FACTOR = int(os.environ.get("RUNNER_TEST_EFFORT", "1"))


def examples(number: int) -> int:
    """Return how many examples are tried of a property of which `number` are enough while somebody waits."""
    return number * _FACTOR
