"""What differs between two exports of trees; parts of the lists that are the same in both are not read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import msgspec

from runner.repository import exports, reader, sequences, tree_entries, tree_entry, tree_restore
from runner.repository.tree_entry import Kind

_CACHED_NODES = 64


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that only one of the trees has, or that is another one.

    Attributes:
        before: The entry in the older tree; None if it was added.
        after: The entry in the newer tree; None if it was removed.
        what: What changed: `type`, `content`, `target`, `link`, `device`, `mode`, `owner`, `xattrs`, `modified`.
    """

    path: tree_entry.NamePath
    before: tree_entry.Entry | None
    after: tree_entry.Entry | None
    what: tuple[str, ...] = ()


def changes(chunks: reader.Reader, older: exports.Manifest, newer: exports.Manifest) -> Iterator[Change]:
    """Yield what differs, in the order of a walk over both trees.

    The time at which a directory was modified is not compared: it tells only that names in it changed, and these are
    yielded themselves.

    Raises:
        PermanentError: RT417 if one of the exports is not one of a tree.
        RepositoryDamaged: If something of the lists is missing or not what was written.
    """
    # Where both passed over the same nodes, both look into them to find out where they are.
    fetch = functools.lru_cache(_CACHED_NODES)(chunks.chunk)
    old, new = _Side(chunks, older, fetch), _Side(chunks, newer, fetch)
    while True:
        # Both are between nodes only at the start and behind an entry that both have, for whoever falls behind is
        # peeked at; so equal nodes that follow stand below the same directories.
        if old.next_node is not None and old.next_node == new.next_node:
            old.skip()
            new.skip()
            continue
        before, after = old.peek(), new.peek()
        if before is None and after is None:
            return
        first = min(path for path, _ in filter(None, (before, after)))
        gone = old.pop() if before is not None and before[0] == first else None
        come = new.pop() if after is not None and after[0] == first else None
        what = () if gone is None or come is None else differences(gone, come)
        if what or gone is None or come is None:
            yield Change(path=first, before=gone, after=come, what=what)


def differences(before: tree_entry.Entry, after: tree_entry.Entry) -> tuple[str, ...]:
    """Say in words what differs between two entries of the same name."""
    if before.kind is not after.kind:
        return ("type",)
    found = {
        "content": (before.size, before.hash) != (after.size, after.hash),
        "target": before.target != after.target,
        "link": before.link != after.link,
        "device": before.device != after.device,
    }
    old, new = before.metadata, after.metadata
    if old is not None and new is not None:
        found |= {
            "mode": old.mode != new.mode,
            "owner": (old.uid, old.gid) != (new.uid, new.gid),
            "xattrs": old.xattrs != new.xattrs,
            "modified": old.mtime != new.mtime and before.kind is not Kind.DIRECTORY,
        }
    return tuple(name for name, differs in found.items() if differs)


class _Side:
    """The entries of one export, node by node."""

    def __init__(self, chunks: reader.Reader, manifest: exports.Manifest, fetch: Callable[[bytes], bytes]) -> None:
        self._fetch = fetch
        self._roots = tree_restore.names_of(manifest)
        self._nodes = list(sequences.chunks(chunks, tree_entries.nodes_of(manifest)))
        self._number = 0
        self._left: list[tree_entry.Entry] = []
        self._path: tree_entry.NamePath | None = ()
        # Up to this node the way is known; what is looked up once is never read backwards again.
        self._anchor: tuple[int, tree_entry.NamePath] = (0, ())

    @property
    def next_node(self) -> bytes | None:
        """The id of the node that comes next; None within a node and at the end."""
        return self._nodes[self._number] if not self._left and self._number < len(self._nodes) else None

    def skip(self) -> None:
        """Pass over the next node; where it led is found out when somebody wants to know."""
        if self._path is not None:
            self._anchor = (self._number, self._path)
        self._number += 1
        self._path = None

    def peek(self) -> tuple[tree_entry.NamePath, tree_entry.Entry] | None:
        """Return the next entry and its path, or None at the end."""
        while not self._left:
            if self._number == len(self._nodes):
                return None
            self._left = self._read(self._number)[::-1]
            if self._left and self._path is None:
                self._path = self._above(self._left[-1].depth)
            self._number += 1
        entry = self._left[-1]
        return (*(self._path or ())[: entry.depth], entry.name), entry

    def pop(self) -> tree_entry.Entry:
        """Take the entry that was peeked at."""
        entry = self._left.pop()
        self._path = (*(self._path or ())[: entry.depth], entry.name)
        return entry

    def _read(self, number: int) -> list[tree_entry.Entry]:
        return list(tree_entries.entries_of(self._fetch(self._nodes[number])))

    def _above(self, depth: int) -> tree_entry.NamePath:
        """Return the directories above the next entry, from the nodes before it."""
        names: list[bytes] = []
        missing, number = depth, self._number
        while missing > 0 and number > self._anchor[0] and not (missing == 1 and len(self._roots) == 1):
            number -= 1
            for entry in reversed(self._read(number)):
                if entry.depth == missing - 1:
                    names.append(entry.name)
                    missing -= 1
        beginning = tuple(self._roots) if missing == 1 == len(self._roots) else self._anchor[1][:missing]
        path = (*beginning, *reversed(names))
        self._anchor = (self._number, path)
        return path
