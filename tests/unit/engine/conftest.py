"""The bench as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.base import clock as clocks
from tests.unit.engine.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, clocks.SystemClock())
