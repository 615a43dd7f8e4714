"""The project speaks of itself alone: nothing in it names the machine on which it was written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


def _tracked(top: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=top, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [top / name for name in listed.stdout.splitlines() if (top / name).is_file()]


def _texts(top: Path) -> list[tuple[str, str]]:
    found = []
    for path in _tracked(top):
        data = path.read_bytes()
        if b"\x00" not in data and len(data) < 1_000_000:
            found.append((str(path.relative_to(top)), data.decode("utf-8", "replace")))
    assert found
    return found


def _paths_of_this_machine(top: Path) -> list[str]:
    places = {top, Path.home()} | ({Path(sys.prefix)} if sys.prefix != sys.base_prefix else set())
    return [f"{place}/" for place in sorted(places) if place.name and not str(place).startswith("/usr")]


def test_no_file_holds_a_path_of_this_machine(top: Path) -> None:
    pattern = re.compile("|".join(re.escape(path) for path in _paths_of_this_machine(top)))
    assert [name for name, text in _texts(top) if pattern.search(text)] == []


def test_no_file_holds_a_merge_conflict_or_a_note_to_finish_later(top: Path) -> None:
    unfinished = re.compile(r"^(<{7}|>{7}) |\b(TO" + r"DO|FIX" + r"ME)\b", re.M)
    assert [name for name, text in _texts(top) if unfinished.search(text)] == []
