"""The layers of the package are contracts in pyproject.toml; import-linter checks them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def _lint_imports(top: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which("lint-imports")
    if program is None:
        pytest.skip("import-linter is missing: pip install -e '.[dev]'")
    return subprocess.run([program, "--no-cache"], cwd=top, capture_output=True, text=True, check=False)


def test_every_import_contract_is_kept(top: Path) -> None:
    done = _lint_imports(top)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = re.search(r"Contracts: (\d+) kept, 0 broken", done.stdout)
    assert kept is not None, done.stdout
    assert int(kept[1]) >= 4
