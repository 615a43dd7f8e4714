"""Chunks that packs hold and no index segment names: found by the directories of the packs."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager

from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, failures, overlay, packs, records, segments

_THREADS = 8

# Called with the number of packs done and of all.
Progress = Callable[[int, int | None], None]
# Opens what shows the progress of a search that may begin at any time, in any thread.
Watch = Callable[[], AbstractContextManager[Progress]]


def unwatched() -> AbstractContextManager[Progress]:
    """Show nothing."""
    return contextlib.nullcontext(lambda *_: None)


def unnamed(
    location: locations.Location, keys: crypto.Keys, named: Iterable[records.Record], progress: Progress
) -> segments.Segment:
    """Return a segment, kept in memory only, of all chunks that lie in packs and that the index does not name.

    Args:
        location: Where the repository is.
        keys: Its keys.
        named: What the index names.
        progress: Called for each pack.
    """
    places: defaultdict[bytes, bytearray] = defaultdict(bytearray)
    for record in named:
        bits, byte = places[record.pack], record.ordinal >> 3
        bits.extend(bytes(max(0, byte + 1 - len(bits))))
        bits[byte] |= 1 << (record.ordinal & 7)
    entries = {
        pack: lost
        for pack, directory in _directories(location, keys, progress)
        if (lost := [record.entry() for record in directory if not _is_set(places.get(pack, b""), record.ordinal)])
    }
    place = overlay.Overlay(location)
    name = segments.write(place, keys, entries, ids.random_bytes, lock="")
    return segments.Segment(place, keys, name, place.stat(segments.PREFIX + name).size)


def _is_set(bits: bytes | bytearray, number: int) -> bool:
    return number >> 3 < len(bits) and bool(bits[number >> 3] & 1 << (number & 7))


def _directories(
    location: locations.Location, keys: crypto.Keys, progress: Progress
) -> Iterator[tuple[bytes, list[records.Record]]]:
    def read(info: locations.ObjectInfo) -> tuple[bytes, list[records.Record]]:
        salt = records.salt_of(info.name)
        if salt is None:
            return b"", []
        try:
            return salt, packs.read_directory(location, keys, salt, info.size)
        except (locations.ObjectMissing, failures.RepositoryDamaged):
            # Pruned, or damaged; then who reads a chunk of it says that it is nowhere.
            return salt, []

    with futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="recover") as pool:
        listed = list(location.list(packs.PREFIX))
        for done, found in enumerate(pool.map(read, listed), 1):
            yield found
            progress(done, len(listed))
