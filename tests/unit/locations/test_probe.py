"""What `runner profile validate` finds out, and that it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.base import clock as clocks
from runner.locations import directory, memory, object_clients, probe
from runner.registry import location as contract
from runner.testing import faults
from tests.servers import xml_store

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)  # what the stand-in says of every object


@pytest.fixture
def server() -> Iterator[xml_store.XmlStore]:
    with xml_store.started() as store:
        yield store


def verdicts(place: contract.Location, now: datetime = NOON, *, read_only: bool = False) -> dict[str, probe.Finding]:
    found = probe.probe(place, read_only=read_only, clock=clocks.FakeClock(now))
    return {finding.check: finding for finding in found}


def said(found: dict[str, probe.Finding]) -> dict[str, str]:
    return {name: str(finding.verdict) for name, finding in found.items()}


def test_object_store_can_do_everything_and_is_as_it_was(server: xml_store.XmlStore, tmp_path: Path) -> None:
    found = verdicts(object_clients.open_spec(server.s3(tmp_path, prefix="team")))
    assert {name for name, verdict in said(found).items() if verdict != "yes"} == {"repository"}
    assert server.objects == {}


@pytest.mark.parametrize("settings", [{"honours_conditions": False}, {"knows_conditions": False}])
def test_store_without_conditional_writes_is_found_out(tmp_path: Path, settings: dict[str, Any]) -> None:
    with xml_store.started(**settings) as store:
        place = object_clients.open_spec(store.s3(tmp_path), patience={"max_retries": 0})
        assert said(verdicts(place))["conditional writes"] == "no"
        assert store.objects == {}


def test_clocks_that_differ_are_shown(server: xml_store.XmlStore, tmp_path: Path) -> None:
    place = object_clients.open_spec(server.s3(tmp_path))
    found = verdicts(place, NOON + timedelta(minutes=5))["clock"]
    assert (str(found.verdict), found.details) == ("no", "300 s apart from that of this machine")


@pytest.mark.parametrize(
    ("url", "method", "check", "permission"),
    [
        ("s3", "PUT", "write", "s3:PutObject"),
        ("s3", "DELETE", "delete", "s3:DeleteObject"),
        ("s3", "GET", "list", "s3:ListBucket"),
        ("gcs", "PUT", "write", "storage.objects.create"),
    ],
)
def test_missing_permission_is_named(
    server: xml_store.XmlStore, tmp_path: Path, url: str, method: str, check: str, permission: str
) -> None:
    place = object_clients.open_spec(getattr(server, url)(tmp_path))
    server.odd.append(xml_store.Odd(method=method, status=403, code="AccessDenied"))
    found = verdicts(place)[check]
    assert (str(found.verdict), found.permission, found.code) == ("failed", permission, "RT311")


def test_what_would_fail_all_the_same_is_not_tried(server: xml_store.XmlStore, tmp_path: Path) -> None:
    found = said(verdicts(object_clients.open_spec(server.s3(tmp_path, bucket="nowhere"))))
    assert found.pop("list") == "failed"
    assert set(found.values()) == {"untried"}
    assert not any("probe" in request for request in server.requests)


def test_nothing_is_read_that_could_not_be_written(server: xml_store.XmlStore, tmp_path: Path) -> None:
    server.odd.append(xml_store.Odd(method="PUT", status=403, code="AccessDenied"))
    found = said(verdicts(object_clients.open_spec(server.s3(tmp_path))))
    assert [name for name, verdict in found.items() if verdict == "failed"] == ["write"]
    assert found["read"] == found["delete"] == "untried"


def test_read_only_location_is_not_written(server: xml_store.XmlStore, tmp_path: Path) -> None:
    server.objects["config"] = b"1"
    found = said(verdicts(object_clients.open_spec(server.s3(tmp_path)), read_only=True))
    assert {found["list"], found["repository"]} == {"yes"}
    assert found["write"] == "untried"
    assert {request.split()[0] for request in server.requests} <= {"GET", "HEAD"}


def test_directory_is_left_without_objects(tmp_path: Path) -> None:
    place = directory.Directory(tmp_path)
    found = {finding.check: finding for finding in probe.probe(place, clock=clocks.SystemClock())}
    assert {name for name, verdict in said(found).items() if verdict != "yes"} == {"repository"}
    assert list(place.list("")) == []


def test_object_that_cannot_be_removed_is_named() -> None:
    refusal = contract.LocationError("it stays")
    place = faults.FaultyLocation(
        memory.Memory(), faults.FaultSet(faults.Fault(method="delete", call=0, error=refusal))
    )
    found = verdicts(place)["delete"]
    assert str(found.verdict) == "failed"
