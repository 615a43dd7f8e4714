"""The list of an older export beside the walk: what is as it was is kept in the form in which it is stored.

The list is read page by page, and of an entry no more is looked at than a comparison with `lstat` needs.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import Final, TypeAlias

from runner.repository import sequences, tree_page
from runner.repository.tree_entry import Facts

# A page, and the number of an entry in it.
Place: TypeAlias = "tuple[tree_page.Page, int]"

# How many of the facts of an entry tell whether a file has the content that it had.
_CONTENT: Final = 4


def pages(source: sequences.Source, sequence: sequences.ChunkSequence) -> Generator[tree_page.Page, None, None]:
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
        yield tree_page.Page(node, asked.popleft())


def facts_of(facts: os.stat_result, owner: tuple[str, str]) -> Facts:
    """Return what the list says of a file whose `lstat` and whose names of owner and group are these."""
    return (
        facts.st_ctime_ns,
        facts.st_ino,
        facts.st_mtime_ns,
        facts.st_size,
        facts.st_mode,
        facts.st_uid,
        facts.st_gid,
        *owner,
    )


def has_same_content(old: Facts, new: Facts) -> bool:
    """Tell whether a file has the content that it had; its `ctime` is 0 in the list when nobody can tell.

    The same goes for its extended attributes: to change one sets `ctime`, as every other change does.
    """
    return old[:_CONTENT] == new[:_CONTENT] and old[0] != 0 and stat.S_ISREG(old[_CONTENT])


class BaseEntries:
    """Finds the entries of a list while a walk goes over the same roots in the same order."""

    def __init__(self, pages: Iterator[tree_page.Page]) -> None:
        self._pages = pages
        self._page: tree_page.Page | None = None
        self._depths: Sequence[int] = ()
        self._names: Sequence[bytes] = ()
        self._next = 0

    def find(self, depth: int, name: bytes) -> Place | None:
        """Return where the entry of a name stands in the directory where the walk is.

        To be called for every entry of the walk in order. In a directory that the list has not, nothing is found: what
        comes next in the list then stands less deep.

        Args:
            depth: How deep the directory is, 0 for the one that holds the roots.
            name: The name.
        """
        while (page := self._current()) is not None:
            number = self._next
            listed = self._depths[number]
            if listed < depth:
                return None
            if listed == depth and self._names[number] >= name:
                if self._names[number] != name:
                    return None
                self._next += 1
                return page, number
            self._next += 1
        return None

    def _current(self) -> tree_page.Page | None:
        while self._next == len(self._depths):
            self._page = next(self._pages, None)
            if self._page is None:
                self._depths = self._names = ()
                self._next = 0
                return None
            self._depths, self._names, self._next = self._page.depths, self._page.names, 0
        return self._page
