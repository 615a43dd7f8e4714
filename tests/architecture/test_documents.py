"""README and docs keep their promises: the commands stand where they are looked for, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SET_UP = "python3 -m venv .venv && .venv/bin/pip install -q"
MAIN_JOB = f"{SET_UP} . && .venv/bin/runner exec examples/01-first-backup/blueprint.yaml"
TESTS = f"{SET_UP} -e '.[dev]' && .venv/bin/pytest -n logical"


def _pages(top: Path) -> list[Path]:
    return [*top.glob("*.md"), *(top / "docs").rglob("*.md"), *(top / "examples").rglob("*.md")]


def test_readme_starts_with_the_two_commands_of_a_fresh_machine(top: Path) -> None:
    readme = (top / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|bash|shell|console)\n(.*?)^```", readme, re.M | re.S)
    assert [block.strip() for block in blocks[:2]] == [MAIN_JOB, TESTS]


def test_readme_maps_the_packages(top: Path) -> None:
    readme = (top / "README.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in (top / "runner").glob("*/__init__.py")}
    assert packages
    assert {name for name in packages if f"{name}/" not in readme} == set()


def _broken_links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    return [target for target in targets if target and "://" not in target and not (page.parent / target).exists()]


def test_links_between_pages_lead_somewhere(top: Path) -> None:
    pages = _pages(top)
    assert len(pages) > 10
    assert {str(page.relative_to(top)): found for page in pages if (found := _broken_links(page))} == {}


@pytest.mark.parametrize("example", ["01-first-backup", "02-postgresql", "03-mariadb", "04-volume", "06-qcow2"])
def test_example_says_how_to_run_it(top: Path, example: str) -> None:
    assert f"runner exec examples/{example}/blueprint.yaml" in (top / "examples" / example / "README.md").read_text()


def test_blueprint_of_the_readme_is_valid(top: Path, tmp_path: Path) -> None:
    found = re.search(r"^```yaml\n(.*?)^```", (top / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None
    (tmp_path / "notes.yaml").write_text(found[1], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "runner", "--state-dir", str(tmp_path), "validate", str(tmp_path / "notes.yaml")],
        cwd=top, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
