"""Free the space of what no restore point needs, beside running exports and restores: docs/pruning.md says why."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec
from msgspec import structs

from runner.base import cancel as cancels
from runner.registry import location as locations
from runner.repository import (
    condemned,
    condemning,
    failures,
    locks,
    removing,
    repository,
    segments,
    stages,
    survey,
)
from runner.repository import index as indexes
from runner.repository.survey import Survey

UNFINISHED = timedelta(hours=24)


class PruneResult(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning did, or would do.

    Attributes:
        exports_removed: Exports that belonged to no restore point any more.
        exports_condemned: Such exports that are still there, because somebody who began earlier may rely on them.
        packs_kept: Packs that stay as they are.
        packs_rewritten: Packs of which a part was needed, which was packed anew.
        packs_condemned: Packs that nothing needs so far but that are still there, for the same reason.
        packs_spared: Packs that an earlier pruning had condemned and that somebody has come to need since.
        packs_locked: Packs among those kept that nothing needs, but whose retention or legal hold has not ended.
        packs_damaged: Packs among those kept that would have been packed anew, if what is needed of them could be read.
        bytes_freed: By how much the packs became smaller together.
        bytes_condemned: How large the condemned packs are.
        bytes_kept: How large the packs are that stay.
        chunks_kept: Chunks that are needed.
        chunks_removed: Chunks that nothing needed and that are gone with their packs.
        chunks_condemned: Chunks that nothing needs so far in packs that are condemned.
        waiting_for: Who has to finish before what is condemned can be removed; empty if nothing is.
    """

    exports_kept: int
    exports_removed: int
    exports_condemned: int = 0
    packs_kept: int
    packs_rewritten: int
    packs_removed: int
    packs_condemned: int = 0
    packs_spared: int = 0
    packs_locked: int
    packs_damaged: int = 0
    bytes_freed: int
    bytes_condemned: int = 0
    bytes_kept: int = 0
    chunks_kept: int = 0
    chunks_removed: int = 0
    chunks_condemned: int = 0
    waiting_for: tuple[str, ...] = ()


def prune(
    repo: repository.Repository,
    *,
    unfinished: timedelta = UNFINISHED,
    dry_run: bool = False,
    cancel: cancels.CancelToken | None = None,
    progress: stages.Progress = lambda *_: None,
) -> PruneResult:
    """Remove what nobody needs. It may be interrupted at any moment without harm, and be run again.

    Exports and restores may go on meanwhile. What they may rely on is only condemned, and removed by a later pruning.

    Args:
        repo: The repository.
        unfinished: Exports younger than this are kept even without a restore point: theirs may still come. Those of
            runs that have not ended are kept in any case.
        dry_run: Whether to change nothing.
        cancel: Says when to give up.
        progress: Called now and then.

    Raises:
        RepositoryLocked: While somebody else prunes or repairs the repository.
        RepositoryDamaged: If the index is damaged, or something that tells what is needed; nothing was removed then.
    """
    token = cancel or cancels.CancelToken()
    with repo.lock(locks.Use.PRUNE) as lock:

        def report(stage: stages.Stage, done: int, total: int) -> None:
            token.raise_if_cancelled()
            lock.confirm_if_due()
            progress(stage, done, total)

        marking = functools.partial(report, stages.Stage.MARKING)
        rules = survey.Rules(unfinished=unfinished, now=lock.stored_at(), progress=marking)
        # With an index of its own, so that it learns anew whose segments are to be trusted, and bears no damage.
        index = indexes.Index(repo.location, repo.keys, strict=True)
        view = repository.Repository(
            repo.location, repo.keys, random=repo.random, clock=repo.clock, workers=repo.workers, index=index
        )
        try:
            return _Prune(view, lock, rules, report, dry_run=dry_run).run()
        except (locations.ObjectMissing, failures.RepositoryDamaged) as problem:
            # Another pruning that took this one for dead may be at work; then nothing is damaged.
            lock.ensure()
            if isinstance(problem, failures.RepositoryDamaged):
                raise
            raise failures.damaged(segments.PREFIX, problem.message) from problem


