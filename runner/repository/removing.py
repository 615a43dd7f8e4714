"""The second phase of a pruning: remove what was condemned, in an order that may be interrupted at any moment."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence

from runner.registry import location as locations
from runner.repository import (
    compaction,
    condemned,
    deletions,
    expired,
    failures,
    locks,
    pending,
    records,
    repository,
    retaining,
    segments,
    stages,
    survey,
)


class Remover:
    """Removes what is condemned.

    Args:
        repo: The repository.
        lock: The lock of the pruning.
        rules: What counts as needed.
        report: Told how much was removed.
    """

    def __init__(
        self, repo: repository.Repository, lock: locks.Lock, rules: survey.Rules, report: stages.Progress
    ) -> None:
        self._repo = repo
        self._lock = lock
        self._rules = rules
        self._report = report

    def remove(self, condemnations: Sequence[condemned.Condemnation], found: survey.Survey) -> set[bytes]:
        """Remove what they name and nothing needs, and the condemnations themselves.

        Returns:
            The packs that the location would not let go.
        """
        ripe = condemned.together(condemnations)
        gone = unneeded(ripe, found)
        gone -= retaining.locked_packs(self._repo.location, gone)
        manifests = ripe.manifests & frozenset(found.dead)
        # Before anything goes: the mark of an export that is gone looks as if the index had lost it.
        pending.delete_stale(self._repo.location, self._rules.now, settled=found.needed)
        self._hide(manifests - found.hidden, found)
        compaction.compact(self._repo, self._lock, found, compaction.Losses(packs=gone, manifests=manifests))
        self._refuse_named(gone)
        compaction.remove_replaced(self._repo, self._lock)
        self._lock.confirm()
        refused = self._delete(gone)
        self._forget(condemnations, ripe)
        named = {segment.lock for segment in (*self._repo.index.parts, *self._repo.index.replaced)}
        expired.forget(self._repo.location, self._rules.now, named=named)
        self._extend(found, gone)
        self._repo.location.sweep()
        return refused

    def _delete(self, gone: Collection[bytes]) -> set[bytes]:
        """Remove packs; what is under a legal hold, of which no date tells, is left for a later pruning."""
        refused = set()
        for number, salt in enumerate(gone, 1):
            try:
                self._repo.location.delete(records.pack_name(salt))
            except locations.ObjectLocked:
                refused.add(salt)
            self._report(stages.Stage.REMOVING, number, len(gone))
        return refused

    def _hide(self, manifests: Iterable[deletions.Place], found: survey.Survey) -> None:
        """Hide what goes: interrupted from here on, no export is found of which a part is gone."""
        for place in sorted(manifests):
            self._lock.confirm_if_due()
            deletions.add(self._repo.location, self._repo.keys, found.dead[place], [place], self._repo.random)

    def _refuse_named(self, gone: Collection[bytes]) -> None:
        """Make sure that no segment names what goes: should the new one be lost again, those that it replaced count."""
        for segment in self._repo.index.parts:
            if segment.name not in self._repo.index.trust.suspect and not set(segment.packs).isdisjoint(gone):
                raise failures.damaged(segments.PREFIX, "a segment that was just stored is missing")

    def _forget(self, condemnations: Sequence[condemned.Condemnation], ripe: condemned.Condemned) -> None:
        for name, places in survey.hidden_places(self._repo).items():
            if places <= ripe.manifests:
                self._repo.location.delete(name)
        # Last: as long as a condemnation is there, nobody comes to rely on what it names.
        for each in condemnations:
            self._repo.location.delete(each.name)

    def _extend(self, found: survey.Survey, gone: Container[bytes]) -> None:
        """Lock what restore points use for as long as what is stored now."""
        used = [salt for salt, pack in found.packs.items() if pack.live and salt not in gone]
        index = [segments.PREFIX + segment.name for segment in self._repo.index.parts]
        for name in [*retaining.in_use(self._repo.location, used), *index]:
            self._lock.confirm_if_due()
            retaining.extend(self._repo.location, name)


def unneeded(chosen: condemned.Condemned, found: survey.Survey) -> set[bytes]:
    """Return the packs among those that are condemned that nothing needs."""
    strays = chosen.strays - found.indexed()
    return {salt for salt in chosen.packs | strays if salt in found.packs and found.packs[salt].live == 0}
