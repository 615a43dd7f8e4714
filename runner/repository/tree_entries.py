"""The list of the entries of a tree, as pages in the repository: written in order, read in order."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import blake3

from runner.registry.location import Buffer
from runner.repository import crypto, exports, failures, sequences, tree_base, tree_entry, tree_page

KIND = "tree"

# A page ends behind an entry whose keyed hash says so (one in 64), from the 32nd on, and at 256 KiB. So a changed entry
# changes its own page and nothing around it.
_LEAST = 32
_MOST = 256 * 1024
_MASK = 63
# Entries that wait for their content, or behind one that does. Their number bounds memory, and keeps worker threads
# busy over many small files.
_WAITING = 1024
_WAITING_PAGES = 16

Content = Callable[[], sequences.ChunkSequence]


class EntryWriter:
    """Writes entries whose content may still be on its way.

    Args:
        sink: Stores the pages.
        key: 32 bytes that only the repository knows; where pages end depends on it.
    """

    def __init__(self, sink: sequences.Sink, key: bytes) -> None:
        self._sink = sink
        self._key = key
        # Steps that wait, each with the number of its entries.
        self._steps: deque[tuple[Callable[[], None], int]] = deque()
        self._waiting = 0
        # Entries of a page of the base that are kept, one after the other: where they begin, and the next one.
        self._page: tree_page.Page | None = None
        self._first = 0
        self._next = 0
        self._draft = tree_page.Draft()
        self._pages: deque[tuple[sequences.Ids, int]] = deque()
        self._sequence = sequences.SequenceWriter(sink)

    def append(self, entry: tree_entry.Entry, content: Content | None = None) -> None:
        """Add an entry."""
        self._end_run()
        self._do(functools.partial(self._append, entry, content), 1, is_ready=content is None)

    def keep(self, place: tree_base.Place) -> None:
        """Add an entry of the base as it is; a page whose entries are all kept is taken over as a whole."""
        page, number = place
        if page is not self._page or number != self._next:
            self._end_run()
            self._page, self._first = page, number
        self._next = number + 1

    def finish(self) -> sequences.ChunkSequence:
        """Return the sequence of pages."""
        self._end_run()
        while self._steps:
            self._step()
        if self._draft.rows:
            self._close_page()
        while self._pages:
            self._lift()
        return self._sequence.finish()

    def _end_run(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            count = self._next - self._first
            self._do(functools.partial(self._take, page, self._first, self._next), count, is_ready=True)

    def _do(self, step: Callable[[], None], count: int, *, is_ready: bool) -> None:
        if is_ready and not self._steps:
            step()
            return
        self._steps.append((step, count))
        self._waiting += count
        while self._waiting > _WAITING:
            self._step()

    def _step(self) -> None:
        step, count = self._steps.popleft()
        self._waiting -= count
        step()

    def _append(self, entry: tree_entry.Entry, content: Content | None) -> None:
        chunks = entry.content if content is None else content()
        self._add(tree_entry.encode(entry, chunks), () if chunks is None else chunks.ids)

    def _add(self, row: tree_entry.Row, ids: Sequence[bytes]) -> None:
        self._draft.add(row, ids)
        if self._draft.size >= _MOST or (self._draft.rows >= _LEAST and self._is_end(row.name, row.inode)):
            self._close_page()

    def _take(self, page: tree_page.Page, start: int, end: int) -> None:
        """Add entries of a page of the base."""
        if end - start == page.rows and not self._draft.rows:
            self._add_page(_Stored([page.id]), page.length)
            return
        if self._draft.size + page.size(start, end) >= _MOST:
            for number in range(start, end):
                self._add(page.row(number), page.ids(number, number + 1))
            return
        while start < end:
            stop, is_end = self._next_end(page, start, end)
            self._draft.extend(page, start, stop)
            if is_end:
                self._close_page()
            start = stop

    def _next_end(self, page: tree_page.Page, start: int, end: int) -> tuple[int, bool]:
        """Return behind which of the entries this page ends, or how many there are if it does not end.

        An entry far enough into its own page has been asked there: it is an end only if it is the last one.
        """
        possible = start + max(0, _LEAST - 1 - self._draft.rows)
        asked = max(possible, page.rows - 1, _LEAST - 1)
        for number in itertools.chain(range(possible, min(end, _LEAST - 1)), range(asked, end)):
            if self._is_end(page.names[number], page.inodes[number]):
                return number + 1, True
        return end, False

    def _is_end(self, name: bytes, inode: int) -> bool:
        return not blake3.blake3(b"%d %b" % (inode, name), key=self._key).digest()[0] & _MASK

    def _close_page(self) -> None:
        node = self._draft.encode()
        self._draft = tree_page.Draft()
        self._add_page(self._sink.add([node], crypto.Kind.NODE), len(node))

    def _add_page(self, ids: sequences.Ids, length: int) -> None:
        self._pages.append((ids, length))
        if len(self._pages) > _WAITING_PAGES:
            self._lift()

    def _lift(self) -> None:
        ids, length = self._pages.popleft()
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
        RepositoryDamaged: If it is no page of entries.
        PermanentError: RT314 if the name of one could leave the directory.
    """
    return tree_page.Page(node).entries()
