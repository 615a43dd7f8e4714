"""The directory location on mounted network shares keeps the contract, and carries a repository."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base import clock
from runner.locations import directory, probe
from runner.registry import location as contract
from runner.repository import access, check, prune
from runner.testing import location_contract
from tests.servers import processes, shares
from tests.unit.repository.making import CHEAP, contents, noise, point, put

_numbers = itertools.count()


@pytest.fixture(scope="module")
def smb_share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with shares.smb(tmp_path_factory.mktemp("smb")) as place:
        yield place


@pytest.fixture(scope="module")
def nfs_share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[shares.NfsShare]:
    with shares.nfs(tmp_path_factory.mktemp("nfs")) as share:
        yield share


def fresh(share: Path) -> directory.Directory:
    return directory.Directory(share / f"test-{next(_numbers)}")


@pytest.mark.timeout(300)
@pytest.mark.server("samba")
class TestSmbShare(location_contract.LocationContract):
    @pytest.fixture
    def location(self, smb_share: Path) -> contract.Location:
        return fresh(smb_share)

    @pytest.mark.skip(reason="a client in user space cannot rename without replacing, so nobody can tell who was first")
    def test_exactly_one_of_several_puts_wins(self, location: contract.Location) -> None: ...


@pytest.mark.server("ganesha")
class TestNfsShare(location_contract.LocationContract):
    @pytest.fixture
    def location(self, nfs_share: shares.NfsShare) -> contract.Location:
        return fresh(nfs_share.path)


@pytest.mark.server("samba")
def test_repository_on_an_smb_share(smb_share: Path) -> None:
    _live(fresh(smb_share))


@pytest.mark.server("ganesha")
def test_repository_on_an_nfs_share(nfs_share: shares.NfsShare) -> None:
    _live(fresh(nfs_share.path))


@pytest.mark.server("ganesha")
def test_a_put_waits_for_an_nfs_server_that_is_away(nfs_share: shares.NfsShare) -> None:
    place = fresh(nfs_share.path)
    data = noise("late", 3_000_000)
    putting = threading.Thread(target=place.put, args=("late", [data]))
    with processes.away(nfs_share.server):
        putting.start()
        putting.join(5)
        assert putting.is_alive()
    putting.join()
    assert place.get("late") == data


@pytest.mark.server("ganesha")
def test_an_nfs_share_that_is_mounted_soft_gives_up(tmp_path: Path) -> None:
    with shares.nfs(tmp_path, "soft,timeo=5,retrans=1") as share:
        place = fresh(share.path)
        place.put("before", [b"1"])
        share.server.kill()
        with pytest.raises(contract.LocationError, match=r"the object late in .* cannot be used: "):
            place.put("late", [b"2"])
        with pytest.raises(contract.LocationError, match=r"the object before in .* cannot be used: "):
            place.get("before")


def _live(place: directory.Directory) -> None:
    """Take a repository from its making to its pruning."""
    time = clock.SystemClock()
    place.put("a", [b"1"])
    place.delete("a")
    found = list(probe.probe(place, clock=time))
    assert [finding.check for finding in found if finding.verdict is probe.Verdict.FAILED] == []
    repo = access.create(place, "secret", clock=time, kdf=CHEAP)
    kept, gone = put(repo, "a", noise("a", 300_000)), put(repo, "b", noise("b", 300_000))
    repo.put_point(point("aaaaaaaa", kept))
    repo.put_point(point("bbbbbbbb", gone))
    again = access.open(place, "secret", clock=time)
    again.delete_point(again.point("bbbbbbbb").id)
    prune.prune(again)
    assert check.check(again, read_data=True).problems == ()
    assert contents(again, kept) == [noise("a", 300_000)]
