"""Locations that are wrong in one way each; the contract suite must fail every one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import structs

from runner.locations import directory
from runner.registry import location


class LeaksOsErrors(directory.Directory):
    """Lets an error of the operating system through."""

    def get(self, name: str) -> bytes:
        """Read without translating."""
        return self._path(name).read_bytes()


class Overwrites(directory.Directory):
    """Replaces objects that are to be kept."""

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Always overwrite."""
        super().put(name, data, overwrite=True)


class NeverOverwrites(directory.Directory):
    """Ignores that it may replace."""

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Never overwrite."""
        super().put(name, data)


class WritesInPlace(directory.Directory):
    """Shows half an object while it is written, and leaves it when that fails."""

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Write under the final name."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb" if overwrite else "xb") as file:
            for buffer in data:
                file.write(buffer)
                file.flush()


class RemovesBeforeOverwriting(directory.Directory):
    """Loses the old object when an overwrite fails."""

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Remove first."""
        if overwrite:
            self.delete(name)
        super().put(name, data)


class ChecksThenWrites(directory.Directory):
    """Looks whether a name is taken, but lets the last of several writers win."""

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Look first, then replace."""
        if not overwrite and self._path(name).exists():
            raise location.ObjectExists(f"there is an object {name} already")
        super().put(name, data, overwrite=True)


class DropsBuffers(directory.Directory):
    """Writes only as many buffers as one system call takes."""

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Forget the rest."""
        super().put(name, data[:1024], overwrite=overwrite)


class KeepsBuffers(directory.Directory):
    """Remembers the caller's buffers instead of their content."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._kept: dict[str, Sequence[location.Buffer]] = {}

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Keep references."""
        super().put(name, data, overwrite=overwrite)
        self._kept[name] = data

    def get(self, name: str) -> bytes:
        """Join what the buffers hold now."""
        return b"".join(self._kept[name])


class ReadsStaleData(directory.Directory):
    """Caches what it read once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._cache: dict[str, bytes] = {}

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Read from the cache."""
        data = self._cache.setdefault(name, self.get(name) if name not in self._cache else b"")
        if offset + target.nbytes > len(data):
            raise location.LocationError("the object ends before that")
        target.cast("B")[:] = data[offset : offset + target.nbytes]


class ReadsShort(directory.Directory):
    """Fills only a part of the target, and says nothing."""

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Copy what there is."""
        data = self.get(name)[offset : offset + target.nbytes]
        target.cast("B")[: len(data)] = data


class ListsUnsorted(directory.Directory):
    """Lists directory by directory, as a walk gives them."""

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """Sort part by part."""
        return iter(sorted(super().list(prefix), key=lambda info: info.name.split("/")))


class ListsWholePartsOnly(directory.Directory):
    """Takes the prefix for a directory."""

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """Add a slash."""
        return super().list(prefix if prefix.endswith("/") or not prefix else prefix + "/")


class ListsWrongSizes(directory.Directory):
    """Tells another size in a listing than `stat` does."""

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """Round up to blocks."""
        return (structs.replace(info, size=-(-info.size // 512) * 512) for info in super().list(prefix))


class DeletesOnce(directory.Directory):
    """Fails to delete what is not there."""

    def delete(self, name: str) -> None:
        """Insist on the object."""
        self.stat(name)
        super().delete(name)


class DeletesNeighbours(directory.Directory):
    """Deletes everything that starts with the name."""

    def delete(self, name: str) -> None:
        """Take the name for a prefix."""
        for info in [*self.list(name)]:
            super().delete(info.name)


class SweepsObjects(directory.Directory):
    """Takes objects for leftovers."""

    def sweep(self) -> int:
        """Remove everything."""
        found = [*self.list("")]
        for info in found:
            self.delete(info.name)
        return len(found)


class AcceptsAnyName(directory.Directory):
    """Lets a name leave the location."""

    def _path(self, name: str) -> Path:
        return self.root / name


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A broken location, and the test of the suite that must fail on it."""

    location: type[directory.Directory]
    test: str
    arguments: tuple[str, ...] = ()


BROKEN = (
    Broken(location=LeaksOsErrors, test="test_missing_object_is_reported_as_missing"),
    Broken(location=Overwrites, test="test_put_refuses_a_name_that_is_taken"),
    Broken(location=NeverOverwrites, test="test_put_overwrites_when_asked"),
    Broken(location=WritesInPlace, test="test_object_is_not_seen_before_it_is_complete"),
    Broken(location=WritesInPlace, test="test_interrupted_put_leaves_nothing"),
    Broken(location=RemovesBeforeOverwriting, test="test_interrupted_overwrite_keeps_the_old_object"),
    Broken(location=ChecksThenWrites, test="test_exactly_one_of_several_puts_wins"),
    Broken(location=DropsBuffers, test="test_many_buffers_make_one_object"),
    Broken(location=KeepsBuffers, test="test_put_does_not_keep_the_buffers"),
    Broken(location=ReadsStaleData, test="test_put_overwrites_when_asked"),
    Broken(location=ReadsShort, test="test_read_into_refuses_to_read_over_the_end"),
    Broken(location=ListsUnsorted, test="test_list_is_in_the_order_of_names"),
    Broken(location=ListsWholePartsOnly, test="test_list_takes_any_text_as_prefix"),
    Broken(location=ListsWrongSizes, test="test_list_tells_sizes_like_stat"),
    Broken(location=DeletesOnce, test="test_delete_removes_and_may_be_repeated"),
    Broken(location=DeletesNeighbours, test="test_delete_removes_and_may_be_repeated"),
    Broken(location=SweepsObjects, test="test_sweep_leaves_objects_alone"),
    Broken(location=AcceptsAnyName, test="test_bad_name_is_refused", arguments=("../a",)),
)
