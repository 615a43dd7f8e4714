"""Differences of exports are those of what was exported, whatever is skipped on the way."""

from __future__ import annotations

import random

import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base import cancel
from runner.repository import (
    exports,
    reader,
    repository,
    sequences,
    stream_diff,
    tree_diff,
    tree_entries,
    tree_entry,
    volume_diff,
)
from runner.repository.tree_entry import Kind
from runner.repository.volume_diff import How
from tests.property.test_volumes import BLOCK, MIB, Image, export
from tests.unit.repository import making, tree_samples
from tests.unit.repository.test_streams import backup

Tree = dict[tree_entry.NamePath, int]

SEED = bytes(32)


def tree_export(repo: repository.Repository, token: str, tree: Tree) -> exports.Manifest:
    """Make an export of paths, of which those that are a beginning of others are directories."""
    with repo.writer(token=token, cancel=cancel.CancelToken()) as sink:
        writer = tree_entries.EntryWriter(sink, SEED)
        directories = {path[:depth] for path in tree for depth in range(1, len(path))}
        for path in sorted(directories | set(tree)):
            kind = Kind.DIRECTORY if path in directories else Kind.FILE
            metadata = tree_entry.Metadata(mode=0o600, uid=0, gid=0, mtime=1)
            made = tree_entry.Entry(depth=len(path) - 1, name=path[-1], kind=kind, metadata=metadata)
            writer.append(made if kind is Kind.DIRECTORY else filled(made, tree[path]))
        top = writer.finish()
        made_export = sink.finish(
            {
                "kind": "tree",
                "source": "x",
                "roots": list(top.ids),
                "body": {"entries": top.to_cbor(), "names": sorted({path[0] for path in tree})},
                "facts": {},
            }
        )
    return repo.manifest(made_export)


def filled(entry: tree_entry.Entry, version: int) -> tree_entry.Entry:
    empty = sequences.ChunkSequence(level=0, items=())
    return tree_entry.Entry(
        depth=entry.depth,
        name=entry.name,
        kind=entry.kind,
        metadata=entry.metadata,
        size=version,
        content=empty,
        hash=blake3.blake3(str(version).encode()).digest(),
    )


def with_directories(tree: Tree) -> dict[tree_entry.NamePath, int | None]:
    directories = {path[:depth] for path in tree for depth in range(1, len(path))}
    return dict.fromkeys(directories) | {path: version for path, version in tree.items() if path not in directories}


def expected(before: Tree, after: Tree) -> set[tuple[tree_entry.NamePath, str]]:
    old, new = with_directories(before), with_directories(after)
    gone = {(path, "removed") for path in old.keys() - new.keys()}
    come = {(path, "added") for path in new.keys() - old.keys()}
    return gone | come | {(path, "changed") for path in old.keys() & new.keys() if old[path] != new[path]}


def found(
    repo: repository.Repository, before: exports.Manifest, after: exports.Manifest
) -> set[tuple[tree_entry.NamePath, str]]:
    changes = list(tree_diff.changes(repo.reader(), before, after))
    assert [change.path for change in changes] == sorted(change.path for change in changes)
    return {
        (change.path, "added" if change.before is None else "removed" if change.after is None else "changed")
        for change in changes
    }


NAMES = st.lists(st.sampled_from([b"a", b"b", b"a.b", b"c"]), min_size=1, max_size=4).map(tuple)
TREES = st.dictionaries(NAMES, st.integers(1, 3), max_size=12)


@settings(max_examples=40)
@given(TREES, TREES)
def test_small_trees(before: Tree, after: Tree) -> None:
    repo = making.make()
    assert found(repo, tree_export(repo, "a", before), tree_export(repo, "b", after)) == expected(before, after)


def large_tree(*roots: bytes) -> Tree:
    return {
        (root, b"d%02d" % directory, b"file-%03d" % number): 1
        for root in roots
        for directory in range(16)
        for number in range(120)
    }


def test_large_trees_of_which_little_changed() -> None:
    repo, draw = making.make(), random.Random(4)
    before = large_tree(b"one", b"root")
    first = tree_export(repo, "first", before)
    for number in range(6):
        after = dict(before)
        for path in draw.sample(sorted(before), 3):
            match draw.randrange(4):
                case 0:
                    del after[path]
                case 1:
                    after[path] = 2
                case 2:
                    after[(*path[:-1], path[-1] + b"x")] = 1
                case 3:  # a directory gets another name, and so does all that is in it
                    after = {
                        (key[0], b"e" + key[1], *key[2:]) if key[1] == path[1] else key: version
                        for key, version in after.items()
                    }
        assert found(repo, first, tree_export(repo, f"t{number}", after)) == expected(before, after)


class Counting(reader.Reader):
    asked = 0

    def chunk(self, chunk: bytes) -> bytes:
        self.asked += 1
        return super().chunk(chunk)


def test_what_is_equal_is_not_read() -> None:
    repo = making.make()
    before = large_tree(b"root")
    after = before | {(b"root", b"d07", b"file-100x"): 1}
    first, second = tree_export(repo, "a", before), tree_export(repo, "b", after)
    chunks = Counting(repo.location, repo.keys, repo.index)
    nodes = list(sequences.chunks(chunks, tree_entries.nodes_of(first)))
    assert len(list(tree_diff.changes(chunks, first, second))) == 1
    assert len(nodes) > 12
    assert chunks.asked <= 8


BLOCKS = st.dictionaries(st.integers(0, 1599), st.integers(1, 2), max_size=8)


@settings(max_examples=40)
@given(BLOCKS, BLOCKS, st.sampled_from([(6, 6), (6, 100), (100, 6), (100, 100)]))
def test_volumes(before: dict[int, int], after: dict[int, int], sizes: tuple[int, int]) -> None:
    repo = making.make()
    disks = [
        Image(size * MIB, {n: bytes([v]) * BLOCK for n, v in blocks.items() if n * BLOCK < size * MIB})
        for size, blocks in zip(sizes, (before, after), strict=True)
    ]
    first, second = (repo.manifest(export(repo, disk, str(n)).export) for n, disk in enumerate(disks))
    assert disks[0].size_bytes == sizes[0] * MIB
    stretches = list(volume_diff.stretches(repo.reader(), first, second))
    got: dict[int, How] = {}
    per = 65536 // BLOCK
    for stretch in stretches:
        assert stretch.offset % 65536 == 0
        got |= {stretch.offset // 65536 + n: stretch.how for n in range(-(-stretch.length // 65536))}
    wanted: dict[int, How] = {}
    for number in range(100 * MIB // 65536):
        old, new = ([disk.blocks.get(number * per + n) for n in range(per)] for disk in disks)
        if old != new:
            wanted[number] = How.ZEROED if not any(new) else How.CHANGED if any(old) else How.WRITTEN
    assert got == wanted


def test_streams() -> None:
    repo = tree_samples.new_repository()
    data = random.Random(1).randbytes(6_000_000)
    changed = data[:3_000_000] + b"something new" + data[3_000_000:]
    first, second, third = (
        repo.manifest(backup(repo, each, name)) for name, each in (("a", data), ("b", changed), ("c", b"short"))
    )
    chunks = repo.reader()
    assert stream_diff.bytes_only_in(chunks, first, first) == 0
    assert 13 < stream_diff.bytes_only_in(chunks, second, first) < 1_200_000
    assert stream_diff.bytes_only_in(chunks, third, first) == 5
    assert stream_diff.bytes_only_in(chunks, first, third) == len(data)
