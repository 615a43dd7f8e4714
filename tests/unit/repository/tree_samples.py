"""Trees of files for tests, and an account of what is there that shares nothing with the code under test."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import ids, temporary
from runner.locations import memory
from runner.repository import (
    access,
    exports,
    keyslots,
    repository,
    sequences,
    tree_capture,
    tree_compare,
    tree_entries,
    tree_entry,
    tree_restore,
    tree_walk,
)
from runner.repository.tree_entry import Kind

CHEAP = keyslots.KdfCost(memory_kib=8, iterations=1, lanes=1)


def new_repository(clock: clocks.Clock | None = None) -> repository.Repository:
    """Make a repository in memory; with a clock far from the machine's own, no file ever looks new."""
    return access.create(memory.Memory(), "passphrase", clock=clock or clocks.SystemClock(), kdf=CHEAP)


@dataclass
class Bench:
    """A repository and short calls of the functions under test; collects the warnings."""

    scratch: Path
    repo: repository.Repository = field(default_factory=new_repository)
    warnings: list[str] = field(default_factory=list)
    cancel: cancels.CancelToken = field(default_factory=cancels.CancelToken)
    calls: int = 0

    def backup(
        self,
        *roots: Path,
        token: str | None = None,
        base: ids.ExportId | None = None,
        exclude: tuple[str, ...] = (),
        unreadable: tree_walk.Unreadable = tree_walk.Unreadable.FAIL,
    ) -> exports.ExportResult:
        self.calls += 1
        return tree_capture.backup_tree(
            self.repo,
            tree_walk.Scope(roots=roots, exclude=exclude, unreadable=unreadable),
            source="files",
            token=token or ids.token(str(self.calls)),
            base=base,
            cancel=self.cancel,
            progress=lambda _: None,
            warn=self.warnings.append,
        )

    def restore(
        self, export: ids.ExportId, target: Path, *, overwrite: bool = False, token: str = "t" * 32
    ) -> tree_restore.Restored:
        return tree_restore.restore_tree(
            self.repo,
            export,
            target,
            token=token,
            record=self.scratch / f"record-{token}",
            overwrite=overwrite,
            cancel=self.cancel,
            progress=lambda _: None,
            warn=self.warnings.append,
        )


def account(top: Path) -> dict[bytes, Mapping[str, object]]:
    """Describe everything below a directory, and the directory's own metadata under the empty name."""
    found: dict[bytes, Mapping[str, object]] = {}
    names_of: defaultdict[tuple[int, int], list[bytes]] = defaultdict(list)
    base = os.fsencode(top)
    for directory, names, others in os.walk(base):
        for name in [b"", *sorted(names), *sorted(others)] if directory == base else sorted(names) + sorted(others):
            place = os.path.join(directory, name) if name else directory
            relative = os.path.relpath(place, base) if name else b""
            facts = os.lstat(place)
            found[relative] = _describe(place, facts)
            if not stat.S_ISDIR(facts.st_mode):
                names_of[facts.st_dev, facts.st_ino].append(relative)
    for group in names_of.values():
        for relative in group:
            found[relative] = {**found[relative], "names": sorted(group)}
    return found


def _describe(place: bytes, facts: os.stat_result) -> Mapping[str, object]:
    described: dict[str, object] = {
        "mode": oct(facts.st_mode),
        "owner": (facts.st_uid, facts.st_gid),
        "mtime": facts.st_mtime_ns,
        "xattrs": {
            name: os.getxattr(place, name, follow_symlinks=False)
            for name in sorted(os.listxattr(place, follow_symlinks=False))
        },
    }
    if stat.S_ISREG(facts.st_mode):
        with open(place, "rb") as file:
            described["content"] = file.read()
        described["holes"] = _holes(place, facts.st_size)
    elif stat.S_ISLNK(facts.st_mode):
        described["target"] = os.readlink(place)
    elif stat.S_ISBLK(facts.st_mode) or stat.S_ISCHR(facts.st_mode):
        described["device"] = facts.st_rdev
    return described


def _holes(place: bytes, size: int) -> list[tuple[int, int]]:
    found = []
    with open(place, "rb") as file:
        position = 0
        while position < size:
            start = os.lseek(file.fileno(), position, os.SEEK_HOLE)
            if start >= size:
                break
            try:
                position = os.lseek(file.fileno(), start, os.SEEK_DATA)
            except OSError:
                position = size
            found.append((start, position))
    return found


def can_set_xattrs(directory: Path) -> bool:
    probe = directory / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.probe", b"1")
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


def verify(bench: Bench, export: ids.ExportId) -> tree_restore.Restored:
    scratch = bench.scratch / "scratch"
    scratch.mkdir(exist_ok=True)
    space = temporary.TemporarySpace().share("the scratch restore")
    return tree_compare.verify_tree(
        bench.repo, export, scratch, space=space, cancel=bench.cancel, progress=lambda _: None
    )


def entry(depth: int, name: bytes, kind: Kind, **facts: object) -> tree_entry.Entry:
    metadata = tree_entry.Metadata(mode=0o755, uid=os.getuid(), gid=os.getgid(), mtime=1)
    made = tree_entry.Entry(depth=depth, name=name, kind=kind, metadata=metadata)
    if kind is Kind.FILE:
        made = structs.replace(made, content=sequences.ChunkSequence(level=0, items=()))
    return structs.replace(made, **facts)


def forge(repo: repository.Repository, entries: list[tree_entry.Entry]) -> ids.ExportId:
    """Make an export that the runner would never make."""
    with repo.writer(token="forged", cancel=cancels.CancelToken()) as sink:
        writer = tree_entries.EntryWriter(sink, bytes(32))
        for made in entries:
            writer.append(made)
        top = writer.finish()
        return sink.finish(
            {
                "kind": "tree",
                "source": "forged",
                "roots": list(top.ids),
                "body": {"entries": top.to_cbor(), "names": [b"root"]},
                "facts": {},
            }
        )


class Meddling(cancels.CancelToken):
    """A token that calls a function whenever somebody looks at it, which is between any two steps."""

    def __init__(self, meddle: Callable[[], None]) -> None:
        super().__init__()
        self._meddle = meddle

    def raise_if_cancelled(self) -> None:
        super().raise_if_cancelled()
        self._meddle()
