"""Find chunks: all index segments of a repository, of which only small filters are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from runner.registry import location as locations
from runner.repository import crypto, failures, records, segments

_CACHED_BLOCKS = 1024


class Place(NamedTuple):
    """A record and where it stands."""

    segment: str
    number: int
    record: records.Record


class Index:
    """The index as of the last `refresh`, and what this process has added since; safe from several threads.

    Args:
        location: Where the repository is.
        keys: Its keys.
        loaded: Whether to begin with what is adopted only, instead of reading all segments at the first use.
    """

    def __init__(self, location: locations.Location, keys: crypto.Keys, *, loaded: bool = False) -> None:
        self._location = location
        self._keys = keys
        self._segments: tuple[segments.Segment, ...] = ()
        self._loaded = loaded
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    @property
    def parts(self) -> tuple[segments.Segment, ...]:
        """The segments, ordered by name."""
        if not self._loaded:
            self.refresh()
        return self._segments

    def refresh(self) -> None:
        """Take over what others have added or replaced."""
        listed = {info.name.removeprefix(segments.PREFIX): info.size for info in self._location.list(segments.PREFIX)}
        known = {segment.name: segment for segment in self._segments}
        found = []
        for name, size in listed.items():
            try:
                found.append(known.get(name) or segments.Segment(self._location, self._keys, name, size))
            except locations.ObjectMissing:
                # Pruning replaced it after the listing; what replaced it was stored before, so it was listed too.
                continue
        own = [segment for segment in self._segments if segment.name not in listed and self._exists(segment.name)]
        with self._lock:
            self._loaded = True
            self._segments = tuple(sorted([*found, *own], key=lambda segment: segment.name))

    def _exists(self, name: str) -> bool:
        try:
            self._location.stat(segments.PREFIX + name)
        except locations.ObjectMissing:
            return False
        return True

    def adopt(self, name: str) -> None:
        """Add a segment that was just stored."""
        size = self._location.stat(segments.PREFIX + name).size
        segment = segments.Segment(self._location, self._keys, name, size)
        with self._lock:
            others = [other for other in self._segments if other.name != name]
            self._segments = tuple(sorted([*others, segment], key=lambda each: each.name))

    def find_all(self, chunk: bytes, bits: int = 256) -> Iterator[records.Record]:
        """Yield the records of a chunk.

        Args:
            chunk: Its id, or the beginning of one.
            bits: How many bits of the id count, at least 32.
        """
        prefix = int.from_bytes(chunk[:4], "big")
        shift = 256 - bits
        wanted = int.from_bytes(chunk, "big") >> shift
        for segment in self.parts:
            for number in segment.candidates(prefix):
                record = segment.record(self._block(segment, number // segments.BLOCK), number)
                if int.from_bytes(record.id, "big") >> shift == wanted:
                    yield record

    def find(self, chunk: bytes) -> records.Record | None:
        """Return a record of a chunk, or None."""
        place = self.place(chunk)
        return None if place is None else place.record

    def place(self, chunk: bytes) -> Place | None:
        """Return where the record of a chunk stands in the index, or None; always the same one of several."""
        prefix = int.from_bytes(chunk[:4], "big")
        for segment in self.parts:
            for number in segment.candidates(prefix):
                record = segment.record(self._block(segment, number // segments.BLOCK), number)
                if record.id == chunk:
                    return Place(segment.name, number, record)
        return None

    def locate(self, chunk: bytes) -> records.Record:
        """Return a record of a chunk, looking again for segments that others have written.

        Raises:
            RepositoryDamaged: If the chunk is nowhere.
        """
        for attempt in (1, 2):
            try:
                record = self.find(chunk)
            except locations.ObjectMissing:
                record = None
            if record is not None:
                return record
            if attempt == 1:
                self.refresh()
        raise failures.damaged("index/", f"the chunk {chunk.hex()[:16]} is in no segment")

    def _block(self, segment: segments.Segment, block: int) -> bytes:
        key = (segment.name, block)
        with self._lock:
            data = self._blocks.get(key)
            if data is not None:
                self._blocks.move_to_end(key)
                return data
        data = segment.read_block(block)
        with self._lock:
            self._blocks[key] = data
            if len(self._blocks) > _CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        return data
