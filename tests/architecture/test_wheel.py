"""The wheel holds everything that an installed runner needs, and runs away from the checkout."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from runner.base import codes


@pytest.fixture(scope="module")
def wheel(top: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is missing: pip install -e '.[dev]'")
    made = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)],
        cwd=top, check=True, capture_output=True,
    )  # fmt: skip
    (found,) = made.glob("*.whl")
    return found


def test_wheel_holds_schemas_blueprints_and_error_pages(wheel: Path, top: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    schemas = {
        f"runner/_data/schemas/{path.relative_to(top / 'schemas')}" for path in (top / "schemas").rglob("*.json")
    }
    assert schemas
    assert schemas <= names
    assert {f"runner/_data/errors/{code}.md" for code in codes.CODES} <= names
    assert "runner/_data/blueprints/README.md" in names
    assert "runner/py.typed" in names


def test_wheel_holds_no_tests_and_no_caches(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.startswith("tests") or "__pycache__" in name] == []


def test_an_unpacked_wheel_validates_a_blueprint_away_from_the_checkout(wheel: Path, top: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    shutil.copytree(top / "examples" / "01-first-backup", tmp_path / "example", ignore=shutil.ignore_patterns("data"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "runner", "validate", "example/blueprint.yaml"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site), "RUNNER_STATE_DIR": str(tmp_path / "state")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
