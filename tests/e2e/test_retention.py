"""Retention of objects in S3, tried on real servers that honour object lock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.base import clock as clocks
from runner.locations import object_clients, retention
from runner.registry import location
from runner.repository import access, prune
from tests.e2e.test_object_stores import write_profile
from tests.servers import s3
from tests.unit.repository.making import CHEAP, contents, noise, point, put

_SERVERS = {"seaweedfs": "s3_server", "ceph": "ceph_gateway"}


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.server(name)) for name in _SERVERS])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(_SERVERS[request.param])


@pytest.fixture(params=["compliance", "governance"])
def spec(request: pytest.FixtureRequest, server: s3.S3Server) -> Any:
    return server.locking(request.param)


@pytest.fixture
def place(spec: Any) -> retention.Retained:
    opened = object_clients.open_spec(spec)
    assert isinstance(opened, retention.Retained)
    return opened


def versions(server: s3.S3Server, spec: Any, name: str) -> list[str]:
    found = server.client().list_object_versions(Bucket=spec["bucket"], Prefix=f"{spec['prefix']}/{name}")
    return [entry["VersionId"] for kind in ("Versions", "DeleteMarkers") for entry in found.get(kind, ())]


@pytest.mark.parametrize("name", ["data/a", "index/a"])
def test_locked_object_is_not_removed_by_anybody(
    place: retention.Retained, server: s3.S3Server, spec: Any, name: str
) -> None:
    place.put(name, [b"kept"])
    with pytest.raises(location.ObjectLocked, match="is locked until 20"):
        place.delete(name)
    (version,) = versions(server, spec, name)
    client = server.client()
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=spec["bucket"], Key=f"{spec['prefix']}/{name}", VersionId=version)
    assert place.get(name) == b"kept"


def test_locked_object_that_somebody_has_hidden_is_locked_all_the_same(
    place: retention.Retained, server: s3.S3Server, spec: Any
) -> None:
    place.put("data/a", [b"kept"])
    server.client().delete_object(Bucket=spec["bucket"], Key=f"{spec['prefix']}/data/a")
    with pytest.raises(location.ObjectLocked, match="is locked until 20"):
        place.delete("data/a")
    assert len(versions(server, spec, "data/a")) == 2


def test_object_under_a_legal_hold_is_locked(place: retention.Retained, server: s3.S3Server, spec: Any) -> None:
    key = {"Bucket": spec["bucket"], "Key": f"{spec['prefix']}/data/a"}
    server.client().put_object(**key, Body=b"kept")
    server.client().put_object_legal_hold(**key, LegalHold={"Status": "ON"})
    with pytest.raises(location.ObjectLocked, match="is under a legal hold"):
        place.delete("data/a")
    server.client().put_object_legal_hold(**key, LegalHold={"Status": "OFF"})
    place.delete("data/a")
    assert versions(server, spec, "data/a") == []


def test_lock_lasts_for_the_period_at_least(place: retention.Retained) -> None:
    place.put("data/a", [b"kept"])
    until = place.locked_until("data/a")
    assert until is not None
    assert timedelta(hours=24) <= until - datetime.now(UTC) + timedelta(minutes=5)
    assert until - datetime.now(UTC) <= timedelta(hours=48)


@pytest.mark.parametrize("name", ["locks/shared-a", "gc/deleted/a"])
def test_what_changes_all_the_time_is_not_locked(
    place: retention.Retained, server: s3.S3Server, spec: Any, name: str
) -> None:
    place.put(name, [b"1"])
    place.put(name, [b"2"], overwrite=True)
    assert len(versions(server, spec, name)) == 2
    place.delete(name)
    assert versions(server, spec, name) == [], "a version that is only hidden takes space for ever"


def test_lock_of_what_is_used_again_is_extended_once(place: retention.Retained, server: s3.S3Server, spec: Any) -> None:
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
    place: retention.Retained, server: s3.S3Server, spec: Any
) -> None:
    client = server.client()
    key = {"Bucket": spec["bucket"], "Key": f"{spec['prefix']}/data/a"}
    client.put_object(**key, Body=b"1")
    client.put_object(**key, Body=b"2")
    assert place.locked_until("data/a") is None
    place.delete("data/a")
    place.delete("data/a")
    assert versions(server, spec, "data/a") == []


def test_pruning_keeps_what_is_locked_and_locks_anew_what_is_used(spec: Any) -> None:
    spec["retention"]["period"] = "48h"
    place: Any = object_clients.open_spec(spec)
    repo = access.create(place, "secret", clock=clocks.SystemClock(), kdf=CHEAP)
    kept = put(repo, "kept", noise("kept", 100_000))
    repo.put_point(point("aaaaaaaa", kept))
    (pack,) = [info.name for info in place.list("data/")]
    put(repo, "dropped", noise("dropped", 100_000))
    done = prune.prune(repo, unfinished=timedelta(0))
    assert (done.packs_removed, done.packs_locked, done.packs_kept) == (0, 1, 2)

    before = place.locked_until(pack)
    tomorrow = clocks.FakeClock(datetime.now(UTC) + timedelta(hours=24))
    then = object_clients.open_spec(spec, clock=tomorrow)
    done = prune.prune(access.open(then, "secret", clock=tomorrow), unfinished=timedelta(0))
    assert (done.packs_removed, done.packs_locked, done.packs_kept) == (0, 1, 2)
    assert place.locked_until(pack) > before
    assert contents(access.open(place, "secret", clock=clocks.SystemClock()), kept) == [noise("kept", 100_000)]


def test_restore_point_is_kept_until_its_lock_ends(
    runner: Any, examples: Path, server: s3.S3Server, tmp_path: Path
) -> None:
    there = ("--location", write_profile(tmp_path, server.locking("compliance")))
    blueprint = examples / "01-first-backup" / "blueprint.yaml"
    assert runner("repository", "init", *there).code == 0
    (point,) = runner.exec(blueprint, *there, "--set", "seconds=0").run["restorePoints"]

    refused = runner("restore-points", "delete", point["id"], *there, "-o", "json")
    assert refused.code == 1
    assert json.loads(refused.err.splitlines()[-1])["error"]["code"] == "RT422"
    assert runner("repository", "prune", "--unfinished", "0s", *there).code == 0
    assert runner("repository", "check", "--read-data", *there).code == 0
    runner.exec(blueprint, *there, "--action", "restore", "--from", point["id"])


def test_profile_is_validated_with_its_retention(runner: Any, spec: Any, server: s3.S3Server, tmp_path: Path) -> None:
    done = runner("profile", "validate", write_profile(tmp_path, spec))
    assert done.code == 0, done.err
    assert "✓ retention" in done.out
    assert versions(server, spec, "") == []

    refused = runner("profile", "validate", write_profile(tmp_path, {**spec, "bucket": server.bucket}, "without"))
    assert refused.code == 2
    assert "has no object lock" in refused.err
