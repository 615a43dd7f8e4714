"""A part of a tree: the entries that somebody chose, with the directories above them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import msgspec
from msgspec import structs

from runner.repository import exports, failures, reader, tree_entry, tree_listing
from runner.repository.tree_entry import Kind

# Told the path of an entry, and whether it is a directory.
Covers = Callable[[tree_entry.NamePath, bool], bool]


class Survey(msgspec.Struct, kw_only=True):
    """What a choice amounts to.

    Attributes:
        files: Files; their further names do not count.
        bytes: Length of the files, holes included.
        entries: How many entries were chosen, of whatever kind.
        elsewhere: First names, not chosen themselves, of files of which a further name was chosen.
    """

    files: int = 0
    bytes: int = 0
    entries: int = 0
    elsewhere: set[tree_entry.NamePath] = msgspec.field(default_factory=set)

    def count(self, file: tree_entry.Entry) -> None:
        """Count a file."""
        self.files += 1
        self.bytes += file.size


def survey(chunks: reader.Reader, manifest: exports.Manifest, covers: Covers) -> Survey:
    """Go over the list of entries once, without any content."""
    found = Survey()
    links: set[tree_entry.NamePath] = set()
    for path, entry in tree_listing.walk(chunks, manifest):
        if covers(path, entry.kind is Kind.DIRECTORY):
            found.entries += 1
            if entry.kind is Kind.FILE:
                found.count(entry)
            elif entry.kind is Kind.LINK:
                links.add(entry.link)
    for path, entry in tree_listing.walk(chunks, manifest) if links else ():
        if path in links and not covers(path, False):
            found.elsewhere.add(path)
            found.count(entry)
    return found


def chosen(
    chunks: reader.Reader, manifest: exports.Manifest, covers: Covers, surveyed: Survey
) -> Iterator[tree_entry.Entry]:
    """Yield what was chosen so that it can be built: directories above come first, and files before further names.

    Raises:
        RepositoryDamaged: If the list is not what was written.
    """
    above: list[tree_entry.Entry] = []
    made = 0  # how many of the directories above were yielded
    elsewhere: dict[tree_entry.NamePath, tree_entry.Entry] = {}
    moved: dict[tree_entry.NamePath, tree_entry.NamePath] = {}
    with contextlib.closing(tree_listing.walk(chunks, manifest)) as listed:
        for path, entry in listed:
            del above[entry.depth :]
            made = min(made, entry.depth)
            if path in surveyed.elsewhere:
                elsewhere[path] = entry
            is_directory = entry.kind is Kind.DIRECTORY
            if covers(path, is_directory):
                yield from above[made:]
                yield _at_home(path, entry, elsewhere, moved)
                made = entry.depth + is_directory
            if is_directory:
                above.append(entry)


def _at_home(
    path: tree_entry.NamePath,
    entry: tree_entry.Entry,
    elsewhere: dict[tree_entry.NamePath, tree_entry.Entry],
    moved: dict[tree_entry.NamePath, tree_entry.NamePath],
) -> tree_entry.Entry:
    """Let the first chosen name of a file be the file, if the name where it lies was not chosen."""
    if entry.kind is not Kind.LINK or entry.link not in elsewhere:
        return entry
    if entry.link in moved:
        return structs.replace(entry, link=moved[entry.link])
    file = elsewhere[entry.link]
    if file.kind is Kind.LINK:
        raise failures.damaged("a list of entries", "a name leads to a name that leads elsewhere")
    moved[entry.link] = path
    return structs.replace(file, depth=entry.depth, name=entry.name)
