"""What differs between two exports of volumes, from their maps alone."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec
from msgspec import structs

from runner.repository import exports, reader, volume_map
from runner.repository.volume_map import CHUNK, FANOUT, HOLE


class How(StrEnum):
    """How a stretch differs."""

    CHANGED = "changed"
    WRITTEN = "written"  # it was zero before
    ZEROED = "zeroed"  # it is zero now


class Stretch(msgspec.Struct, frozen=True):
    """A stretch that differs; it begins and ends at chunks, so not each of its bytes need be another one."""

    offset: int
    length: int
    how: How


def stretches(chunks: reader.Reader, older: exports.Manifest, newer: exports.Manifest) -> Iterator[Stretch]:
    """Yield what differs, in order, neighbours joined; subtrees of the maps that are equal are not read.

    Where one volume is longer, the other counts as zero.

    Raises:
        RepositoryDamaged: If something of the maps is missing or not what was written.
    """
    size = max(volume_map.VolumeRoot.of(manifest).size_bytes for manifest in (older, newer))
    last: Stretch | None = None
    for number, how in _Comparison(chunks, older, newer).chunks():
        offset = number * CHUNK
        length = min(CHUNK, size - offset)
        if last is not None and last.how is how and last.offset + last.length == offset:
            last = structs.replace(last, length=last.length + length)
            continue
        if last is not None:
            yield last
        last = Stretch(offset, length, how)
    if last is not None:
        yield last


class _Comparison:
    """Goes down two maps at once."""

    def __init__(self, chunks: reader.Reader, older: exports.Manifest, newer: exports.Manifest) -> None:
        self._old = volume_map.MapReader(volume_map.VolumeRoot.of(older), chunks.fetch)
        self._new = volume_map.MapReader(volume_map.VolumeRoot.of(newer), chunks.fetch)

    def chunks(self) -> Iterator[tuple[int, How]]:
        """Yield the numbers of the chunks that differ."""
        yield from self._descend(max(self._old.root.level, self._new.root.level), 0)

    def _descend(self, level: int, number: int) -> Iterator[tuple[int, How]]:
        before, after = _subtree(self._old, level, number), _subtree(self._new, level, number)
        if before is not None and before == after:
            return
        if level == 0:
            yield number, How.WRITTEN if before == HOLE else How.ZEROED if after == HOLE else How.CHANGED
            return
        for child in range(FANOUT):
            yield from self._descend(level - 1, number * FANOUT + child)


def _subtree(volume: volume_map.MapReader, level: int, number: int) -> bytes | None:
    """Return the id of a subtree; None for one that is higher than the map and holds all of it."""
    if level > volume.root.level:
        return None if number == 0 else HOLE
    return volume.subtree(level, number)
