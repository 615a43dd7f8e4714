"""Example 01 with a repository in an object store: real S3 servers, and the emulator of Azure Blob Storage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.base.jsonvalue import JsonValue
from tests.servers import azurite, s3, xml_store


def write_profile(directory: Path, spec: Mapping[str, JsonValue], name: str = "store") -> Path:
    """Write a location profile with a passphrase beside it."""
    (directory / "passphrase").write_text("a passphrase of the tests\n")
    document = {
        "apiVersion": "blueprint-runner.dev/v1",
        "kind": "LocationProfile",
        "metadata": {"name": name},
        "spec": {**spec, "passphraseFile": "passphrase"},
    }
    path = directory / f"{name}.yaml"
    path.write_text(json.dumps(document))
    return path


def protect_and_bring_back(runner: Any, blueprint: Path, profile: Path) -> None:
    """Go through the life of a repository, from `init` to the pruning of an old restore point."""
    there = ("--location", profile)
    quick = ("--set", "seconds=0.3")
    assert runner("repository", "init", *there).code == 0
    assert runner("repository", "init", *there).code == 4
    (first,) = runner.exec(blueprint, *there, *quick).run["restorePoints"]
    (second,) = runner.exec(blueprint, *there, *quick).run["restorePoints"]
    assert second["bytesStored"] < first["bytesStored"] // 4

    runner.exec(blueprint, *there, "--action", "restore", "--from", first["id"])
    checked = runner("repository", "check", "--read-data", *there)
    assert checked.code == 0, checked.err
    assert runner("restore-points", "delete", first["id"], *there).code == 0
    pruned = runner("repository", "prune", "--unfinished", "0s", *there, "-o", "json")
    assert pruned.code == 0, pruned.err
    assert json.loads(pruned.out)["exportsRemoved"] == 2
    assert runner("repository", "check", "--read-data", *there).code == 0
    runner.exec(blueprint, *there, "--action", "restore", "--from", "latest")


@pytest.fixture
def blueprint(examples: Path) -> Path:
    return examples / "01-first-backup" / "blueprint.yaml"


@pytest.mark.server("seaweedfs")
def test_repository_lives_in_s3(runner: Any, blueprint: Path, s3_server: s3.S3Server, tmp_path: Path) -> None:
    protect_and_bring_back(runner, blueprint, write_profile(tmp_path, s3_server.spec()))


@pytest.mark.server("ceph")
def test_repository_lives_in_ceph(runner: Any, blueprint: Path, ceph_gateway: s3.S3Server, tmp_path: Path) -> None:
    protect_and_bring_back(runner, blueprint, write_profile(tmp_path, ceph_gateway.spec()))


@pytest.mark.server("ceph")
def test_ceph_honours_conditions_only_where_it_keeps_no_versions(
    runner: Any, ceph_gateway: s3.S3Server, tmp_path: Path
) -> None:
    plain = runner("profile", "validate", write_profile(tmp_path, ceph_gateway.spec()))
    assert "✓ conditional writes" in plain.out
    locking = runner("profile", "validate", write_profile(tmp_path, ceph_gateway.locking("governance"), "locking"))
    assert "- conditional writes  names are looked up before they are written" in locking.out
    assert (plain.code, locking.code) == (0, 0)


@pytest.mark.server("ceph")
def test_right_to_write_that_is_missing_in_ceph_is_named(
    runner: Any, ceph_gateway: s3.S3Server, tmp_path: Path
) -> None:
    spec = {**ceph_gateway.spec(), "credentialsFile": str(ceph_gateway.credentials("reader"))}
    done = runner("profile", "validate", write_profile(tmp_path, spec))
    assert done.code == 4
    assert "✗ write               missing permission: s3:PutObject" in done.out
    assert "1 check of" in done.err


@pytest.mark.server("azurite")
def test_repository_lives_in_azure_blob_storage(
    runner: Any, blueprint: Path, azure_server: azurite.Azurite, tmp_path: Path
) -> None:
    protect_and_bring_back(runner, blueprint, write_profile(tmp_path, azure_server.spec()))


@pytest.mark.campaign
def test_repository_lives_in_google_cloud_storage(runner: Any, blueprint: Path, tmp_path: Path) -> None:
    with xml_store.started() as store:
        protect_and_bring_back(runner, blueprint, write_profile(tmp_path, store.gcs(tmp_path)))


@pytest.mark.server("seaweedfs")
def test_restore_works_with_credentials_that_may_only_read(
    runner: Any, blueprint: Path, s3_server: s3.S3Server, tmp_path: Path
) -> None:
    spec = s3_server.spec()
    writing = write_profile(tmp_path, spec)
    assert runner("repository", "init", "--location", writing).code == 0
    runner.exec(blueprint, "--location", writing, "--set", "seconds=0")

    limited = {**spec, "credentialsFile": str(s3_server.credentials("reader"))}
    reading = write_profile(tmp_path, {**limited, "readOnly": True}, "reading")
    runner.exec(blueprint, "--location", reading, "--action", "restore")
    refused = runner.exec(blueprint, "--location", reading, "--set", "seconds=0", code=4)
    # Before anything runs, so there is no run.
    assert refused.out == ""
    assert json.loads(refused.err)["error"]["code"] == "RT311"


@pytest.mark.server("seaweedfs")
def test_url_with_credentials_from_the_environment_is_enough(
    runner: Any, blueprint: Path, s3_server: s3.S3Server, tmp_path: Path
) -> None:
    runner.environment = {**s3_server.environment(), "RUNNER_PASSPHRASE": "a passphrase of the tests"}
    there = ("--location", f"s3://{s3_server.bucket}/by-url")
    assert runner("repository", "init", *there).code == 0
    runner.exec(blueprint, *there, "--set", "seconds=0")
    runner.exec(blueprint, *there, "--action", "restore")


@pytest.mark.server("seaweedfs")
def test_keys_of_the_store_are_found_nowhere(
    runner: Any, blueprint: Path, s3_server: s3.S3Server, tmp_path: Path
) -> None:
    profile = write_profile(tmp_path, s3_server.spec())
    assert runner("repository", "init", "--location", profile).code == 0
    done = runner.exec(blueprint, "--location", profile, "--set", "seconds=0")
    secret = s3_server.environment()["AWS_SECRET_ACCESS_KEY"]
    held = [path for path in runner.state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert held == []
    assert secret not in done.out + done.err
