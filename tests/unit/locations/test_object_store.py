"""What the client of object stores makes of odd answers; the contract itself is in tests/contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base import errors
from runner.locations import object_clients, object_errors
from runner.registry import location as contract
from tests.servers import xml_store

IMPATIENT = {"max_retries": 0}
ONCE_MORE = {"max_retries": 1}


@pytest.fixture
def server() -> Iterator[xml_store.XmlStore]:
    with xml_store.started() as store:
        yield store


@pytest.fixture
def place(server: xml_store.XmlStore, tmp_path: Path) -> contract.Location:
    return object_clients.open_spec(server.s3(tmp_path), patience=IMPATIENT)


def test_throttling_is_transient_and_says_how_long_to_wait(
    server: xml_store.XmlStore, place: contract.Location
) -> None:
    server.odd.append(xml_store.Odd(method="GET", status=503, code="SlowDown"))
    with pytest.raises(contract.LocationUnavailable) as caught:
        place.get("a")
    assert caught.value.retryable
    assert caught.value.retry_after is not None
    assert caught.value.details == "503 SlowDown as the test wants it"


def test_server_error_is_tried_again_by_the_client(server: xml_store.XmlStore, tmp_path: Path) -> None:
    server.odd.append(xml_store.Odd(method="GET", status=500, code="InternalError"))
    server.objects["a"] = b"data"
    assert object_clients.open_spec(server.s3(tmp_path), patience=ONCE_MORE).get("a") == b"data"


def test_server_that_keeps_failing_is_unavailable(server: xml_store.XmlStore, place: contract.Location) -> None:
    server.odd.append(xml_store.Odd(method="HEAD", status=500, code="InternalError"))
    with pytest.raises(contract.LocationUnavailable):
        place.stat("a")


def test_nobody_at_the_endpoint_is_unavailable(place: contract.Location, tmp_path: Path) -> None:
    spec = {"type": "s3", "bucket": "backups", "endpoint": "http://127.0.0.1:1"}
    (tmp_path / "keys").write_text("aws_access_key_id = K\naws_secret_access_key = S\n")
    nobody = object_clients.open_spec({**spec, "credentialsFile": str(tmp_path / "keys")}, patience=IMPATIENT)
    with pytest.raises(contract.LocationUnavailable):
        nobody.get("a")


def test_put_whose_first_answer_was_lost_succeeds(server: xml_store.XmlStore, tmp_path: Path) -> None:
    place = object_clients.open_spec(server.gcs(tmp_path), patience=ONCE_MORE)
    server.odd.append(xml_store.Odd(method="PUT", status=500, code="InternalError", done=True))
    place.put("a", [b"what ", b"was sent"])
    assert place.get("a") == b"what was sent"


def test_put_that_is_repeated_over_the_object_of_another_fails(server: xml_store.XmlStore, tmp_path: Path) -> None:
    place = object_clients.open_spec(server.gcs(tmp_path), patience=ONCE_MORE)
    server.objects["a"] = b"of another"
    server.odd.append(xml_store.Odd(method="PUT", status=500, code="InternalError"))
    with pytest.raises(contract.ObjectExists):
        place.put("a", [b"mine"])
    assert place.get("a") == b"of another"


@pytest.mark.parametrize("call", ["get", "read_into"])
def test_half_an_object_is_an_error(server: xml_store.XmlStore, place: contract.Location, call: str) -> None:
    server.objects["a"] = b"0123456789"
    server.odd.append(xml_store.Odd(method="GET", short=4))
    with pytest.raises((contract.LocationError, contract.LocationUnavailable)):
        place.get("a") if call == "get" else place.read_into("a", 0, memoryview(bytearray(10)))


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", "RT311"),
        (403, "SignatureDoesNotMatch", "RT311"),
        (403, "RequestTimeTooSkewed", "RT311"),
        (404, "NoSuchBucket", "RT404"),
        (301, "PermanentRedirect", "RT403"),
        (507, "InsufficientStorage", "RT312"),
        (400, "InvalidRequest", "RT400"),
        (412, "PreconditionFailed", "RT402"),
    ],
)
def test_refusal_has_the_code_that_says_what_to_do(
    server: xml_store.XmlStore, place: contract.Location, status: int, code: str, expected: str
) -> None:
    server.odd.append(xml_store.Odd(method="PUT", status=status, code=code))
    with pytest.raises(errors.RunnerError) as caught:
        place.put("a", [b"1"])
    assert caught.value.code == expected


def test_missing_bucket_is_not_a_missing_object(server: xml_store.XmlStore, tmp_path: Path) -> None:
    other = object_clients.open_spec(server.s3(tmp_path, bucket="nowhere"), patience=IMPATIENT)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        other.get("config")
    assert caught.value.code == "RT404"
    with pytest.raises(errors.EnvironmentProblem):
        other.list("")


def test_signature_in_a_url_is_not_shown() -> None:
    problem = OSError("Error performing GET https://a.example/b/c?sv=1&sig=SECRET in 1ms - HTTP error: refused")
    failure = object_errors.translate(problem, "c", "az://b")
    assert "SECRET" not in failure.details
    assert isinstance(failure, contract.LocationUnavailable)


def test_large_object_is_sent_in_parts_and_once(server: xml_store.XmlStore, place: contract.Location) -> None:
    block = bytes(range(256)) * 4096
    place.put("large", [block] * 65)
    assert server.objects["large"] == block * 65
    assert sum(request.startswith("PUT") for request in server.requests) == 5
    with pytest.raises(contract.ObjectExists):
        place.put("large", [block] * 65)


def test_store_of_the_provider_is_not_asked_twice(server: xml_store.XmlStore, tmp_path: Path) -> None:
    object_clients.open_spec(server.gcs(tmp_path)).put("a", [b"1"])
    assert server.requests == ["PUT a"]


def test_other_store_is_looked_at_first(server: xml_store.XmlStore, place: contract.Location) -> None:
    place.put("a", [b"1"])
    assert server.requests == ["HEAD a", "PUT a"]


def test_objects_of_others_are_not_listed(server: xml_store.XmlStore, tmp_path: Path) -> None:
    server.objects |= {"a/": b"", "other/x": b"1", "team/a b": b"1", "team/x/": b"", "team/x/y": b"1", "teams/z": b"1"}
    place = object_clients.open_spec(server.s3(tmp_path, prefix="team"))
    assert [info.name for info in place.list("")] == ["x/y"]
    assert place.url == "s3://backups/team"
