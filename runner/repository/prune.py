"""Free the space of what no restore point needs, beside running exports and restores: docs/pruning.md says why."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from datetime import timedelta
from enum import StrEnum

import msgspec
from msgspec import structs

from runner.base import cancel as cancels
from runner.registry import location as locations
from runner.repository import (
    compaction,
    condemned,
    crypto,
    deletions,
    expired,
    failures,
    locks,
    packing,
    packs,
    pending,
    records,
    repository,
    retaining,
    segments,
    survey,
)
from runner.repository import index as indexes
from runner.repository.survey import Survey

UNFINISHED = timedelta(hours=24)
_LEAST_GAIN = 16 * 1024


class Stage(StrEnum):
    """What a pruning is at."""

    MARKING = "finding what is needed"
    PACKING = "packing anew"
    REMOVING = "removing"

    @property
    def unit(self) -> str:
        """What is counted meanwhile."""
        return {Stage.MARKING: "chunks", Stage.PACKING: "bytes", Stage.REMOVING: "packs"}[self]


# Called with how much is done, and of how much.
Progress = Callable[[Stage, int, int], None]


class PruneResult(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning did, or would do.

    Attributes:
        exports_removed: Exports that belonged to no restore point any more.
        exports_condemned: Such exports that are still there, because somebody who began earlier may rely on them.
        packs_kept: Packs that stay as they are.
        packs_rewritten: Packs of which a part was needed, which was packed anew.
        packs_condemned: Packs that nothing needs so far but that are still there, for the same reason.
        packs_spared: Packs that an earlier pruning had condemned and that somebody has come to need since.
        packs_locked: Packs among those kept that nothing needs, but whose retention has not ended.
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
    progress: Progress = lambda *_: None,
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
        RepositoryDamaged: If the index, or something that is needed, is damaged; nothing was removed then.
    """
    token = cancel or cancels.CancelToken()
    with repo.lock(locks.Use.PRUNE) as lock:

        def report(stage: Stage, done: int, total: int) -> None:
            token.raise_if_cancelled()
            lock.confirm_if_due()
            progress(stage, done, total)

        marking = functools.partial(report, Stage.MARKING)
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


def _is_worth_moving(pack: survey.Pack) -> bool:
    # A pack of a few chunks is mostly directory; packing it anew alone gains nothing.
    return 0 < pack.live * 2 < pack.size and pack.size - pack.live > _LEAST_GAIN


