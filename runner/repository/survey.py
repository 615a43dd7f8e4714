"""What a repository holds and what of it is needed: the marking before anything is condemned or removed."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from runner.base import cancel as cancels
from runner.base import ids
from runner.repository import (
    crypto,
    deletions,
    exports,
    failures,
    locks,
    marks,
    packs,
    pending,
    points,
    records,
    repository,
    segments,
    unnamed,
)
from runner.repository import index as indexes

# Names of objects, and when they were stored.
Listing = frozenset[tuple[str, datetime]]


class Pack(msgspec.Struct):
    """A pack: its length, and how many bytes of it are needed and nowhere better; the same of its chunks."""

    size: int
    live: int = 0
    chunks: int = 0
    chunks_live: int = 0


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        listing: Everything that can make something else needed; equal listings, equal surveys.
        packs: By salt.
        exports_kept: How many exports are needed, or may still be.
        dead: Where manifests lie whose exports nobody wants, and which exports these are.
        hidden: Those of them that were deleted by themselves.
        suspect: For each segment of somebody whose lock was taken away, the manifests in it that nobody wants.
        needed: Exports that restore points name.
        reached: What is needed.
    """

    listing: Listing
    segments: tuple[segments.Segment, ...]
    packs: Mapping[bytes, Pack]
    exports_kept: int
    dead: Mapping[deletions.Place, ids.ExportId]
    hidden: frozenset[deletions.Place]
    suspect: Mapping[str, frozenset[deletions.Place]]
    needed: frozenset[ids.ExportId]
    reached: marks.Marks

    def indexed(self) -> frozenset[bytes]:
        """Return the packs that the index names."""
        return frozenset(pack for segment in self.segments for pack in segment.packs)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as needed beside restore points.

    Attributes:
        unfinished: Exports younger than this are.
        now: The time of the location, by which marks of runs that have not ended grow old.
        progress: Called often, with how many chunks were found to be needed and of how many, and at last with all of
            them; raises when the work is to be given up.
    """

    unfinished: timedelta
    now: datetime
    progress: Callable[[int, int], None]


def listing(repo: repository.Repository) -> Listing:
    """List everything that can make something else needed, with times, for a mark may be stored again."""
    prefixes = (points.PREFIX, pending.PREFIX, segments.PREFIX)
    return frozenset((info.name, info.modified) for prefix in prefixes for info in repo.location.list(prefix))


def take(repo: repository.Repository, rules: Rules, doomed: Container[bytes]) -> Survey:
    """Find out what is needed.

    Args:
        repo: The repository.
        rules: What counts as needed.
        doomed: Packs that are condemned: of a chunk that lies elsewhere too, they are not needed.

    Raises:
        RepositoryDamaged: If something that is needed is damaged.
    """
    listed = listing(repo)
    # Restore points before the index: the exports of those that are listed are all in it.
    promised = _exports_of_points(repo)
    marked = [mark for mark in pending.read_all(repo.location, repo.keys) if mark.is_valid(rules.now)]
    repo.index.refresh()
    for export in unnamed.find(repo, marked):
        raise unnamed.problem(export)
    # Complete when they were marked, so nothing of them may be missing either.
    stored = {mark.export for mark in marked if mark.is_stored}
    # A mark is stored before the export can be found, and removed after the restore point was stored.
    awaited = pending.valid(repo.location, rules.now)
    locks.pause(repo.location, repo.clock)
    needed = _exports_of_points(repo)
    # The index before the packs: what it names was stored before it.
    surveyor = _Surveyor(repo, rules, doomed, dict(_list_packs(repo)))
    return surveyor.run(listed, promised & needed, needed, stored, awaited)


def _exports_of_points(repo: repository.Repository) -> set[ids.ExportId]:
    return {reference.export for point in repo.points() for reference in point.exports}


def _list_packs(repo: repository.Repository) -> Iterator[tuple[bytes, Pack]]:
    for info in repo.location.list(packs.PREFIX):
        salt = records.salt_of(info.name)
        if salt is not None:
            yield salt, Pack(size=info.size)


class _Found(msgspec.Struct):
    kept: int = 0
    dead: dict[deletions.Place, ids.ExportId] = msgspec.field(default_factory=dict)
    hidden: set[deletions.Place] = msgspec.field(default_factory=set)


class _Surveyor:
    def __init__(
        self, repo: repository.Repository, rules: Rules, doomed: Container[bytes], found: dict[bytes, Pack]
    ) -> None:
        self._repo = repo
        self._rules = rules
        self._doomed = doomed
        self._packs = found
        self._segments = repo.index.parts
        self._reached = marks.Marks(repo.index, self._rank)
        self._chunks = repo.reader()
        self._found = _Found()
        self._needed = 0
        self._count = sum(segment.count for segment in self._segments)

    def _progress(self) -> None:
        self._rules.progress(self._needed, self._count)

    def run(
        self,
        listed: Listing,
        promised: set[ids.ExportId],
        needed: set[ids.ExportId],
        stored: set[ids.ExportId],
        awaited: set[ids.ExportId],
    ) -> Survey:
        self._mark(promised, needed | stored, awaited)
        self._weigh()
        self._rules.progress(self._count, self._count)
        found = self._found
        return Survey(
            listing=listed,
            segments=self._segments,
            packs=self._packs,
            exports_kept=found.kept,
            dead=found.dead,
            hidden=frozenset(found.hidden),
            suspect=self._suspect(),
            needed=frozenset(needed),
            reached=self._reached,
        )

    def _suspect(self) -> dict[str, frozenset[deletions.Place]]:
        found = {}
        for segment in self._segments:
            if segment.name in self._repo.index.trust.suspect:
                places = ((record.pack, record.ordinal) for record in segment)
                found[segment.name] = frozenset(place for place in places if place in self._found.dead)
        return found

    def _rank(self, pack: bytes) -> int:
        """Prefer what is there to stay to what is condemned, and anything to what is missing."""
        return 2 if pack not in self._packs else int(pack in self._doomed)

    def _mark(self, promised: set[ids.ExportId], needed: set[ids.ExportId], awaited: set[ids.ExportId]) -> None:
        youngest = self._repo.clock.now() - self._rules.unfinished
        missing = set(promised)
        for place in self._places():
            record = place.record
            if record.kind != crypto.Kind.MANIFEST or record.pack not in self._packs:
                continue
            export = exports.export_id(record.id)
            if self._repo.is_deleted(record):
                self._found.hidden.add((record.pack, record.ordinal))
                self._found.dead[record.pack, record.ordinal] = export
                continue
            manifest = exports.decode(record.id, self._chunks.open_record(record))
            may_be_wanted = export in awaited or manifest.created > youngest
            if export not in needed and not (may_be_wanted and self._is_trusted(place, manifest)):
                self._found.dead[record.pack, record.ordinal] = export
                continue
            missing.discard(export)
            self._keep(place, manifest)
        if missing:
            raise failures.damaged("index/", f"the export {min(missing)} of a restore point is missing")

    def _is_trusted(self, place: indexes.Place, manifest: exports.Manifest) -> bool:
        """Tell whether nothing of an export was removed; if its maker may have lost its lock, look at all of it."""
        if place.segment not in self._repo.index.trust.suspect:
            return True
        problems: list[failures.RepositoryDamaged] = []
        walk = marks.Marks(self._repo.index, self._rank).walk(
            manifest, self._chunks, cancels.CancelToken(), problems.append
        )
        return all(record.pack in self._packs for record in walk) and not problems

    def _keep(self, place: indexes.Place, manifest: exports.Manifest) -> None:
        # After an interrupted pruning the same record may stand in two segments.
        self._found.kept += self._reached.set(place)
        for _ in self._reached.walk(manifest, self._chunks, cancels.CancelToken(), _refuse):
            self._needed += 1
            self._progress()

    def _weigh(self) -> None:
        for place in self._places():
            pack = self._packs.get(place.record.pack)
            if pack is not None:
                pack.chunks += 1
            if not self._reached.is_set(place.segment, place.number):
                continue
            if pack is None:
                raise failures.damaged(records.pack_name(place.record.pack), "it is missing")
            pack.live += place.record.stored
            pack.chunks_live += 1

    def _places(self) -> Iterator[indexes.Place]:
        for segment in self._segments:
            self._progress()
            for number, record in enumerate(segment):
                yield indexes.Place(segment.name, number, record)


def hidden_places(repo: repository.Repository) -> dict[str, frozenset[deletions.Place]]:
    """Return where the manifests of deleted exports lie, by the objects that say so."""
    names = [info.name for info in repo.location.list(deletions.PREFIX)]
    return {
        name: deletions.read(repo.location, repo.keys, ids.ExportId(name.removeprefix(deletions.PREFIX)))
        for name in names
    }


def _refuse(problem: failures.RepositoryDamaged) -> None:
    raise problem
