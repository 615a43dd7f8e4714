"""The list of an older export beside the walk: what is as it was is kept in the form in which it is stored.

The list is read page by page (a page is a node of entries), and of an entry no more is looked at than a comparison with
`lstat` needs.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.registry.location import Buffer
from runner.repository import encoding, failures, nodes, sequences, tree_entry, tree_metadata

Value = Mapping[str, Any]


class Page:
    """A node of entries as it is stored.

    Attributes:
        id: The id of the node.
        length: Its length in bytes.
        values: Its entries, decoded but not looked at.
    """

    def __init__(self, chunk: bytes, node: Buffer) -> None:
        self.id = chunk
        self.length = len(node)
        self._ids, values = nodes.decode(node)
        if not isinstance(values, list):
            raise _malformed()
        self.values: Sequence[Value] = values
        self._starts: list[int] | None = None

    def encoded(self, number: int) -> bytes:
        """Return an entry as it stands in the node."""
        return encoding.encode_sorted(self.values[number])

    def ids(self, number: int) -> list[bytes]:
        """Return the ids that the content of an entry takes."""
        if self._starts is None:
            self._starts = self._find_starts()
        return self._ids[self._starts[number] : self._starts[number + 1]]

    def entry(self, number: int) -> tree_entry.Entry:
        """Read an entry."""
        return tree_entry.from_cbor(self.values[number], iter(self.ids(number)))

    def _find_starts(self) -> list[int]:
        found = [0]
        try:
            for value in self.values:
                lengths = value["content"][1] if "content" in value else ()
                found.append(found[-1] + len([length for length in lengths if length > 0]))
        except (LookupError, TypeError) as problem:
            raise _malformed() from problem
        if found[-1] != len(self._ids):
            raise _malformed()
        return found


def _malformed() -> failures.RepositoryDamaged:
    return failures.damaged("a list of entries", "it has another form than it should")


def pages(source: sequences.Source, sequence: sequences.ChunkSequence) -> Iterator[Page]:
    """Yield the pages of a list in order.

    Raises:
        RepositoryDamaged: If one is missing or not what was written.
    """
    asked: deque[bytes] = deque()

    def ask() -> Iterator[bytes]:
        for chunk in sequences.chunks(source, sequence):
            asked.append(chunk)
            yield chunk

    for node in source.read(ask()):
        yield Page(asked.popleft(), node)


def is_unchanged(old: Value, facts: os.stat_result) -> bool:
    """Tell whether a file has the content that the list says; its `ctime` is 0 there when nobody can tell."""
    get = old.get
    if get("type") != "file" or not get("ctime"):
        return False
    return (get("ctime"), get("inode"), get("mtime"), get("size")) == (
        facts.st_ctime_ns,
        facts.st_ino,
        facts.st_mtime_ns,
        facts.st_size,
    )


def is_as_listed(old: Value, facts: os.stat_result, metadata: tree_metadata.MetadataReader) -> bool:
    """Tell whether an unchanged file has the metadata that the list says.

    Extended attributes are not read: to change one sets `ctime`, as every other change does.
    """
    get = old.get
    return (get("mode"), get("uid"), get("gid"), get("user"), get("group")) == (
        stat.S_IMODE(facts.st_mode),
        facts.st_uid,
        facts.st_gid,
        *metadata.owner(facts),
    )


class BaseEntries:
    """Finds the entries of a list while a walk goes over the same roots in the same order."""

    def __init__(self, pages: Iterator[Page]) -> None:
        self._pages = pages
        self._values: Sequence[Value] = ()
        self._current: Value | None = None
        self._page: Page | None = None
        self._number = -1
        self._found: tuple[Page | None, int] = (None, -1)
        self._advance()

    @property
    def place(self) -> tuple[Page, int]:
        """Where the entry stands that was found last: its page, and its number there."""
        page, number = self._found
        if page is None:
            raise AssertionError("nothing was found")
        return page, number

    def find(self, depth: int, name: bytes) -> Value | None:
        """Return the entry of a name in the directory where the walk is.

        To be called for every entry of the walk in order. In a directory that the list has not, nothing is found: what
        comes next in the list then stands less deep.

        Args:
            depth: How deep the directory is, 0 for the one that holds the roots.
            name: The name.
        """
        try:
            while (current := self._current) is not None and current["depth"] >= depth:
                if current["depth"] == depth and current["name"] >= name:
                    if current["name"] != name:
                        return None
                    self._found = self._page, self._number
                    self._advance()
                    return current
                self._advance()
        except (LookupError, TypeError) as problem:
            raise _malformed() from problem
        return None

    def _advance(self) -> None:
        self._number += 1
        while self._number == len(self._values):
            self._page = next(self._pages, None)
            if self._page is None:
                self._current = None
                return
            self._values, self._number = self._page.values, 0
        self._current = self._values[self._number]
