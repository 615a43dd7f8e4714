"""Fixtures of the tests of processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.processes import procfs
from tests.unit.processes.process_runs import Run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path / "processes")
    yield run
    for pid in (*run.reapers().values(), *run.living()):  # a test that failed must not leave anything either
        procfs.kill(pid, 9)
