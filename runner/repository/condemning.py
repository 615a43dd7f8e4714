"""The first phase of a pruning: choose what goes, pack anew what is needed of it, and say so. Nothing is removed."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from runner.repository import (
    condemned,
    crypto,
    failures,
    locks,
    packing,
    packs,
    records,
    repository,
    retaining,
    segments,
    stages,
    survey,
)

_LEAST_GAIN = 16 * 1024


class Condemner:
    """Condemns what nothing needs.

    Args:
        repo: The repository.
        lock: The lock of the pruning.
        report: Told how much was packed anew.
        dry_run: Whether to change nothing.

    Attributes:
        locked: Packs that nothing needs, but whose retention has not ended.
        rewritten: Packs of which a part is needed, which is packed anew.
        damaged: Packs that would be among these, if what is needed of them could be read.
    """

    def __init__(
        self, repo: repository.Repository, lock: locks.Lock, report: stages.Progress, *, dry_run: bool
    ) -> None:
        self._repo = repo
        self._lock = lock
        self._report = report
        self._dry_run = dry_run
        self.locked: set[bytes] = set()
        self.rewritten: set[bytes] = set()
        self.damaged: set[bytes] = set()

    def condemn(
        self, found: survey.Survey, held: Sequence[condemned.Condemnation], alive: Container[str]
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
        self.locked = locked & (dead | strays)
        self.rewritten = partly - locked
        if not self._dry_run:
            self._rewrite(found)
        hidden = survey.hidden_places(self._repo).values()
        condemnation = condemned.Condemnation(
            name=condemned.new_name(self._repo.random),
            packs=frozenset(dead - locked) | self.rewritten,
            strays=strays - locked,
            manifests=frozenset(found.dead).union(*hidden) - old.manifests,
            moved=sum(found.packs[salt].live for salt in self.rewritten),
        )
        if not (condemnation.packs or condemnation.strays or condemnation.manifests):
            return []
        if not self._dry_run:
            self._lock.confirm()
            condemned.put(self._repo.location, self._repo.keys, condemnation, self._repo.random)
        return [condemnation]

    def _rewrite(self, found: survey.Survey) -> None:
        """Pack the live chunks of some packs anew; a pack in which one is damaged stays as it is."""
        live: dict[bytes, list[records.Record]] = {salt: [] for salt in self.rewritten}
        total = sum(found.packs[salt].live for salt in live)
        for segment in found.segments if live else ():
            self._report(stages.Stage.PACKING, 0, total)
            for number, record in enumerate(segment):
                if record.pack in live and found.reached.is_set(segment.name, number):
                    live[record.pack].append(record)
        moved: dict[bytes, Sequence[bytes]] = {}
        packer = packing.Packer(self._repo.location, self._repo.keys, self._repo.random, moved.__setitem__)
        try:
            for salt, wanted in live.items():
                try:
                    pieces = list(self._pieces(wanted))
                except failures.RepositoryDamaged:
                    self.damaged.add(salt)
                    continue
                for piece in pieces:
                    packer.add([piece])
                self._report(stages.Stage.PACKING, packer.bytes_stored, total)
            packer.flush()
        finally:
            packer.shutdown()
        self.rewritten -= self.damaged
        if moved:
            segments.write(self._repo.location, self._repo.keys, moved, self._repo.random, lock=self._lock.name)

    def _pieces(self, wanted: Sequence[records.Record]) -> Iterator[packs.Piece]:
        for number, data in self._repo.reader().fetch_records(wanted, decompress=False):
            record = wanted[number]
            kind = crypto.Kind(record.kind)
            yield packs.Piece(id=record.id, kind=kind, codec=record.codec, plain=record.plain, data=data)


def _is_worth_moving(pack: survey.Pack) -> bool:
    # A pack of a few chunks is mostly directory; packing it anew alone gains nothing.
    return 0 < pack.live * 2 < pack.size and pack.size - pack.live > _LEAST_GAIN
