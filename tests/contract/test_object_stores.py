"""Object stores keep the contract of locations: real servers, an emulator, and a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.locations import object_clients
from runner.registry import location as contract
from runner.testing import location_contract
from tests.servers import azurite, seaweedfs, xml_store


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
    def location(self, s3_server: seaweedfs.SeaweedFs) -> contract.Location:
        return object_clients.open_spec(s3_server.spec())


@pytest.mark.server("azurite")
class TestAzurite(location_contract.LocationContract):
    @pytest.fixture
    def location(self, azure_server: azurite.Azurite) -> contract.Location:
        return object_clients.open_spec(azure_server.spec())