class _Prune:
    def __init__(
        self,
        repo: repository.Repository,
        lock: locks.Lock,
        rules: survey.Rules,
        report: Progress,
        *,
        dry_run: bool,
    ) -> None:
        self._repo = repo
        self._lock = lock
        self._rules = rules
        self._report = report
        self._dry_run = dry_run
        self._locked: set[bytes] = set()
        self._rewritten: set[bytes] = set()

    def run(self) -> PruneResult:
        if not self._dry_run:
            condemned.forget_damaged(self._repo.location, self._repo.keys)
        held = list(condemned.read_all(self._repo.location, self._repo.keys))
        before = self._look()
        if before.expired:
            # Long enough for everybody to see whose lock is gone, and to be seen who did not see it.
            locks.pause(self._repo.location, self._repo.clock, 2)
        first = self._survey(held)
        condemnations = [*held, *self._condemn(first, held, {holder.name for holder in before.holders})]
        sentence = self._arm(condemnations)
        locks.pause(self._repo.location, self._repo.clock)
        last = first
        if sentence.ripe and survey.listing(self._repo) != first.listing:
            last = self._survey(condemnations)
        if not self._dry_run:
            self._remove(sentence, last)
        return self._result(first, last, sentence)

    def _look(self) -> locks.Seen:
        return locks.look(self._repo.location, self._repo.keys, self._repo.random)

    def _survey(self, condemnations: Iterable[condemned.Condemnation]) -> Survey:
        return survey.take(self._repo, self._rules, condemned.together(condemnations).packs)

    # Phase one: condemn.

    def _condemn(
        self, found: Survey, held: Sequence[condemned.Condemnation], alive: Container[str]
    ) -> list[condemned.Condemnation]:
        """Choose what nothing needs and is not condemned yet; pack anew what is needed of it."""
        old = condemned.together(held)
        # What a running export has stored so far is not needed yet.
        known = old.packs | {pack for each in found.segments if each.lock in alive for pack in each.packs}
        indexed = found.indexed()
        candidates = {salt: pack for salt, pack in found.packs.items() if salt in indexed and salt not in known}
        dead = {salt for salt, pack in candidates.items() if pack.live == 0}
        strays = frozenset(found.packs) - indexed - old.strays
        partly = {salt for salt, pack in candidates.items() if _is_worth_moving(pack)}
        locked = retaining.locked_packs(self._repo.location, dead | partly | strays)
        self._locked = locked & (dead | strays)
        self._rewritten = partly - locked
        hidden = survey.hidden_places(self._repo).values()
        condemnation = condemned.Condemnation(
            name=condemned.new_name(self._repo.random),
            packs=frozenset(dead | partly) - locked,
            strays=strays - locked,
            manifests=frozenset(found.dead).union(*hidden) - old.manifests,
            moved=sum(found.packs[salt].live for salt in self._rewritten),
        )
        if not (condemnation.packs or condemnation.strays or condemnation.manifests):
            return []
        if not self._dry_run:
            self._rewrite(found)
            self._lock.confirm()
            condemned.put(self._repo.location, self._repo.keys, condemnation, self._repo.random)
        return [condemnation]

    def _rewrite(self, found: Survey) -> None:
        """Pack the live chunks of some packs anew."""
        live: dict[bytes, list[records.Record]] = {salt: [] for salt in self._rewritten}
        total = sum(found.packs[salt].live for salt in live)
        for segment in found.segments if live else ():
            self._report(Stage.PACKING, 0, total)
            for number, record in enumerate(segment):
                if record.pack in live and found.reached.is_set(segment.name, number):
                    live[record.pack].append(record)
        moved: dict[bytes, Sequence[bytes]] = {}
        packer = packing.Packer(self._repo.location, self._repo.keys, self._repo.random, moved.__setitem__)
        try:
            for wanted in live.values():
                self._move(wanted, packer)
                self._report(Stage.PACKING, packer.bytes_stored, total)
            packer.flush()
        finally:
            packer.shutdown()
        if moved:
            segments.write(self._repo.location, self._repo.keys, moved, self._repo.random, lock=self._lock.name)

    def _move(self, wanted: Sequence[records.Record], packer: packing.Packer) -> None:
        for number, data in self._repo.reader().fetch_records(wanted, decompress=False):
            record = wanted[number]
            kind = crypto.Kind(record.kind)
            packer.add([packs.Piece(id=record.id, kind=kind, codec=record.codec, plain=record.plain, data=data)])

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

    # Phase two: remove.

    def _remove(self, sentence: _Sentence, found: Survey) -> None:
        ripe = condemned.together(sentence.ripe)
        gone = self._unneeded(ripe, found)
        gone -= retaining.locked_packs(self._repo.location, gone)
        manifests = ripe.manifests & frozenset(found.dead)
        # Before anything goes: the mark of an export that is gone looks as if the index had lost it.
        pending.delete_stale(self._repo.location, self._rules.now, settled=found.needed)
        self._hide(manifests - found.hidden, found)
        compaction.compact(self._repo, self._lock, found, compaction.Losses(packs=gone, manifests=manifests))
        self._refuse_named(gone)
        compaction.remove_replaced(self._repo, self._lock)
        self._lock.confirm()
        for number, salt in enumerate(gone, 1):
            self._repo.location.delete(records.pack_name(salt))
            self._report(Stage.REMOVING, number, len(gone))
        self._forget(sentence.ripe, ripe)
        named = {segment.lock for segment in (*self._repo.index.parts, *self._repo.index.replaced)}
        expired.forget(self._repo.location, self._rules.now, named=named)
        self._extend(found, gone)
        self._repo.location.sweep()

    @staticmethod
    def _unneeded(chosen: condemned.Condemned, found: Survey) -> set[bytes]:
        strays = chosen.strays - found.indexed()
        return {salt for salt in chosen.packs | strays if salt in found.packs and found.packs[salt].live == 0}

    def _hide(self, manifests: Iterable[deletions.Place], found: Survey) -> None:
        """Hide what goes: interrupted from here on, no export is found of which a part is gone."""
        for place in sorted(manifests):
            self._lock.confirm_if_due()
            deletions.add(self._repo.location, self._repo.keys, found.dead[place], [place], self._repo.random)

    def _refuse_named(self, gone: Collection[bytes]) -> None:
        """Make sure that no segment names what goes: should the new one be lost again, those that it replaced count."""
        for segment in self._repo.index.parts:
            if not self._repo.index.is_suspect(segment.name) and not set(segment.packs).isdisjoint(gone):
                raise failures.damaged(segments.PREFIX, "a segment that was just stored is missing")

    def _forget(self, condemnations: Sequence[condemned.Condemnation], ripe: condemned.Condemned) -> None:
        for name, places in survey.hidden_places(self._repo).items():
            if places <= ripe.manifests:
                self._repo.location.delete(name)
        # Last: as long as a condemnation is there, nobody comes to rely on what it names.
        for each in condemnations:
            self._repo.location.delete(each.name)

    def _extend(self, found: Survey, gone: Container[bytes]) -> None:
        """Lock what restore points use for as long as what is stored now."""
        used = [salt for salt, pack in found.packs.items() if pack.live and salt not in gone]
        index = [segments.PREFIX + segment.name for segment in self._repo.index.parts]
        for name in [*retaining.in_use(self._repo.location, used), *index]:
            self._lock.confirm_if_due()
            retaining.extend(self._repo.location, name)

    def _result(self, first: Survey, last: Survey, sentence: _Sentence) -> PruneResult:
        ripe, waiting = condemned.together(sentence.ripe), condemned.together(sentence.waiting)
        known = {**last.packs, **first.packs}
        # What was packed anew, or would be, still looked needed when that was decided.
        moved = self._rewritten if self._dry_run else set()
        gone = self._unneeded(ripe, last) | (moved & ripe.packs)
        left = self._unneeded(waiting, last) | (self._rewritten & waiting.packs)
        kept = frozenset(first.packs) - gone - left
        freed = sum(known[salt].size for salt in gone) - sum(each.moved for each in sentence.ripe)
        return PruneResult(
            exports_kept=last.exports_kept,
            exports_removed=len(ripe.manifests & frozenset(last.dead)),
            exports_condemned=len(waiting.manifests & frozenset(last.dead)),
            packs_kept=len(kept),
            packs_rewritten=len(self._rewritten),
            packs_removed=len(gone - self._rewritten),
            packs_condemned=len(left),
            packs_spared=len((ripe.packs & frozenset(last.packs)) - gone),
            packs_locked=len(self._locked),
            bytes_freed=max(0, freed),
            bytes_condemned=sum(known[salt].size for salt in left),
            bytes_kept=sum(known[salt].size for salt in kept),
            chunks_kept=sum(pack.chunks_live for pack in last.packs.values()),
            chunks_removed=sum(known[salt].chunks - known[salt].chunks_live for salt in gone),
            chunks_condemned=sum(known[salt].chunks - known[salt].chunks_live for salt in left),
            waiting_for=sentence.waiting_for,
        )
