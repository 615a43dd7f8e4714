"""Exports of runs that have not ended that the index has lost: a segment named them once, and none does now."""

from __future__ import annotations

from collections.abc import Iterable

from runner.base import ids
from runner.registry import location as locations
from runner.repository import exports, failures, locks, pending, repository, segments


def find(repo: repository.Repository, marks: Iterable[pending.Mark]) -> list[ids.ExportId]:
    """Return the exports that were stored and that no segment names.

    Args:
        repo: The repository, whose index was read after the marks, and which has not searched any packs.
        marks: What was marked.
    """
    missed = [mark.export for mark in marks if mark.is_stored and not _is_named(repo, mark.export)]
    if not missed:
        return []
    # Of two objects that were stored one after the other, a listing may show the later one first.
    locks.pause(repo.location, repo.clock)
    repo.index.refresh()
    # Who deletes an export, or ends its run, removes the mark first.
    return [
        export
        for export in missed
        if not _is_named(repo, export) and locations.exists(repo.location, pending.PREFIX + export)
    ]


def problem(export: ids.ExportId) -> failures.RepositoryDamaged:
    """Describe the damage."""
    return failures.damaged(segments.PREFIX, f"the export {export} of a run that has not ended is in no segment")


def _is_named(repo: repository.Repository, export: ids.ExportId) -> bool:
    bits = exports.id_bits(export)
    return bits is None or bool(repo.index.find_all(bits, exports.EXPORT_ID_BITS))
