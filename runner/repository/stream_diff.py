"""How much differs between two streams, from the lists of their chunks alone."""

from __future__ import annotations

from runner.repository import exports, reader, sequences, streams


def bytes_only_in(chunks: reader.Reader, one: exports.Manifest, other: exports.Manifest) -> int:
    """Return how many bytes of a stream lie in chunks that the other one does not have; equal pages are not read.

    Raises:
        RepositoryDamaged: If something of the lists is missing or not what was written.
    """
    mine, others = _items(one), _items(other)
    level, other_level = _level(one), _level(other)
    while True:
        common = {chunk for chunk, _ in mine} & {chunk for chunk, _ in others} if level == other_level else set()
        mine = [item for item in mine if item[0] not in common]
        others = [item for item in others if item[0] not in common]
        if not level and not other_level:
            return sum(length for _, length in mine)
        top = max(level, other_level)
        if level == top:
            mine, level = _below(chunks, mine, level)
        if other_level == top:
            others, other_level = _below(chunks, others, other_level)


def _items(manifest: exports.Manifest) -> list[sequences.Item]:
    return list(_sequence(manifest).items)


def _level(manifest: exports.Manifest) -> int:
    return _sequence(manifest).level


def _sequence(manifest: exports.Manifest) -> sequences.ChunkSequence:
    if manifest.kind != streams.KIND:
        raise ValueError("the export is not one of a stream")
    return sequences.from_cbor(manifest.body.get("content"), iter(manifest.roots))


def _below(chunks: reader.Reader, items: list[sequences.Item], level: int) -> tuple[list[sequences.Item], int]:
    pages = chunks.read(chunk for chunk, _ in items if chunk is not None)
    return [item for page in pages for item in sequences.page(page, level - 1).items], level - 1
