"""What `--location` may mean, and what a run keeps of it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.base import clock, diagnostic, errors
from runner.base.jsonvalue import JsonValue
from runner.locations import directory
from runner.params import configuration, locations
from runner.registry import location

NAS = {"type": "directory", "path": "/mnt/nas", "passphraseFile": "/etc/nas.key"}


def choose(text: str | None, **named: dict[str, str]) -> locations.Target:
    return locations.choose(text, named=named, state_dir=Path("/state"))


def profile(file: Path, **spec: str) -> Path:
    document = {
        "apiVersion": "blueprint-runner.dev/v1",
        "kind": "LocationProfile",
        "metadata": {"name": "nas"},
        "spec": {"type": "directory", **spec},
    }
    file.write_text(json.dumps(document))
    return file


def test_nothing_means_the_default_repository_with_its_key_file() -> None:
    target = choose(None)
    assert target.is_default
    assert target.spec == {"url": "/state/repository"}
    assert target.passphrase_file == "/state/repository.key"


def test_a_configured_name_means_its_location() -> None:
    target = choose("nas", nas=NAS)
    assert (target.label, target.spec, target.passphrase_file) == ("nas", NAS, "/etc/nas.key")


def test_a_configured_name_wins_over_a_directory_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nas").mkdir()
    monkeypatch.chdir(tmp_path)
    assert choose("nas", nas=NAS).spec == NAS


def test_a_profile_file_means_its_location_with_paths_relative_to_it(tmp_path: Path) -> None:
    target = choose(str(profile(tmp_path / "nas.yaml", path="backups", passphraseFile="nas.key")))
    assert target.spec == {
        "type": "directory",
        "path": str(tmp_path / "backups"),
        "passphraseFile": str(tmp_path / "nas.key"),
    }
    assert target.passphrase_file == str(tmp_path / "nas.key")


def test_a_file_that_is_no_profile_is_refused_with_its_findings(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("kind: Blueprint\n")
    with pytest.raises(diagnostic.InvalidDocument):
        choose(str(tmp_path / "odd.yaml"))


def test_a_relative_directory_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose("some/where").spec == {"url": str(tmp_path / "some/where")}


def test_an_unknown_name_suggests_the_closest() -> None:
    with pytest.raises(errors.UsageError) as caught:
        choose("naas", nas=NAS)
    assert (caught.value.code, caught.value.hint) == ("RT403", 'did you mean "nas"?')


@pytest.mark.parametrize("target", [choose(None), choose("nas", nas=NAS), choose("file:///x")])
def test_a_run_finds_its_location_again(target: locations.Target) -> None:
    assert locations.from_json(json.loads(json.dumps(target.to_json()))) == target


def test_a_pinned_location_reads_its_passphrase_from_that_file_only() -> None:
    assert choose("nas", nas=NAS).pinned(None).passphrase_file is None
    assert choose("nas", nas=NAS).pinned(Path("/k")).passphrase_file == "/k"


def test_a_url_is_opened_without_touching_it(tmp_path: Path) -> None:
    opened = locations.open_location(choose(f"file://{tmp_path}/new"), {}, clock.FakeClock())
    assert isinstance(opened, directory.Directory)
    assert not (tmp_path / "new").exists()


def test_a_location_type_of_a_plugin_is_opened_by_url_and_by_profile() -> None:
    asked = []

    def factory(spec: Mapping[str, JsonValue]) -> directory.Directory:
        asked.append(spec)
        return directory.Directory("/x")

    types = {"tape": factory}
    locations.open_location(choose("tape://drive/1"), types, clock.FakeClock())
    locations.open_location(choose("vault", vault={"type": "tape", "slot": "7"}), types, clock.FakeClock())
    assert asked == [{"type": "tape", "url": "tape://drive/1"}, {"type": "tape", "slot": "7"}]


def test_an_unknown_location_type_suggests_the_closest() -> None:
    with pytest.raises(errors.UsageError) as caught:
        locations.open_location(
            choose("x", x={"type": "directry"}),
            {"directory": lambda spec: directory.Directory("/x")},
            clock.FakeClock(),
        )
    assert caught.value.hint == 'did you mean "directory"?'


def test_configured_locations_are_read_with_paths_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("locations:\n  nas: {type: directory, path: backups, passphraseFile: nas.key}\n")
    assert configuration.read_locations(file) == {
        "nas": {"type": "directory", "path": str(tmp_path / "backups"), "passphraseFile": str(tmp_path / "nas.key")}
    }


def test_mistakes_in_the_configuration_are_found_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("locatons: {}\nlocations:\n  nas: {type: directory}\n")
    with pytest.raises(errors.UsageError) as caught:
        configuration.read_locations(file)
    assert caught.value.code == "RT107"
    assert f"{file}:1:1: error[KB201]" in caught.value.details
    assert f"{file}:3:3: error[KB202]" in caught.value.details


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}\n"])
def test_an_empty_configuration_has_no_locations(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    assert configuration.read_locations(tmp_path / "config.yaml") == {}


def test_a_missing_configuration_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError) as caught:
        configuration.read_locations(tmp_path / "none.yaml")
    assert caught.value.code == "RT103"


def test_an_empty_location_is_none(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match="the location is empty"):
        locations.choose("", named={}, state_dir=tmp_path)


def test_a_directory_of_a_share_whose_server_is_away_is_told_by_who_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, real = tmp_path / "share", os.stat

    def away(path: Any, **options: Any) -> os.stat_result:
        if Path(path) == place:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", away)
    found = directory.Directory(choose(str(place)).spec["url"])  # type: ignore[arg-type]
    assert found.root == place
    with pytest.raises(location.LocationError, match=f"the directory {place} cannot be used: Input/output error"):
        found.check_room()
