"""Verify an export of any kind: read all that it reaches and hash it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.base import cancel as cancels
from runner.base import ids
from runner.repository import failures, marks, repository


def verify_export(
    repo: repository.Repository,
    export: ids.ExportId,
    *,
    cancel: cancels.CancelToken,
    progress: Callable[[int, int | None], None],
) -> int:
    """Read and hash everything that an export needs, each chunk once; return the bytes read.

    Raises:
        ExportMissing: If there is no such export.
        RepositoryDamaged: If something of it is missing or not what was written.
    """
    chunks = repo.reader(rehash=True)
    manifest = repo.manifest(export)
    done = 0

    def wanted() -> Iterator[bytes]:
        for record in marks.Marks(repo.index).walk(manifest, chunks, cancel, _refuse):
            yield record.id

    for content in chunks.read(wanted(), cancel):
        cancel.raise_if_cancelled()
        done += len(content)
        progress(done, None)
    return done


def _refuse(problem: failures.RepositoryDamaged) -> None:
    raise problem
