"""Retention of objects in S3, tried on a real server that honours object lock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.base import clock as clocks
from runner.locations import object_clients, retention
from runner.registry import location
from tests.e2e.test_object_stores import write_profile
from tests.servers import seaweedfs

pytestmark = pytest.mark.server("seaweedfs")


@pytest.fixture(params=["compliance", "governance"])
def spec(request: pytest.FixtureRequest, s3_server: seaweedfs.SeaweedFs) -> Any:
    return s3_server.locking(request.param)


@pytest.fixture
def place(spec: Any) -> retention.Retained:
    opened = object_clients.open_spec(spec)
    assert isinstance(opened, retention.Retained)
    return opened


def versions(server: seaweedfs.SeaweedFs, spec: Any, name: str) -> list[str]:
    found = server.client().list_object_versions(Bucket=spec["bucket"], Prefix=f"{spec['prefix']}/{name}")
    return [entry["VersionId"] for kind in ("Versions", "DeleteMarkers") for entry in found.get(kind, ())]


@pytest.mark.parametrize("name", ["data/a", "index/a"])
def test_locked_object_is_not_removed_by_anybody(
    place: retention.Retained, s3_server: seaweedfs.SeaweedFs, spec: Any, name: str
) -> None:
    place.put(name, [b"kept"])
    with pytest.raises(location.ObjectLocked, match="is locked until 20"):
        place.delete(name)
    (version,) = versions(s3_server, spec, name)
    client = s3_server.client()
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=spec["bucket"], Key=f"{spec['prefix']}/{name}", VersionId=version)
    assert place.get(name) == b"kept"


def test_lock_lasts_for_the_period_at_least(place: retention.Retained) -> None:
    place.put("data/a", [b"kept"])
    until = place.locked_until("data/a")
    assert until is not None
    assert timedelta(hours=24) <= until - datetime.now(UTC) + timedelta(minutes=5)
    assert until - datetime.now(UTC) <= timedelta(hours=48)


@pytest.mark.parametrize("name", ["locks/shared-a", "gc/deleted/a"])
def test_what_changes_all_the_time_is_not_locked(
    place: retention.Retained, s3_server: seaweedfs.SeaweedFs, spec: Any, name: str
) -> None:
    place.put(name, [b"1"])
    place.put(name, [b"2"], overwrite=True)
    assert len(versions(s3_server, spec, name)) == 2
    place.delete(name)
    assert versions(s3_server, spec, name) == [], "a version that is only hidden takes space for ever"


def test_lock_of_what_is_used_again_is_extended_once(
    place: retention.Retained, s3_server: seaweedfs.SeaweedFs, spec: Any
) -> None:
    place.put("data/a", [b"used again"])
    later = clocks.FakeClock(datetime.now(UTC) + timedelta(days=3))
    then = object_clients.open_spec(spec, clock=later)
    assert isinstance(then, retention.Retained)
    assert then.locked_until("data/a") is None
    then.extend("data/a")
    first = then.locked_until("data/a")
    then.extend("data/a")
    place.extend("data/a")
    assert first is not None
    assert then.locked_until("data/a") == first, "a lock is never made shorter"


def test_object_whose_lock_has_ended_is_removed_with_all_versions(
    place: retention.Retained, s3_server: seaweedfs.SeaweedFs, spec: Any
) -> None:
    client = s3_server.client()
    key = {"Bucket": spec["bucket"], "Key": f"{spec['prefix']}/data/a"}
    client.put_object(**key, Body=b"1")
    client.put_object(**key, Body=b"2")
    assert place.locked_until("data/a") is None
    place.delete("data/a")
    place.delete("data/a")
    assert versions(s3_server, spec, "data/a") == []


def test_restore_point_is_kept_until_its_lock_ends(
    runner: Any, examples: Path, spec: Any, s3_server: seaweedfs.SeaweedFs, tmp_path: Path
) -> None:
    there = ("--location", write_profile(tmp_path, spec))
    blueprint = examples / "01-first-backup" / "blueprint.yaml"
    assert runner("repository", "init", *there).code == 0
    (point,) = runner.exec(blueprint, *there, "--set", "seconds=0").run["restorePoints"]

    refused = runner("restore-points", "delete", point["id"], *there, "-o", "json")
    assert refused.code == 1
    assert json.loads(refused.err.splitlines()[-1])["error"]["code"] == "RT422"
    assert runner("repository", "prune", "--unfinished", "0s", *there).code == 0
    assert runner("repository", "check", "--read-data", *there).code == 0
    runner.exec(blueprint, *there, "--action", "restore", "--from", point["id"])


def test_profile_is_validated_with_its_retention(
    runner: Any, spec: Any, s3_server: seaweedfs.SeaweedFs, tmp_path: Path
) -> None:
    done = runner("profile", "validate", write_profile(tmp_path, spec))
    assert done.code == 0, done.err
    assert "✓ retention" in done.out
    assert versions(s3_server, spec, "") == []

    refused = runner("profile", "validate", write_profile(tmp_path, {**spec, "bucket": s3_server.bucket}, "without"))
    assert refused.code == 2
    assert "has no object lock" in refused.err
