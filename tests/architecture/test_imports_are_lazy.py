"""Start-up is felt at every command, so the expensive packages are imported where they are used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXPENSIVE = {
    "argon2", "blake3", "boto3", "cbor2", "cryptography", "durationpy", "jinja2", "jsonschema", "kubernetes",
    "networkx", "obstore", "openstack", "psutil", "pydantic", "pyfastcdc", "pyVmomi", "re2", "rich", "sqlite3", "yaml",
    "zstandard",
}  # fmt: skip


def _imported(top: Path, state: Path, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "runner", *arguments],
        cwd=top, env={**os.environ, "RUNNER_STATE_DIR": str(state)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {name.strip().split(".")[0] for name in re.findall(r"\|\s+([\w.]+)$", done.stderr, re.M)}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("completion", "bash")])
def test_help_and_completion_import_nothing_expensive(top: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    imported = _imported(top, tmp_path, *arguments)
    assert "click" in imported
    assert imported & EXPENSIVE == set()


def test_help_of_a_command_imports_no_graph_and_no_provider(top: Path, tmp_path: Path) -> None:
    imported = _imported(top, tmp_path, "exec", "--help")
    assert imported & {"networkx", "jsonschema", "rich", "boto3", "kubernetes", "obstore"} == set()


def test_key_services_are_loaded_only_where_a_slot_asks_for_one(top: Path, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("secret")
    there = ("--location", f"file://{tmp_path}/backups", "--passphrase-file", str(tmp_path / "passphrase"))
    _imported(top, tmp_path, "repository", "init", *there)
    imported = _imported(top, tmp_path, "repository", "key", "list", *there)
    assert "cryptography" in imported
    assert imported & {"boto3", "botocore", "ssl", "http"} == set()


@pytest.mark.parametrize("arguments", [("restore-points", "list"), ("repository", "check"), ("repository", "prune")])
def test_what_works_on_a_repository_imports_nothing_of_what_runs_blueprints(
    top: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    _imported(top, tmp_path, "repository", "init")
    imported = _imported(top, tmp_path, *arguments)
    assert imported & {"argon2", "jinja2", "jsonschema", "networkx", "pydantic", "yaml"} == set()
