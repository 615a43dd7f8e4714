"""The earlier export that a new one builds on: what did not change is taken from it, unless it is gone or damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from runner.base import ids
from runner.repository import exports, failures, records

if TYPE_CHECKING:
    from runner.repository.repository import Repository

Result = TypeVar("Result")
# Called with a sentence for each thing that is not as it should be.
Warn = Callable[[str], None]


def build(
    repo: Repository,
    base: ids.ExportId | None,
    make: Callable[[exports.Manifest | None, str], Result],
    warn: Warn,
) -> Result:
    """Make something on an earlier export; if that is not there, or turns out to be damaged, make all of it anew.

    Beside a damaged index nothing is built on: nobody knows whether all of an export can still be found.

    Args:
        repo: Where the export is; the caller holds a lock of a writer.
        base: The earlier export.
        make: Called with its manifest, or with None and why there is none; called again if that came upon damage.
        warn: Told of damage.
    """
    found, reason = None, "there is no earlier export"
    try:
        if base is not None:
            found, reason = _find(repo, base)
        if found is not None:
            made = make(found, "")
            repo.index.damage.refuse()
            return made
    except failures.RepositoryDamaged as problem:
        # Otherwise the new export would refer to what is damaged as soon as it reads the same.
        pack = records.salt_of(problem.context.get("object", ""))
        if pack is not None:
            repo.index.trust.distrust(pack)
        reason = f"the earlier export {base} cannot be relied on: {problem.message}"
        warn(f"everything is read, because {reason}")
    return make(None, reason)


def _find(repo: Repository, base: ids.ExportId) -> tuple[exports.Manifest | None, str]:
    try:
        found = repo.manifest(base, to_keep=True)
    except failures.ExportMissing:
        found = None
    repo.index.damage.refuse()
    return found, f"the earlier export {base} is gone"


def fetcher(repo: Repository) -> Callable[[Sequence[bytes]], Iterator[tuple[int, bytes]]]:
    """Return what fetches chunks of an earlier export, as `Reader.fetch` does.

    Raises:
        RepositoryDamaged: If something of the index is; so it does not take until the end of the export to be noticed.
    """
    chunks = repo.reader()

    def fetch(wanted: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        yield from chunks.fetch(wanted)
        repo.index.damage.refuse()

    return fetch
