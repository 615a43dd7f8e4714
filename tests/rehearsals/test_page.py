"""The page about rehearsals shows what really happens: its documents, its commands and what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "rehearsals.md").read_text(encoding="utf-8")
DOCUMENT = re.compile(r"\(`([\w.-]+)`\):\n\n```yaml\n(.*?)^```$", re.M | re.S)
COMMAND = re.compile(r"^```text\n\$ runner (.*?)\n(.*?)^```$", re.M | re.S)
# How long something took, with the spaces that align it.
ELAPSED = re.compile(r" *\d+ ms|\d+\.\d s")


def _run(arguments: str, place: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "runner", *arguments.split()],
        cwd=place, env={**os.environ, "PYTHONPATH": str(TOP), "RUNNER_STATE_DIR": str(place / "state")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def test_page_shows_what_its_commands_print(tmp_path: Path) -> None:
    documents = dict(DOCUMENT.findall(PAGE))
    assert len(documents) == 4
    for name, text in documents.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    every, one, covered = COMMAND.findall(PAGE)
    killed = tmp_path / "backup-killed.rehearsal.yaml"
    for arguments, shown in (every, covered):
        assert ELAPSED.sub("", _run(arguments, tmp_path)) == ELAPSED.sub("", shown)
    mistaken = killed.read_text().replace("snapshot/data-0: 2", "snapshot/data-0: 1").replace("[check]", "[]")
    killed.write_text(mistaken, encoding="utf-8")
    assert ELAPSED.sub("", _run(one[0], tmp_path)) == ELAPSED.sub("", one[1])
