"""A page of the list of a tree: a node that holds entries as a table, whose columns are arrays.

A table is read and written several times as fast as a map for each entry, and what an older page holds is compared with
`lstat`, and goes into a new one, without being looked at any closer.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

from runner.registry.location import Buffer
from runner.repository import encoding, failures, nodes, tree_entry
from runner.repository.tree_entry import Row

_TYPES = tuple(get_type_hints(Row).values())
_NUMBERS = {name: number for number, name in enumerate(Row._fields)}
# Roughly what an entry takes beside its name and what stands in `rest`.
_ROW_SIZE = 64

Column = Sequence[Any]


class Page:
    """A page as it is stored.

    Args:
        node: The node.
        chunk: Its id, where it is known.

    Attributes:
        id: The id of the node.
        length: Its length in bytes.
        columns: What it holds, in the order of the fields of a row.
        rows: How many entries these are.

    Raises:
        RepositoryDamaged: If the node is no page.
    """

    def __init__(self, node: Buffer, chunk: bytes = b"") -> None:
        self.id = chunk
        self.length = len(node)
        self._ids, table = nodes.decode(node)
        self.columns = _columns(table)
        self.rows = len(self.names)
        self._starts = list(itertools.accumulate(self._column("ids"), initial=0))
        if self._starts[-1] != len(self._ids):
            raise _malformed()

    def _column(self, name: str) -> Column:
        return self.columns[_NUMBERS[name]]

    @property
    def names(self) -> Sequence[bytes]:
        """The names of the entries."""
        return self._column("name")

    @property
    def depths(self) -> Sequence[int]:
        """How deep the entries stand."""
        return self._column("depth")

    @property
    def inodes(self) -> Sequence[int]:
        """Where the file system had the files."""
        return self._column("inode")

    @functools.cached_property
    def facts(self) -> Sequence[tree_entry.Facts]:
        """What tells of each entry whether it is as it was."""
        return list(zip(*map(self._column, tree_entry.FACTS), strict=True))

    def row(self, number: int) -> Row:
        """Return an entry as it stands in the table."""
        return Row._make([column[number] for column in self.columns])

    def ids(self, start: int, end: int) -> list[bytes]:
        """Return the ids that the contents of some entries take."""
        return self._ids[self._starts[start] : self._starts[end]]

    def size(self, start: int, end: int) -> int:
        """Return about how many bytes some entries take."""
        return _size(self.names[start:end], self._column("rest")[start:end])

    def entry(self, number: int) -> tree_entry.Entry:
        """Read an entry.

        Raises:
            RepositoryDamaged: If it is none.
            PermanentError: RT314 if its name could leave the directory.
        """
        return tree_entry.decode(self.row(number), self.ids(number, number + 1))

    def entries(self) -> Iterator[tree_entry.Entry]:
        """Read all entries; raises as `entry` does."""
        return map(self.entry, range(self.rows))


def _columns(table: object) -> Sequence[Column]:
    if not isinstance(table, dict) or table.keys() != set(Row._fields):
        raise _malformed()
    columns = [table[name] for name in Row._fields]
    lengths = set()
    for column, kind in zip(columns, _TYPES, strict=True):
        if not isinstance(column, list) or not set(map(type, column)) <= {kind}:
            raise _malformed()
        lengths.add(len(column))
    if len(lengths) != 1 or min(table["depth"] + table["ids"], default=0) < 0:
        raise _malformed()
    return columns


def _malformed() -> failures.RepositoryDamaged:
    return failures.damaged("a list of entries", "it has another form than it should")


def _size(names: Sequence[bytes], rests: Sequence[bytes]) -> int:
    return _ROW_SIZE * len(names) + sum(map(len, names)) + sum(map(len, rests))


class Draft:
    """A page that is being written.

    Attributes:
        size: About how many bytes it takes.
    """

    def __init__(self) -> None:
        self._columns: list[list[Any]] = [[] for _ in Row._fields]
        self._ids: list[bytes] = []
        self.rows = 0
        self.size = 0

    def add(self, row: Row, ids: Sequence[bytes]) -> None:
        """Add an entry, with the ids that its content takes."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self._ids += ids
        self.rows += 1
        self.size += _size((row.name,), (row.rest,))

    def extend(self, page: Page, start: int, end: int) -> None:
        """Add entries of another page."""
        for column, other in zip(self._columns, page.columns, strict=True):
            column += other[start:end]
        self._ids += page.ids(start, end)
        self.rows += end - start
        self.size += page.size(start, end)

    def encode(self) -> bytes:
        """Return the node."""
        return nodes.join(self._ids, encoding.encode_sorted(dict(zip(Row._fields, self._columns, strict=True))))
