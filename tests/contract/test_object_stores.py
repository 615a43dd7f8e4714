"""Object stores keep the contract of locations: real servers, an emulator, and a stand-in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runner.locations import object_clients
from runner.registry import location as contract
from runner.testing import location_contract
from tests.servers import azurite, s3, tinyproxy, xml_store


class TestS3StandIn(location_contract.LocationContract):
    @pytest.fixture
    def location(self, tmp_path: Path) -> Iterator[contract.Location]:
        with xml_store.started() as store:
            yield object_clients.open_spec(store.s3(tmp_path, prefix="a/b"))


class TestGoogleCloudStorageStandIn(location_contract.LocationContract):
    @pytest.fixture
    def location(self, tmp_path: Path) -> Iterator[contract.Location]:
        with xml_store.started() as store:
            yield object_clients.open_spec(store.gcs(tmp_path))


class TestS3ThatThrottles(location_contract.LocationContract):
    """A store that refuses every third request with 503 SlowDown."""

    @pytest.fixture
    def location(self, tmp_path: Path) -> Iterator[contract.Location]:
        quick = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=4), "base": 2}
        with xml_store.started(throttles_every=3) as store:
            yield object_clients.open_spec(store.s3(tmp_path), patience={"backoff": quick, "max_retries": 20})


class WithoutConditions(location_contract.LocationContract):
    """A store that does not honour conditional writes: of several writers at the same moment the last one wins."""

    __test__ = False

    @pytest.mark.skip(reason="without conditional writes nobody can tell who was first")
    def test_exactly_one_of_several_puts_wins(self, location: contract.Location) -> None: ...


class TestS3ThatIgnoresConditions(WithoutConditions):
    @pytest.fixture
    def location(self, tmp_path: Path) -> Iterator[contract.Location]:
        with xml_store.started(honours_conditions=False) as store:
            yield object_clients.open_spec(store.s3(tmp_path))


class TestS3ThatRefusesConditions(WithoutConditions):
    @pytest.fixture
    def location(self, tmp_path: Path) -> Iterator[contract.Location]:
        with xml_store.started(knows_conditions=False) as store:
            yield object_clients.open_spec(store.s3(tmp_path), patience={"max_retries": 0})


@pytest.mark.server("seaweedfs")
class TestSeaweedFs(location_contract.LocationContract):
    @pytest.fixture
    def location(self, s3_server: s3.S3Server) -> contract.Location:
        return object_clients.open_spec(s3_server.spec())


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    if tinyproxy.program() is None:
        pytest.skip(f"tinyproxy is missing: {tinyproxy.INSTALL}")
    with tinyproxy.started(tmp_path_factory.mktemp("tinyproxy")) as running:
        yield running


@pytest.mark.server("tinyproxy")
class TestSeaweedFsBehindAProxy(location_contract.LocationContract):
    """All requests go through tinyproxy, a real HTTP proxy."""

    @pytest.fixture
    def location(self, s3_server: s3.S3Server, proxy: tuple[str, Path]) -> contract.Location:
        address, _ = proxy
        return object_clients.open_spec(s3_server.spec(proxy=address))

    @pytest.mark.skip(reason="the proxy opens a connection for each of thousands of requests, which takes a minute")
    def test_several_threads_read_at_once(self, location: contract.Location) -> None: ...

    def test_requests_are_in_the_log_of_the_proxy(self, location: contract.Location, proxy: tuple[str, Path]) -> None:
        location.put("seen", [b"1"])
        assert "PUT http://127.0.0.1:" in proxy[1].read_text()


@pytest.mark.server("ceph")
class TestCephObjectGateway(location_contract.LocationContract):
    @pytest.fixture
    def location(self, ceph_gateway: s3.S3Server) -> contract.Location:
        return object_clients.open_spec(ceph_gateway.spec())

    def test_object_in_parts_is_as_it_was(self, location: contract.Location) -> None:
        block = random.Random(1).randbytes(1 << 20)
        location.put("large", [block] * 65)
        assert location.stat("large").size == 65 << 20
        assert location.get("large") == block * 65
        target = bytearray(100)
        location.read_into("large", (16 << 20) - 50, memoryview(target))
        assert bytes(target) == block[-50:] + block[:50]
        with pytest.raises(contract.ObjectExists):
            location.put("large", [block] * 65)


@pytest.mark.server("ceph")
class TestCephObjectGatewayWithVersions(WithoutConditions):
    """Where it keeps versions, the gateway ignores the conditions of writes."""

    @pytest.fixture
    def location(self, ceph_gateway: s3.S3Server) -> contract.Location:
        return object_clients.open_spec({**ceph_gateway.locking("governance"), "retention": None})


@pytest.mark.server("azurite")
class TestAzurite(location_contract.LocationContract):
    @pytest.fixture
    def location(self, azure_server: azurite.Azurite) -> contract.Location:
        return object_clients.open_spec(azure_server.spec())
