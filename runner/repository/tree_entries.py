"""The list of the entries of a tree, as nodes in the repository: written in order, read in order."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import blake3

from runner.registry.location import Buffer
from runner.repository import crypto, encoding, exports, failures, nodes, sequences, tree_base, tree_entry

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
        self._waiting: deque[Callable[[], None]] = deque()
        self._entries: list[bytes] = []
        self._ids: list[bytes] = []
        self._size = 0
        # A page of the base that the node agrees with so far, and how many entries of it the node has.
        self._page: tree_base.Page | None = None
        self._agreeing = 0
        self._nodes: deque[tuple[sequences.Ids, int]] = deque()
        self._sequence = sequences.SequenceWriter(sink)

    def append(self, entry: tree_entry.Entry, content: Content | None = None) -> None:
        """Add an entry."""
        self._do(functools.partial(self._append, entry, content), is_ready=content is None)

    def keep(self, page: tree_base.Page, number: int) -> None:
        """Add an entry of the base as it is; a page whose entries are all kept is taken over as a whole."""
        self._do(functools.partial(self._keep, page, number), is_ready=True)

    def finish(self) -> sequences.ChunkSequence:
        """Return the sequence of nodes."""
        while self._waiting:
            self._waiting.popleft()()
        self._write_out()
        if self._entries:
            self._close_node()
        while self._nodes:
            self._lift()
        return self._sequence.finish()

    def _do(self, step: Callable[[], None], *, is_ready: bool) -> None:
        if is_ready and not self._waiting:
            step()
            return
        self._waiting.append(step)
        if len(self._waiting) > _WAITING:
            self._waiting.popleft()()

    def _append(self, entry: tree_entry.Entry, content: Content | None) -> None:
        chunks = entry.content if content is None else content()
        self._write_out()
        self._write(tree_entry.encode(entry, chunks), () if chunks is None else chunks.ids)

    def _keep(self, page: tree_base.Page, number: int) -> None:
        if self._page is None and number == 0 and not self._entries:
            self._page = page
        if page is not self._page or number != self._agreeing:
            self._write_out()
            self._write(page.encoded(number), page.ids(number))
            return
        self._agreeing += 1
        if self._agreeing == len(page.values):
            self._page, self._agreeing = None, 0
            self._add_node(_Stored([page.id]), page.length)

    def _write_out(self) -> None:
        """Write what the node has from a page of the base: it will be another one than that page."""
        page, count = self._page, self._agreeing
        self._page, self._agreeing = None, 0
        if page is not None:
            for number in range(count):
                self._write(page.encoded(number), page.ids(number))

    def _write(self, encoded: bytes, ids: Sequence[bytes]) -> None:
        self._entries.append(encoded)
        self._ids += ids
        self._size += len(encoded)
        if self._size >= _MOST or (self._size >= _LEAST and self._is_end(encoded)):
            self._close_node()

    def _is_end(self, encoded: bytes) -> bool:
        return not blake3.blake3(encoded, key=self._key).digest()[0] & _MASK

    def _close_node(self) -> None:
        node = nodes.join(self._ids, encoding.join(self._entries))
        self._entries, self._ids, self._size = [], [], 0
        self._add_node(self._sink.add([node], crypto.Kind.NODE), len(node))

    def _add_node(self, ids: sequences.Ids, length: int) -> None:
        self._nodes.append((ids, length))
        if len(self._nodes) > _WAITING // 64:
            self._lift()

    def _lift(self) -> None:
        ids, length = self._nodes.popleft()
        self._sequence.append(ids.result()[0], length)


class _Stored:
    """The ids of chunks that are in the repository already."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        self._ids = ids

    def result(self) -> Sequence[bytes]:
        return self._ids


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
