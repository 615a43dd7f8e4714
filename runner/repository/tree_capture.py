"""Back up a tree of files: walk, read what changed, and store content and entries."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec import structs

from runner.base import cancel as cancels
from runner.base import ids
from runner.repository import (
    bases,
    chunking,
    contents,
    exports,
    tree_base,
    tree_entries,
    tree_entry,
    tree_metadata,
    tree_page,
    tree_walk,
    writer,
)

if TYPE_CHECKING:
    from runner.repository.repository import Repository

Progress = Callable[[int], None]

# A file whose change time is younger than this when it is read may change again without a trace in its times: the
# kernel counts them in ticks of up to 10 ms.
_TICK_NS = 100_000_000
_REPORTED_BYTES = 1024 * 1024


def backup_tree(
    repo: Repository,
    scope: tree_walk.Scope,
    *,
    source: str,
    token: str,
    base: ids.ExportId | None = None,
    run: str = "",
    cancel: cancels.CancelToken,
    progress: Progress,
    warn: tree_walk.Warn,
) -> exports.ExportResult:
    """Capture files with their metadata as one export.

    With a base, a file whose size, times and inode are those of the base is taken from there without being read. A
    file that changes while it is read is captured as it was read, with a warning. A base that is gone or damaged is
    done without: then all files are read.

    Args:
        repo: Where the export is made.
        scope: What is captured.
        source: What the manifest says it is an export of.
        token: Token of the phase.
        base: An older export of the same source.
        run: The run, shown to others who find the repository locked.
        cancel: Says when to give up.
        progress: Called with the bytes that are done.
        warn: Called with a sentence for each thing that is not as it should be.

    Raises:
        PermanentError: RT315 for a missing root, RT313 for an unreadable file.
    """
    said: set[str] = set()

    def warn_once(sentence: str) -> None:
        # A walk that begins anew, because the base is damaged, meets what the first one has met.
        if sentence not in said:
            said.add(sentence)
            warn(sentence)

    with repo.writer(token=token, cancel=cancel, run=run) as sink:

        def capture(parent: exports.Manifest | None, reason: str) -> _Capture:
            with closing(_pages_of(repo, parent)) as pages:
                work = _Capture(repo, sink, tree_base.BaseEntries(pages), reason, cancel, progress, warn_once)
                tree_walk.Walk(scope, work.visit, cancel=cancel, warn=warn_once).run()
            return work

        return bases.build(repo, base, capture, warn).finish(source, scope)


def _pages_of(repo: Repository, manifest: exports.Manifest | None) -> Generator[tree_page.Page, None, None]:
    """Yield the list of the base; without one all files are read."""
    if manifest is not None and manifest.kind == tree_entries.KIND:
        for page in tree_base.pages(repo.reader(), tree_entries.nodes_of(manifest)):
            # What is damaged is noticed before the end of the walk.
            repo.index.damage.refuse()
            yield page


class _Capture:
    """What is collected during one walk; `baseless` says why it has no base, if it has none."""

    def __init__(
        self,
        repo: Repository,
        sink: writer.Writer,
        base: tree_base.BaseEntries,
        baseless: str,
        cancel: cancels.CancelToken,
        progress: Progress,
        warn: tree_walk.Warn,
    ) -> None:
        self._sink = sink
        self._base = base
        self._baseless = baseless
        self._clock = repo.clock
        self._progress = progress
        self._warn = warn
        self._entries = tree_entries.EntryWriter(sink, repo.derive_seed("tree entries", 256).to_bytes(32, "big"))
        self._contents = contents.ContentStore(
            sink, seed=repo.derive_seed(chunking.PURPOSE), cancel=cancel, count=self._count
        )
        self._metadata = tree_metadata.MetadataReader()
        self._files = 0
        self._unchanged = 0
        self._bytes = 0
        self._read = 0
        self._reported = 0
        self._now_ns = 0

    def visit(self, visited: tree_walk.Visited) -> None:
        """Capture one entry."""
        old = self._base.find(len(visited.above), visited.stored)
        if visited.kind is not tree_entry.Kind.FILE:
            self._describe(visited, old)
            return
        self._files += 1
        if old is None or not self._keep(visited, old):
            self._read_file(visited)

    def finish(self, source: str, scope: tree_walk.Scope) -> exports.ExportResult:
        """Make the export."""
        top = self._entries.finish()
        self._sink.stats.bytes_read = self._read
        self._progress(self._read)
        export = self._sink.finish(
            {
                "kind": tree_entries.KIND,
                "source": source,
                "roots": list(top.ids),
                "body": {"entries": top.to_cbor(), "names": list(tree_walk.named_roots(scope.roots))},
                "facts": {"files": self._files, "unchanged": self._unchanged, "bytes": self._bytes},
            }
        )
        stats = self._sink.stats
        return exports.ExportResult(
            export=export,
            bytes_read=stats.bytes_read,
            bytes_new=stats.bytes_new,
            bytes_stored=stats.bytes_stored,
            method="full" if self._baseless else "changed",
            reason=self._baseless or f"{self._unchanged} of {self._files} files are as in the earlier export",
        )

    def _describe(self, visited: tree_walk.Visited, old: tree_base.Place | None) -> None:
        entry = visited.describe(self._metadata)
        if old is not None and old[0].row(old[1]) == tree_entry.encode(entry, None):
            self._entries.keep(old)
        else:
            self._entries.append(entry)

    def _keep(self, visited: tree_walk.Visited, place: tree_base.Place) -> bool:
        """Take a file from the base; tell whether that was possible."""
        page, number = place
        old, new = page.facts[number], tree_base.facts_of(visited.facts, self._metadata.owner(visited.facts))
        if not tree_base.has_same_content(old, new):
            return False
        self._unchanged += 1
        self._bytes += visited.facts.st_size
        if old == new:
            self._entries.keep(place)
        else:
            before = page.entry(number)
            entry = visited.describe(self._metadata)
            self._entries.append(structs.replace(entry, content=before.content, hash=before.hash))
        return True

    def _read_file(self, visited: tree_walk.Visited) -> None:
        facts = visited.facts
        # Whatever happens to the file after this moment shows in its `ctime`, unless that is too near.
        is_new = self._is_new(facts.st_ctime_ns)
        descriptor = visited.open()
        try:
            metadata = self._metadata.read(descriptor, facts)
            stored = self._contents.store(descriptor, facts)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if tree_walk.moments(facts) != tree_walk.moments(after) or stored.size != facts.st_size:
            self._warn(f"{tree_entry.show(visited.path)} changed while it was read")
        entry = tree_entry.Entry(
            depth=len(visited.above),
            name=visited.stored,
            kind=tree_entry.Kind.FILE,
            metadata=metadata,
            size=stored.size,
            hash=stored.hash,
            ctime=0 if is_new else facts.st_ctime_ns,
            inode=facts.st_ino,
        )
        self._entries.append(entry, stored.content)
        self._bytes += stored.size

    def _is_new(self, ctime_ns: int) -> bool:
        """Tell whether a change time is that of right now; the clock is asked only if it was not seen to be past."""
        if ctime_ns > self._now_ns - _TICK_NS:
            self._now_ns = int(self._clock.now().timestamp() * 1e9)
        return abs(self._now_ns - ctime_ns) < _TICK_NS

    def _count(self, count: int) -> None:
        self._read += count
        if self._read - self._reported >= _REPORTED_BYTES:
            self._reported = self._read
            self._progress(self._read)
