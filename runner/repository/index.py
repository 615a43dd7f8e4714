"""Find chunks: all index segments of a repository, of which only small filters are kept in memory."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from runner.registry import location as locations
from runner.repository import condemned, crypto, damage, expired, failures, prefixes, records, recovery, segments, trust

Result = TypeVar("Result")

_CACHED_BLOCKS = 1024
# Pruning may replace segments while one is being searched; several times in a row it does not.
_ATTEMPTS = 4


class Place(NamedTuple):
    """A record and where it stands."""

    segment: str
    number: int
    record: records.Record


class Index:
    """The index as of the last `refresh`, and what this process has added since; safe from several threads.

    What is damaged is done without: who looks for a chunk that no segment names any more finds it by the directories
    of the packs. Nothing new relies on such a chunk.

    Args:
        location: Where the repository is.
        keys: Its keys.
        loaded: Whether to begin with what is adopted only, instead of reading all segments at the first use.
        strict: Whether damage is an error, as it must be for who removes what the index does not name.
        on_damage: Called once for each segment that is damaged, and when chunks are looked for in the packs.
        watch: Shows how far that is.
    """

    def __init__(
        self,
        location: locations.Location,
        keys: crypto.Keys,
        *,
        loaded: bool = False,
        strict: bool = False,
        on_damage: damage.OnDamage = lambda _: None,
        watch: recovery.Watch = recovery.unwatched,
    ) -> None:
        self.watch = watch
        self._location = location
        self._keys = keys
        self._strict = strict
        self.damage = damage.Damage(strict=strict, on_damage=on_damage)
        self.trust = trust.Trust()
        # What packs hold and segments do not name; and which segments these were.
        self._recovered: tuple[segments.Segment, ...] = ()
        self._recovered_beside: tuple[segments.Segment, ...] | None = None
        self._recovering = threading.Lock()
        self._segments: tuple[segments.Segment, ...] = ()
        self._filter = prefixes.PrefixFilter(())
        # Where the last chunk was found, and of which parts that is one.
        self._recent: tuple[tuple[segments.Segment, ...], segments.Segment] | None = None
        self._loaded = loaded
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._replaced: tuple[segments.Segment, ...] = ()

    @property
    def parts(self) -> tuple[segments.Segment, ...]:
        """The segments, ordered by name."""
        if not self._loaded:
            self.refresh()
        return self._segments

    @property
    def replaced(self) -> tuple[segments.Segment, ...]:
        """Segments that are there and count no more, because another one replaces them."""
        return self._replaced

    def refresh(self) -> None:
        """Take over what others have added or replaced, and what pruning has condemned.

        Raises:
            RepositoryDamaged: If a segment is not what was written, and the index is strict.
        """
        # First what is condemned: pruning takes the records away before it forgets that it has condemned a pack.
        doomed = self._read_condemned()
        known = {segment.name: segment for segment in (*self._segments, *self._replaced)}
        for _ in range(_ATTEMPTS):
            listed, found, damaged = self._list(known)
            if len(found) + len(damaged) == len(listed):
                break
        own = [
            segment
            for segment in self._segments
            if segment.name not in listed and locations.exists(self._location, segments.PREFIX + segment.name)
        ]
        suspect = self.trust.suspect
        if any(segment.name not in known for segment in found):
            # Last the locks that were taken away: a segment that was there before its lock was taken is as good as any.
            gone = expired.names(self._location)
            suspect = frozenset(segment.name for segment in found if segment.lock in gone)
        there = sorted([*found, *own], key=lambda segment: segment.name)
        replaced = frozenset(name for segment in there if segment.name not in suspect for name in segment.replaces)
        with self._lock:
            self._loaded = True
            self.trust.condemned = doomed
            self.trust.suspect = suspect
            kept = tuple(segment for segment in there if segment.name not in replaced)
            self._replaced = tuple(segment for segment in there if segment.name in replaced)
            # The filter first: the old one would say of the new parts that they do not hold what is new in them.
            self._filter = prefixes.PrefixFilter((*kept, *self._recovered))
            self._segments = kept
        self.damage.keep({segment.name for segment in kept})
        for name, problem in damaged.items():
            if name not in replaced:
                self.damage.note(name, problem)

    def _list(
        self, known: Mapping[str, segments.Segment]
    ) -> tuple[frozenset[str], list[segments.Segment], dict[str, failures.RepositoryDamaged]]:
        listed = {info.name.removeprefix(segments.PREFIX): info.size for info in self._location.list(segments.PREFIX)}
        found, damaged = [], {}
        for name, size in listed.items():
            try:
                found.append(known.get(name) or segments.Segment(self._location, self._keys, name, size))
            except locations.ObjectMissing:
                # Pruned after the listing; what replaced it was stored before that, but perhaps not listed.
                continue
            except failures.RepositoryDamaged as problem:
                damaged[name] = problem
        return frozenset(listed), found, damaged

    @property
    def recovered(self) -> tuple[segments.Segment, ...]:
        """What was found in packs and no segment names, as a segment of its own; nothing as long as nobody looked."""
        return self._recovered

    def search_packs(self, chunk: bytes, bits: int = 256) -> list[records.Record]:
        """Return the records of a chunk that no segment names, as the directories of the packs tell them.

        Args:
            chunk: Its id, or the beginning of one.
            bits: How many bits of the id count, at least 32.
        """
        if self._strict:
            return []
        self._recover()
        found = self.find_all(chunk, bits)
        if found:
            self.damage.note("", failures.damaged(segments.PREFIX, f"{_in_no_segment(chunk)}, but in a pack"))
        return found

    def is_named(self, chunk: bytes) -> bool:
        """Tell whether a segment names a chunk that was found, and not only its pack."""
        place = self.place(chunk)
        return place is None or not self._is_recovered(place)

    def _is_recovered(self, place: Place) -> bool:
        return any(place.segment == segment.name for segment in self._recovered)

    def _recover(self) -> None:
        with self._recovering:
            parts = self.parts
            if self._recovered_beside == parts:
                return
            with self.watch() as progress:
                found = self.steadily(lambda: recovery.unnamed(self._location, self._keys, self.entries(), progress))
            with self._lock:
                self._filter.add(found)
                self._recovered, self._recovered_beside = (found,), parts

    def entries(self) -> Iterator[records.Record]:
        """Yield all that the index names, as far as it can be read.

        Raises:
            ObjectMissing: If pruning replaced a segment meanwhile.
        """
        for segment in self.parts:
            for block in range(segment.blocks):
                try:
                    yield from segment.records_of(block)
                except failures.RepositoryDamaged as problem:
                    self.damage.note(segment.name, problem)

    def _read_condemned(self) -> condemned.Condemned | failures.RepositoryDamaged:
        try:
            return condemned.together(condemned.read_all(self._location, self._keys))
        except failures.RepositoryDamaged as problem:
            # Restoring goes on without it; only who wants to rely on a chunk has to know.
            return problem

    def adopt(self, name: str) -> None:
        """Add a segment that was just stored."""
        try:
            size = self._location.stat(segments.PREFIX + name).size
            segment = segments.Segment(self._location, self._keys, name, size)
        except locations.ObjectMissing:
            # Pruning was fast and has replaced it.
            self.refresh()
            return
        with self._lock:
            if any(other.name == name for other in self._segments):
                return
            self._filter.add(segment)
            self._segments = tuple(sorted([*self._segments, segment], key=lambda each: each.name))
            if self._filter.is_full:
                self._filter = prefixes.PrefixFilter(self._segments)

    def find_all(self, chunk: bytes, bits: int = 256, *, to_keep: bool = False) -> list[records.Record]:
        """Return the records of a chunk.

        Args:
            chunk: Its id, or the beginning of one.
            bits: How many bits of the id count, at least 32.
            to_keep: Whether to leave out those that nothing new may rely on.
        """
        shift = 256 - bits
        wanted = int.from_bytes(chunk, "big") >> shift

        def search() -> list[records.Record]:
            return [
                place.record
                for place in self._candidates(chunk)
                if int.from_bytes(place.record.id, "big") >> shift == wanted
                and not (to_keep and self._is_doomed(place))
            ]

        return self.steadily(search)

    def find(self, chunk: bytes) -> records.Record | None:
        """Return a record of a chunk, or None."""
        place = self.steadily(lambda: self._first(chunk, lambda _: True))
        return None if place is None else place.record

    def is_held(self, chunk: bytes) -> bool:
        """Tell whether a chunk is there to stay, so that what is new may refer to it.

        Raises:
            RepositoryDamaged: If what a pruning has condemned cannot be read.
        """
        return self.steadily(lambda: self._first(chunk, lambda place: not self._is_doomed(place))) is not None

    def places(self, chunk: bytes) -> list[Place]:
        """Return where records of a chunk stand in the index, always in the same order."""
        return self.steadily(lambda: [place for place in self._candidates(chunk) if place.record.id == chunk])

    def place(self, chunk: bytes, rank: Callable[[bytes], int] = lambda _: 0) -> Place | None:
        """Return where the record of a chunk stands in the index, or None; always the same one of several.

        Args:
            chunk: Its id.
            rank: Of several, one in the pack with the smallest rank is returned.
        """
        return min(self.places(chunk), key=lambda place: rank(place.record.pack), default=None)

    def _is_doomed(self, place: Place) -> bool:
        return not self.trust.is_given(place.segment, place.record) or self._is_recovered(place)

    def _first(self, chunk: bytes, accept: Callable[[Place], bool]) -> Place | None:
        """Look first where the last one was found: what was stored together is mostly looked for together."""
        parts, recent = self.parts, self._recent
        first = (recent[1],) if recent is not None and recent[0] is parts else ()
        for segment, place in self._search(chunk, itertools.chain(first, parts, self._recovered)):
            if place.record.id == chunk and accept(place):
                self._recent = parts, segment
                return place
        return None

    def _candidates(self, chunk: bytes) -> Iterator[Place]:
        return (place for _, place in self._search(chunk, itertools.chain(self.parts, self._recovered)))

    def _search(self, chunk: bytes, parts: Iterable[segments.Segment]) -> Iterator[tuple[segments.Segment, Place]]:
        prefix = int.from_bytes(chunk[:4], "big")
        if not self._filter.may_hold(prefix):
            return
        for segment in parts:
            for number in segment.candidates(prefix):
                try:
                    record = segment.record(self._block(segment, number // segments.BLOCK), number)
                except failures.RepositoryDamaged as problem:
                    self.damage.note(segment.name, problem)
                    continue
                yield segment, Place(segment.name, number, record)

    def steadily(self, search: Callable[[], Result]) -> Result:
        """Read from the index; again if pruning has replaced a segment meanwhile, for the new one was stored before."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return search()
            except locations.ObjectMissing:
                self.refresh()
        return search()

    def locate(self, chunk: bytes) -> records.Record:
        """Return a record of a chunk, looking again for segments that others have written, and then in the packs.

        Raises:
            RepositoryDamaged: If the chunk is nowhere.
        """
        record = self.find(chunk)
        if record is None:
            self.refresh()
            record = self.find(chunk)
        if record is None:
            record = next(iter(self.search_packs(chunk)), None)
        if record is None:
            raise failures.damaged(segments.PREFIX, _in_no_segment(chunk))
        return record

    def _block(self, segment: segments.Segment, block: int) -> bytes:
        key = (segment.name, block)
        with self._lock:
            data = self._blocks.get(key)
            if data is not None:
                self._blocks.move_to_end(key)
                return data
        data = segment.read_block(block)
        with self._lock:
            self._blocks[key] = data
            if len(self._blocks) > _CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        return data


def _in_no_segment(chunk: bytes) -> str:
    return f"the chunk {chunk.hex()[:16]} is in no segment"
