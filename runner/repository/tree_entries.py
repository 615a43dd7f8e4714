"""The list of the entries of a tree, as nodes in the repository: written in order, read in order, found by path."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import blake3
from msgspec import structs

from runner.registry.location import Buffer
from runner.repository import crypto, encoding, exports, failures, nodes, sequences, tree_entry

KIND = "tree"

# A node ends after an entry whose keyed hash says so (one in 64), from 4 KiB on, and at 256 KiB. So a changed entry
# changes its own node and nothing around it.
_LEAST = 4 * 1024
_MOST = 256 * 1024
_MASK = 63
# Entries that wait for their content. Their number bounds memory, and keeps worker threads busy over many small files.
_WAITING = 1024

Content = Callable[[], sequences.ChunkSequence]


class EntryWriter:
    """Writes entries whose content may still be on its way.

    Args:
        sink: Stores the nodes.
        key: 32 bytes that only the repository knows; where nodes end depends on it.
    """

    def __init__(self, sink: sequences.Sink, key: bytes) -> None:
        self._sink = sink
        self._key = key
        self._waiting: deque[tuple[tree_entry.Entry, Content | None]] = deque()
        self._entries: list[bytes] = []
        self._ids: list[bytes] = []
        self._size = 0
        self._nodes: deque[tuple[sequences.Ids, int]] = deque()
        self._sequence = sequences.SequenceWriter(sink)

    def append(self, entry: tree_entry.Entry, content: Content | None = None) -> None:
        """Add an entry."""
        if content is None and not self._waiting:
            self._write(entry)
            return
        self._waiting.append((entry, content))
        if len(self._waiting) > _WAITING:
            self._settle()

    def finish(self) -> sequences.ChunkSequence:
        """Return the sequence of nodes."""
        while self._waiting:
            self._settle()
        if self._entries:
            self._close_node()
        while self._nodes:
            self._lift()
        return self._sequence.finish()

    def _settle(self) -> None:
        entry, content = self._waiting.popleft()
        if content is not None:
            entry = structs.replace(entry, content=content())
        self._write(entry)

    def _write(self, entry: tree_entry.Entry) -> None:
        encoded = tree_entry.encode(entry)
        self._entries.append(encoded)
        if entry.content is not None:
            self._ids += entry.content.ids
        self._size += len(encoded)
        digest = blake3.blake3(encoded, key=self._key).digest()
        if self._size >= _MOST or (self._size >= _LEAST and not digest[0] & _MASK):
            self._close_node()

    def _close_node(self) -> None:
        node = nodes.join(self._ids, encoding.join(self._entries))
        self._nodes.append((self._sink.add([node], crypto.Kind.NODE), len(node)))
        self._entries, self._ids, self._size = [], [], 0
        if len(self._nodes) > _WAITING // 64:
            self._lift()

    def _lift(self) -> None:
        ids, length = self._nodes.popleft()
        self._sequence.append(ids.result()[0], length)


def read(source: sequences.Source, manifest: exports.Manifest) -> Iterator[tree_entry.Entry]:
    """Yield the entries of a tree export in order.

    Raises:
        PermanentError: RT417 if the export is not one of a tree.
    """
    for node in source.read(sequences.chunks(source, nodes_of(manifest))):
        yield from entries_of(node)


def nodes_of(manifest: exports.Manifest) -> sequences.ChunkSequence:
    """Return the sequence of the nodes that hold the entries.

    Raises:
        PermanentError: RT417 if the export is not one of a tree.
    """
    if manifest.kind != KIND:
        raise failures.ExportMissing(
            f"the export {manifest.export} holds a {manifest.kind}, not a tree of files",
            hint="restore it with the function for its kind",
        )
    return sequences.from_cbor(manifest.body.get("entries"), iter(manifest.roots))


def entries_of(node: Buffer) -> Iterator[tree_entry.Entry]:
    """Yield the entries that a node holds.

    Raises:
        RepositoryDamaged: If it is no node of entries.
    """
    ids, values = nodes.decode(node)
    if not isinstance(values, list):
        raise failures.damaged("a list of entries", "it has another form than it should")
    following = iter(ids)
    for value in values:
        yield tree_entry.from_cbor(value, following)


class BaseEntries:
    """Entries of an older export of the same roots, found while walking over the roots in the same order."""

    def __init__(self, entries: Iterator[tree_entry.Entry]) -> None:
        self._entries = entries
        self._path: tree_entry.NamePath = ()
        self._current = next(entries, None)
        self._follow()

    def find(self, path: tree_entry.NamePath) -> tree_entry.Entry | None:
        """Return the entry at a path; paths must come in the order of the walk."""
        while self._current is not None and self._path < path:
            self._current = next(self._entries, None)
            self._follow()
        return self._current if self._path == path else None

    def _follow(self) -> None:
        if self._current is not None:
            self._path = (*self._path[: self._current.depth], self._current.name)
