"""`docs/plan.svg`, which the README shows, is what `runner plan` draws of an example (`make docs`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli import main


def test_plan_picture_freshness(
    top: Path,
    golden: Callable[[Path, str], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(top)
    given = ["--set", "data=/srv/shops", "--set", "app=/srv/app.py"]
    assert main.run(["plan", "examples/05-parallel/blueprint.yaml", *given, "--format", "svg"]) == 0
    golden(top / "docs" / "plan.svg", capsys.readouterr().out)
