"""`runner profile`: what people see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import xml_store
from tests.unit.cli.conftest import Cli


@pytest.fixture
def server() -> Iterator[xml_store.XmlStore]:
    with xml_store.started() as store:
        yield store


@pytest.fixture
def config(server: xml_store.XmlStore, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.yaml"
    nas = {"type": "directory", "path": "nas", "readOnly": True}
    path.write_text(json.dumps({"locations": {"offsite": server.s3(tmp_path, prefix="team"), "nas": nas}}))
    monkeypatch.setenv("RUNNER_CONFIG", str(path))
    return path


def test_locations_are_listed(config: Path, cli: Cli, tmp_path: Path) -> None:
    lines = cli("profile", "list").out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["nas", "directory", f"{tmp_path}/nas", "read-only"],
        ["offsite", "s3", "backups/team"],
    ]


def test_no_location_is_said(cli: Cli) -> None:
    assert cli("profile", "list").out == "no locations are configured\n"


def test_a_usable_location_is_shown_with_what_its_store_can_do(config: Path, cli: Cli) -> None:
    answer = cli("profile", "validate", "offsite")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("s3://backups/team\n  ✓ list")
    assert "✓ conditional writes" in answer.out


def test_missing_permissions_are_named_and_fail(server: xml_store.XmlStore, config: Path, cli: Cli) -> None:
    server.odd += [xml_store.Odd(method="DELETE", status=403, code="AccessDenied")] * 2
    answer = cli("profile", "validate", "offsite")
    assert answer.code == 4
    assert "✗ delete              missing permission: s3:DeleteObject" in answer.out
    assert "error[RT311]: 1 check of s3://backups/team failed" in answer.err
    assert "hint: give the credentials s3:DeleteObject" in answer.err


def test_unknown_name_is_a_usage_error(config: Path, cli: Cli) -> None:
    answer = cli("profile", "validate", "offsit")
    assert answer.code == 2
    assert 'did you mean "offsite"?' in answer.err


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"type": "s3"}, 'the S3 location lacks the key "bucket"'),
        ({"type": "s3", "bucket": "b", "secretKey": "x"}, 'unknown key "secretKey" in the S3 location'),
        ({"type": "s3", "bucket": "s3://b"}, "is not the name of a bucket"),
        ({"type": "s3", "bucket": "b", "tokenFile": "t"}, 'the S3 location lacks the key "role"'),
        ({"type": "s3", "bucket": "b", "endpoint": "https://k:s@h"}, "is not a URL without a user name or password"),
        ({"type": "azure", "container": "c", "bucket": "b"}, 'unknown key "bucket" in the Azure location'),
        ({"type": "gcs", "bucket": "b", "prefix": "/a"}, "is not a prefix that a location can have"),
        ({"type": "directory", "path": "p", "maxUsedPercent": 101}, "must be at most 100"),
    ],
)
def test_mistakes_of_a_profile_are_explained(spec: dict[str, str], said: str, cli: Cli, tmp_path: Path) -> None:
    document = {
        "apiVersion": "blueprint-runner.dev/v1",
        "kind": "LocationProfile",
        "metadata": {"name": "x"},
        "spec": spec,
    }
    (tmp_path / "profile.yaml").write_text(json.dumps(document))
    answer = cli("profile", "validate", "./profile.yaml")
    assert answer.code == 3
    assert said in answer.err


def test_limits_are_shown_and_those_that_are_none_are_refused(cli: Cli, tmp_path: Path) -> None:
    head = "apiVersion: blueprint-runner.dev/v1\nkind: LocationProfile\nmetadata: {name: nas}\n"
    profile = tmp_path / "nas.yaml"
    profile.write_text(head + "spec: {type: directory, path: nas, limits: {upload: 20MiB, parallel: 4, workers: 1}}\n")
    answer = cli("profile", "validate", "nas.yaml")
    assert answer.code == 0, answer.err
    assert "✓ limits              upload 20.0 MiB/s, requests at once: 4, workers: 1" in answer.out
    profile.write_text(head + "spec: {type: directory, path: nas, limits: {upload: fast, uplod: 1}}\n")
    answer = cli("profile", "validate", "nas.yaml")
    assert answer.code == 3
    assert "KB204" in answer.err
    assert "KB201" in answer.err


def test_the_limit_of_temporary_space_reaches_functions_and_drivers(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_bytes(b"x" * 5000)
    (tmp_path / "secret").write_text("secret")
    head = "apiVersion: blueprint-runner.dev/v1\nkind: LocationProfile\nmetadata: {name: nas}\n"
    spec = "spec: {type: directory, path: backups, passphraseFile: secret, limits: {temporary: 6000}}\n"
    (tmp_path / "nas.yaml").write_text(head + spec)
    (tmp_path / "b.yaml").write_text(
        "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: b}\nactions:\n"
        f"  backup: {{phases: [{{name: copy, func: BackupFiles, args: {{paths: ['{tmp_path}/data']}}}}],"
        " outputArtifacts: {copy: {keyValue: {export: '{{ phases.copy.outputs.export }}'}}}}\n"
        "  verify: {inputArtifactNames: [copy], phases: [{name: prove, func: VerifyExport,"
        " args: {export: '{{ artifactsIn.copy.export }}'}}]}\n"
        f"  snapshot: {{phases: [{{name: take, func: SnapshotVolume, args: {{volume: '{tmp_path}/data'}}}},"
        f" {{name: again, func: SnapshotVolume, args: {{volume: '{tmp_path}/data'}}}}]}}\n"
    )
    assert cli("repository", "init", "--location", "nas.yaml").code == 0
    assert cli("exec", "b.yaml", "--location", "nas.yaml").code == 0
    answer = cli("exec", "b.yaml", "--action", "verify", "--from", "latest", "--location", "nas.yaml")
    assert (answer.code, "error[RT317]: the scratch restore of" in answer.err) == (4, True), answer.err
    assert "hint: raise limits.temporary in the location profile" in answer.err
    answer = cli("exec", "b.yaml", "--action", "snapshot", "--location", "nas.yaml")
    if answer.code != 0:  # on a file system with reflinks, neither snapshot takes anything
        assert "of which this run has taken 4.9 KiB already" in answer.err


def test_a_backup_to_a_location_that_may_only_be_read_is_refused_before_anything_runs(
    cli: Cli, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.yaml").write_text(
        "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: b}\nactions:\n"
        f"  backup: {{phases: [{{name: copy, func: BackupFiles, args: {{paths: ['{tmp_path}']}}}}]}}\n"
        "  look: {phases: [{name: pass, func: AssertThat, args: {that: true, message: never}}]}\n"
    )
    (tmp_path / "secret").write_text("secret")
    key = ("--passphrase-file", "secret")
    assert cli("repository", "init", "--location", f"file://{tmp_path}/nas", *key).code == 0
    answer = cli("exec", "b.yaml", "--location", "nas", *key)
    assert (answer.code, answer.out) == (4, "")
    assert "error[RT311]: the location nas may only be read" in answer.err
    assert cli("runs").err == "there are no runs\n"
    assert cli("exec", "b.yaml", "--action", "look", "--location", "nas", *key).code == 0


def test_a_backup_leaves_out_its_own_repository_also_with_limits(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    (tmp_path / "secret").write_text("secret")
    head = "apiVersion: blueprint-runner.dev/v1\nkind: LocationProfile\nmetadata: {name: nas}\n"
    spec = "spec: {type: directory, path: data/backups, passphraseFile: secret, limits: {parallel: 1}}\n"
    (tmp_path / "nas.yaml").write_text(head + spec)
    assert cli("repository", "init", "--location", "nas.yaml").code == 0
    (tmp_path / "b.yaml").write_text(
        "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: b}\nactions: {backup: {phases: "
        f"[{{name: copy, func: BackupFiles, args: {{paths: ['{tmp_path}/data']}}}}]}}}}\n"
    )
    answer = cli("exec", "b.yaml", "--location", "nas.yaml", "-o", "json")
    assert answer.code == 0, answer.err
    assert '"files": 1' in answer.out
