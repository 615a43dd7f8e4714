"""Find chunks by way of those found before: what was stored together is mostly read together."""

from __future__ import annotations

import threading
from collections import Counter

from runner.registry import location as locations
from runner.repository import crypto, failures, packs, records
from runner.repository import index as indexes

# A directory costs as much as some lookups in the index, so one chunk alone does not make it worth reading.
_WORTH_READING = 3
# Some dozens of packs of volumes; of those of small files as many as fit, and the index for the others.
_MOST_RECORDS = 16_384


class Neighbours:
    """The directories of the packs that were read from lately, and the index for all else; safe from several threads.

    A directory tells in one read where hundreds of chunks are. The index is in the order of ids, in which neighbours
    within a volume lie far apart.

    Args:
        keys: Keys of the repository.
        index: Its index.
    """

    def __init__(self, keys: crypto.Keys, index: indexes.Index) -> None:
        self._keys = keys
        self._index = index
        self._lock = threading.Lock()
        self._known: dict[bytes, records.Record] = {}
        self._opened: dict[bytes, list[records.Record]] = {}
        self._asked: Counter[bytes] = Counter()

    def locate(self, chunk: bytes, location: locations.Location) -> records.Record:
        """Return a record of a chunk.

        Args:
            chunk: Its id.
            location: The repository's, as whoever asks uses it.

        Raises:
            RepositoryDamaged: If the chunk is nowhere.
        """
        record = self._known.get(chunk)
        if record is None:
            record = self._index.locate(chunk)
            with self._lock:
                self._count(record.pack, location)
        return record

    def forget(self, pack: bytes) -> None:
        """Forget what lay in a pack that has vanished; the index knows where it lies now."""
        with self._lock:
            self._close(pack)

    def _count(self, pack: bytes, location: locations.Location) -> None:
        self._asked[pack] += 1
        if self._asked[pack] == _WORTH_READING:
            self._open(pack, location)

    def _open(self, pack: bytes, location: locations.Location) -> None:
        try:
            size = location.stat(records.pack_name(pack)).size
            found = packs.read_directory(location, self._keys, pack, size)
        except (locations.LocationError, failures.RepositoryDamaged):
            # The index does as well; if the pack is gone or damaged, that is for whoever reads the chunk to say.
            return
        if len(found) > _MOST_RECORDS:
            return
        self._opened[pack] = found
        while sum(map(len, self._opened.values())) > _MOST_RECORDS:
            self._close(next(iter(self._opened)))
        self._known.update((record.id, record) for record in found)

    def _close(self, pack: bytes) -> None:
        del self._asked[pack]
        for record in self._opened.pop(pack, ()):
            # A chunk may be in several packs.
            if self._known.get(record.id) is record:
                del self._known[record.id]
