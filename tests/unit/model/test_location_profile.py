"""Location profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.model import load

HEAD = "apiVersion: blueprint-runner.dev/v1\nkind: LocationProfile\nmetadata: {name: nas}\n"


def _write(directory: Path, spec: str) -> Path:
    path = directory / "nas.yaml"
    path.write_text(f"{HEAD}spec: {spec}\n", encoding="utf-8")
    return path


def test_relative_paths_start_at_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path, "{type: directory, path: backups, passphraseFile: ../nas.key}")
    monkeypatch.chdir(tmp_path)
    profile, found = load.load_location_profile(Path(path.name))
    assert found == []
    assert profile is not None
    assert (profile.name, profile.settings["type"]) == ("nas", "directory")
    assert profile.settings["path"] == str(tmp_path / "backups")
    assert profile.settings["passphraseFile"] == str(tmp_path / ".." / "nas.key")


def test_absolute_path_stays(tmp_path: Path) -> None:
    profile, _ = load.load_location_profile(_write(tmp_path, "{type: directory, path: /mnt/nas}"))
    assert profile is not None
    assert (profile.settings["path"], profile.settings.get("passphraseFile")) == ("/mnt/nas", None)


def test_home_is_where_a_tilde_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    profile, _ = load.load_location_profile(
        _write(tmp_path, "{type: directory, path: /mnt, passphraseFile: ~/nas.key}")
    )
    assert profile is not None
    assert profile.settings["passphraseFile"] == "/home/somebody/nas.key"


def test_other_types_keep_their_settings(tmp_path: Path) -> None:
    profile, found = load.load_location_profile(_write(tmp_path, "{type: tape, robot: 3}"))
    assert found == []
    assert profile is not None
    assert profile.settings == {"type": "tape", "robot": 3}


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("{type: directory}", "KB202"),
        ("{path: /mnt}", "KB202"),
        ("{type: directory, path: /mnt, passphrase: secret}", "KB201"),
        ("{type: directory, path: 5}", "KB203"),
        ('{type: directory, path: ""}', "KB204"),
    ],
)
def test_location_that_is_off_is_refused(tmp_path: Path, spec: str, code: str) -> None:
    profile, found = load.load_location_profile(_write(tmp_path, spec))
    assert profile is None
    assert [finding.code for finding in found] == [code]


def test_blueprint_is_no_location(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text("apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\n", encoding="utf-8")
    assert [finding.code for finding in load.load_location_profile(path)[1]] == ["KB205"]
