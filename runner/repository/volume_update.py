"""Bring a volume that exists to the content of an export: what is there already is neither fetched nor written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from runner.base import cancel as cancels
from runner.base import ids
from runner.registry.driver import BlockUpdater
from runner.repository import crypto, repository, volume_map, volumes
from runner.repository.volume_capture import Progress
from runner.repository.volume_map import CHUNK, FANOUT, HOLE, ID_SIZE

# Read at once, and what one thread then fetches.
_WINDOW = 32


class Updated(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to a volume.

    Attributes:
        bytes_written: Bytes that differed.
        bytes_alike: Bytes that were there already.
    """

    bytes_written: int
    bytes_alike: int


def update_volume(
    repo: repository.Repository,
    export: ids.ExportId,
    target: BlockUpdater,
    *,
    cancel: cancels.CancelToken,
    progress: Progress,
) -> Updated:
    """Write what differs between an export and a volume, and commit it.

    Each block of the volume is read and hashed, and its hash compared with the map: only what differs is fetched. What
    was interrupted is finished by doing it again.

    Raises:
        ExportMissing: If there is no such export.
        RepositoryDamaged: If something of it is missing or not what was written.
    """
    chunks = repo.reader()
    update = _Update(repo.keys, volumes.map_of(repo, export, chunks), target, cancel, progress)
    chunks.scatter(update.batches(), target.write, cancel)
    target.commit()
    return Updated(bytes_written=update.written, bytes_alike=update.size - update.written)


class _Update:
    def __init__(
        self,
        keys: crypto.Keys,
        volume: volume_map.MapReader,
        target: BlockUpdater,
        cancel: cancels.CancelToken,
        progress: Progress,
    ) -> None:
        self._keys = keys
        self._map = volume
        self._target = target
        self._cancel = cancel
        self._progress = progress
        self._window = bytearray(_WINDOW * CHUNK)
        self.size = volume.root.size_bytes
        self.written = 0

    def batches(self) -> Iterator[Sequence[tuple[int, bytes]]]:
        """Yield offsets and ids of the chunks that have to be fetched; make zero what has to be on the way."""
        pages = range(-(-self._map.root.chunks // FANOUT))
        for number, page in enumerate(self._map.pages_at(pages)):
            for first in range(0, FANOUT, _WINDOW):
                start = (number * FANOUT + first) * CHUNK
                if start >= self.size:
                    return
                self._cancel.raise_if_cancelled()
                found = list(self._differing(start, page[first * ID_SIZE : (first + _WINDOW) * ID_SIZE]))
                self._progress(min(start + len(self._window), self.size), self.size)
                if found:
                    yield found

    def _differing(self, start: int, wanted: bytes) -> Iterator[tuple[int, bytes]]:
        length = min(len(self._window), self.size - start)
        with memoryview(self._window)[:length] as view:
            self._target.read_into(start, view)
        for place, first in enumerate(range(0, length, CHUNK)):
            end = min(first + CHUNK, length)
            chunk = wanted[place * ID_SIZE : (place + 1) * ID_SIZE]
            if chunk == self._id_of(first, end):
                continue
            self.written += end - first
            if chunk == HOLE:
                self._target.zero(start + first, end - first)
            else:
                yield start + first, chunk

    def _id_of(self, first: int, end: int) -> bytes:
        if volume_map.is_zero(self._window, first, end):
            return HOLE
        with memoryview(self._window)[first:end] as found:
            return self._keys.chunk_id(crypto.Kind.DATA, found)