class _Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to remove, and what of it can be removed now."""

    ripe: Sequence[condemned.Condemnation]
    waiting: Sequence[condemned.Condemnation]
    waiting_for: tuple[str, ...]


class _Prune:
    def __init__(
        self,
        repo: repository.Repository,
        lock: locks.Lock,
        rules: survey.Rules,
        report: stages.Progress,
        *,
        dry_run: bool,
    ) -> None:
        self._repo = repo
        self._lock = lock
        self._rules = rules
        self._report = report
        self._dry_run = dry_run
        self._condemner = condemning.Condemner(repo, lock, report, dry_run=dry_run)

    def run(self) -> PruneResult:
        if not self._dry_run:
            condemned.forget_damaged(self._repo.location, self._repo.keys)
        held = list(condemned.read_all(self._repo.location, self._repo.keys))
        before = self._look()
        if before.expired:
            # Long enough for everybody to see whose lock is gone, and to be seen who did not see it.
            locks.pause(self._repo.location, self._repo.clock, 2)
        first = self._survey(held)
        condemnations = [*held, *self._condemner.condemn(first, held, {holder.name for holder in before.holders})]
        sentence = self._arm(condemnations)
        locks.pause(self._repo.location, self._repo.clock)
        last = first
        if sentence.ripe and survey.listing(self._repo) != first.listing:
            last = self._survey(condemnations)
        refused: set[bytes] = set()
        if not self._dry_run:
            refused = removing.Remover(self._repo, self._lock, self._rules, self._report).remove(sentence.ripe, last)
        return self._result(first, last, sentence, refused)

    def _look(self) -> locks.Seen:
        return locks.look(self._repo.location, self._repo.keys, self._repo.random)

    def _survey(self, condemnations: Iterable[condemned.Condemnation]) -> Survey:
        return survey.take(self._repo, self._rules, condemned.together(condemnations).packs)

    # Between the phases: look who may rely on what is condemned.

    def _arm(self, condemnations: Sequence[condemned.Condemnation]) -> _Sentence:
        """Note who was there when something was condemned, and tell what nobody waits for any more."""
        locks.pause(self._repo.location, self._repo.clock)
        holders = {holder.name: holder for holder in self._look().of(locks.Use.SHARED)}
        ripe: list[condemned.Condemnation] = []
        waiting: list[condemned.Condemnation] = []
        for each in condemnations:
            condemnation = each if each.waiting is not None else structs.replace(each, waiting=frozenset(holders))
            blocked = (condemnation.waiting or frozenset()) & frozenset(holders)
            if each.waiting is None and blocked and not self._dry_run:
                condemned.put(self._repo.location, self._repo.keys, condemnation, self._repo.random)
            (waiting if blocked else ripe).append(condemnation)
        names = {name for each in waiting for name in each.waiting or () if name in holders}
        blockers = tuple(str(holders[name]) for name in sorted(names))
        return _Sentence(ripe=ripe, waiting=waiting, waiting_for=blockers)

    def _result(self, first: Survey, last: Survey, sentence: _Sentence, refused: set[bytes]) -> PruneResult:
        ripe, waiting = condemned.together(sentence.ripe), condemned.together(sentence.waiting)
        known = {**last.packs, **first.packs}
        # What was packed anew, or would be, still looked needed when that was decided.
        moved = self._condemner.rewritten if self._dry_run else set()
        gone = (removing.unneeded(ripe, last) | (moved & ripe.packs)) - refused
        left = removing.unneeded(waiting, last) | (self._condemner.rewritten & waiting.packs)
        kept = frozenset(first.packs) - gone - left
        freed = sum(known[salt].size for salt in gone) - sum(each.moved for each in sentence.ripe)
        return PruneResult(
            exports_kept=last.exports_kept,
            exports_removed=len(ripe.manifests & frozenset(last.dead)),
            exports_condemned=len(waiting.manifests & frozenset(last.dead)),
            packs_kept=len(kept),
            packs_rewritten=len(self._condemner.rewritten),
            packs_removed=len(gone - self._condemner.rewritten),
            packs_condemned=len(left),
            packs_spared=len((ripe.packs & frozenset(last.packs)) - gone - refused),
            packs_locked=len(self._condemner.locked | refused),
            packs_damaged=len(self._condemner.damaged),
            bytes_freed=max(0, freed),
            bytes_condemned=sum(known[salt].size for salt in left),
            bytes_kept=sum(known[salt].size for salt in kept),
            chunks_kept=sum(pack.chunks_live for pack in last.packs.values()),
            chunks_removed=sum(known[salt].chunks - known[salt].chunks_live for salt in gone),
            chunks_condemned=sum(known[salt].chunks - known[salt].chunks_live for salt in left),
            waiting_for=sentence.waiting_for,
        )
