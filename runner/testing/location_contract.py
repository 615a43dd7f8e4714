"""The contract suite of locations: inherit `LocationContract`, define a fixture `location`, and pytest runs it all.

```python
class TestMine(LocationContract):
    @pytest.fixture
    def location(self, tmp_path):
        return MyLocation(tmp_path)
```
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, overload

import pytest

from runner.base import clock as clocks
from runner.registry import location as contract

_BAD_NAMES = (
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a b",
    "a\0b",
    "ä",
    "a\\b",
    "a\n",
    "~a",
)
_WHEN_NO_FIXTURE = "define a fixture `location` that returns a fresh, empty location"


class Interrupted(Exception):
    """What happens while a call is under way; not an error of any location."""


class Watched(Sequence[contract.Buffer]):
    """Buffers that call `watch` before the last of them is handed out."""

    def __init__(self, buffers: Sequence[bytes], watch: Any) -> None:
        self._buffers = buffers
        self._watch = watch

    def __len__(self) -> int:
        return len(self._buffers)

    @overload
    def __getitem__(self, index: int) -> contract.Buffer: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[contract.Buffer]: ...

    def __getitem__(self, index: int | slice) -> contract.Buffer | Sequence[contract.Buffer]:
        if isinstance(index, int) and index == len(self._buffers) - 1:
            self._watch()
        return self._buffers[index]


class LocationContract:
    """What every location must do."""

    __test__ = False

    def __init_subclass__(cls) -> None:
        cls.__test__ = cls.__dict__.get("__test__", True)

    @pytest.fixture
    def location(self, tmp_path: Path) -> contract.Location:
        """Return a fresh, empty location."""
        raise NotImplementedError(_WHEN_NO_FIXTURE)

    def settle(self, location: contract.Location) -> None:
        """Let the location's listing delay pass; override it where the clock is a fake one."""
        if location.listing_delay:
            clocks.SystemClock().wait(threading.Event(), location.listing_delay)

    def names(self, location: contract.Location, prefix: str = "") -> list[str]:
        """Return the names of a listing after the delay."""
        self.settle(location)
        return [info.name for info in location.list(prefix)]

    def test_get_returns_the_concatenated_buffers(self, location: contract.Location) -> None:
        """An object is all its buffers, in order, of whatever kind."""
        words = memoryview(bytearray(b"three four")).cast("H")
        location.put("a/b", [b"one ", b"", bytearray(b"two "), words])
        assert location.get("a/b") == b"one two three four"

    def test_many_buffers_make_one_object(self, location: contract.Location) -> None:
        """There may be more buffers than one system call takes."""
        buffers = [number.to_bytes(3, "big") for number in range(3000)]
        location.put("many", buffers)
        assert location.get("many") == b"".join(buffers)

    def test_object_may_be_empty(self, location: contract.Location) -> None:
        """An object without bytes is an object."""
        location.put("empty", [])
        assert location.get("empty") == b""
        assert location.stat("empty").size == 0
        assert self.names(location) == ["empty"]

    def test_put_does_not_keep_the_buffers(self, location: contract.Location) -> None:
        """The caller uses its buffers again right after the call."""
        buffer = bytearray(b"first")
        location.put("a", [buffer])
        buffer[:] = b"other"
        assert location.get("a") == b"first"

    def test_put_refuses_a_name_that_is_taken(self, location: contract.Location) -> None:
        """The object is left as it was."""
        location.put("a", [b"first"])
        with pytest.raises(contract.ObjectExists):
            location.put("a", [b"second"])
        assert location.get("a") == b"first"

    def test_put_overwrites_when_asked(self, location: contract.Location) -> None:
        """All ways to read see the new object, also if they have seen the old one."""
        location.put("a", [b"first"])
        target = bytearray(5)
        location.read_into("a", 0, memoryview(target))
        location.put("a", [b"longer than before"], overwrite=True)
        location.read_into("a", 0, memoryview(target))
        assert location.get("a") == b"longer than before"
        assert bytes(target) == b"longe"
        assert location.stat("a").size == 18

    def test_exactly_one_of_several_puts_wins(self, location: contract.Location) -> None:
        """Of concurrent puts of one name one succeeds, and its data is what is stored."""
        winners: list[int] = []
        barrier = threading.Barrier(4)

        def put(number: int) -> None:
            barrier.wait()
            try:
                location.put("contended", [bytes([number]) * 100_000])
            except contract.ObjectExists:
                return
            winners.append(number)

        threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(winners) == 1
        assert location.get("contended") == bytes(winners) * 100_000

    def test_object_is_not_seen_before_it_is_complete(self, location: contract.Location) -> None:
        """While a put is under way nobody sees the object."""
        seen: list[str] = []

        def look() -> None:
            seen.extend(info.name for info in location.list(""))
            with pytest.raises(contract.ObjectMissing):
                location.get("a")

        location.put("a", Watched([b"1" * 100_000, b"2" * 100_000], look))
        assert seen == []

    def test_interrupted_put_leaves_nothing(self, location: contract.Location) -> None:
        """A put that fails half-way leaves no object, and the name can be used again."""

        def fail() -> None:
            raise Interrupted

        with pytest.raises(Interrupted):
            location.put("a", Watched([b"1" * 100_000, b"2"], fail))
        assert self.names(location) == []
        location.put("a", [b"again"])
        assert location.get("a") == b"again"

    def test_interrupted_overwrite_keeps_the_old_object(self, location: contract.Location) -> None:
        """A failed overwrite changes nothing."""

        def fail() -> None:
            raise Interrupted

        location.put("a", [b"old"])
        with pytest.raises(Interrupted):
            location.put("a", Watched([b"1" * 100_000, b"2"], fail), overwrite=True)
        assert location.get("a") == b"old"

    def test_missing_object_is_reported_as_missing(self, location: contract.Location) -> None:
        """All ways to read say so in the words of the contract."""
        location.put("a/b", [b"1"])
        for name in ("a/c", "c", "c/d/e", "a"):
            with pytest.raises(contract.ObjectMissing):
                location.get(name)
            with pytest.raises(contract.ObjectMissing):
                location.stat(name)
            with pytest.raises(contract.ObjectMissing):
                location.read_into(name, 0, memoryview(bytearray(1)))

    def test_read_into_fills_the_target(self, location: contract.Location) -> None:
        """Any range is read, into a target of any item size; an empty one reads nothing."""
        data = bytes(range(256)) * 300
        location.put("a", [data])
        for offset, length in ((0, 10), (70_000, 6_800), (76_799, 1), (5, 0), (76_800, 0)):
            target = bytearray(length)
            location.read_into("a", offset, memoryview(target))
            assert bytes(target) == data[offset : offset + length]
        words = memoryview(bytearray(8)).cast("I")
        location.read_into("a", 2, words)
        assert words.tobytes() == data[2:10]

    def test_read_into_refuses_to_read_over_the_end(self, location: contract.Location) -> None:
        """A range that is not all there is an error, but not a missing object."""
        location.put("a", [b"12345"])
        for offset, length in ((3, 3), (5, 1), (100, 1)):
            with pytest.raises(contract.LocationError) as caught:
                location.read_into("a", offset, memoryview(bytearray(length)))
            assert caught.value.code == "RT400"

    def test_several_threads_read_at_once(self, location: contract.Location) -> None:
        """Reads of many objects from several threads do not disturb each other."""
        wanted = {f"o/{number:03}": hashlib.sha256(bytes([number])).digest() * 40 for number in range(100)}
        for name, data in wanted.items():
            location.put(name, [data])
        wrong: list[str] = []

        def read(start: int) -> None:
            for step in range(200):
                name = f"o/{(start + step * 7) % 100:03}"
                target = bytearray(64)
                location.read_into(name, step, memoryview(target))
                if bytes(target) != wanted[name][step : step + 64]:
                    wrong.append(name)

        threads = [threading.Thread(target=read, args=(start,)) for start in (0, 25, 50, 75)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_stat_tells_size_and_time(self, location: contract.Location) -> None:
        """The time is aware, in UTC."""
        location.put("a/b", [b"123"])
        info = location.stat("a/b")
        assert (info.name, info.size) == ("a/b", 3)
        assert info.modified.utcoffset() == timedelta(0)
        assert info.modified > datetime(2020, 1, 1, tzinfo=UTC)

    def test_list_is_in_the_order_of_names(self, location: contract.Location) -> None:
        """`/` sorts between `.` and `0` as in any text, whatever directories there are."""
        names = ["a", "a-b", "a.b", "b/c", "b-c/d", "b.c", "b0", "data/00/1", "data/00-1", "data/0", "Z", "_"]
        for name in names:
            location.put(name, [name.encode()])
        assert self.names(location) == sorted(names)

    def test_list_takes_any_text_as_prefix(self, location: contract.Location) -> None:
        """A prefix need not end at a slash."""
        for name in ("data/00/ab", "data/00/ac", "data/01/ab", "data2", "other"):
            location.put(name, [b"1"])
        assert self.names(location, "data/00/a") == ["data/00/ab", "data/00/ac"]
        assert self.names(location, "data/0") == ["data/00/ab", "data/00/ac", "data/01/ab"]
        assert self.names(location, "data/") == ["data/00/ab", "data/00/ac", "data/01/ab"]
        assert self.names(location, "data") == ["data/00/ab", "data/00/ac", "data/01/ab", "data2"]
        assert self.names(location, "data/00/ab") == ["data/00/ab"]
        assert self.names(location, "none") == []
        assert self.names(location, "data/00/ab/x") == []

    def test_list_tells_sizes_like_stat(self, location: contract.Location) -> None:
        """A listing describes objects as `stat` does."""
        location.put("a", [b"1234567"])
        self.settle(location)
        assert list(location.list("")) == [location.stat("a")]

    def test_empty_location_lists_nothing(self, location: contract.Location) -> None:
        """Nothing was put, nothing is there, and that is no error."""
        assert self.names(location) == []
        assert self.names(location, "data/") == []

    def test_delete_removes_and_may_be_repeated(self, location: contract.Location) -> None:
        """Deleting what is not there succeeds; neighbours stay."""
        location.put("a/b", [b"1"])
        location.put("a/c", [b"2"])
        location.read_into("a/b", 0, memoryview(bytearray(1)))
        for name in ("a/b", "a/b", "a", "never/was"):
            location.delete(name)
        with pytest.raises(contract.ObjectMissing):
            location.read_into("a/b", 0, memoryview(bytearray(1)))
        assert self.names(location) == ["a/c"]
        location.put("a/b", [b"3"])
        assert location.get("a/b") == b"3"

    @pytest.mark.parametrize("name", _BAD_NAMES)
    def test_bad_name_is_refused(self, location: contract.Location, name: str) -> None:
        """A name that is none never reaches the store."""
        calls = (
            lambda: location.put(name, [b"1"]),
            lambda: location.get(name),
            lambda: location.stat(name),
            lambda: location.read_into(name, 0, memoryview(bytearray(1))),
            lambda: location.delete(name),
        )
        for call in calls:
            with pytest.raises(ValueError, match="name"):
                call()
        assert self.names(location) == []

    @pytest.mark.parametrize("prefix", ["/", "../", "a//", "a b", "./"])
    def test_bad_prefix_is_refused(self, location: contract.Location, prefix: str) -> None:
        """No listing leaves the location; the call itself says so, not the first use of its result."""
        with pytest.raises(ValueError, match="name"):
            location.list(prefix)

    def test_listing_survives_changes_while_it_is_read(self, location: contract.Location) -> None:
        """What is put or deleted meanwhile may be shown or not; the rest is shown once."""
        names = [f"d{number}/o{number}" for number in range(20)]
        for name in names:
            location.put(name, [b"1"])
        self.settle(location)
        listing: Iterator[contract.ObjectInfo] = location.list("")
        seen = [next(listing).name]
        for name in names[10:15]:
            location.delete(name)
        location.put("e/new", [b"1"])
        seen += [info.name for info in listing]
        assert seen == sorted(set(seen))
        assert set(names[:10] + names[15:]) <= set(seen)

    def test_sweep_leaves_objects_alone(self, location: contract.Location) -> None:
        """Sweeping an undisturbed location removes nothing."""
        location.put("a/b", [b"1"])
        assert location.sweep() == 0
        assert location.get("a/b") == b"1"

    def test_url_names_the_location(self, location: contract.Location) -> None:
        """The URL has a scheme and stays the same."""
        assert "://" in location.url
        assert location.url == location.url
