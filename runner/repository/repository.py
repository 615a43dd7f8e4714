"""An open repository: the entry to exports and restore points. It knows nothing of blueprints or runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from msgspec import structs

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import ids
from runner.model.restore_point import RestorePoint
from runner.registry import location as locations
from runner.repository import (
    crypto,
    deletions,
    exports,
    failures,
    locks,
    pending,
    points,
    reader,
    records,
    writer,
)
from runner.repository import index as indexes

_TICK = timedelta(microseconds=1)


class Repository:
    """An open repository; safe from several threads.

    Several processes on several machines may use one at the same time, pruning included.
    """

    def __init__(
        self,
        location: locations.Location,
        keys: crypto.Keys,
        *,
        random: ids.RandomBytes,
        clock: clocks.Clock,
        workers: int | None = None,
        index: indexes.Index | None = None,
    ) -> None:
        self.location = location
        self.keys = keys
        self.random = random
        self.clock = clock
        self.workers = workers or reader.default_workers()
        self.index = index or indexes.Index(location, keys)

    @property
    def id(self) -> str:
        """The id of the repository, for people and for caches."""
        return self.keys.repository.hex()

    def find_export(self, token: str) -> exports.Manifest | None:
        """Return the export that was made with a token and that is there to stay, or None."""
        self.index.refresh()
        chunk = self.keys.manifest_id(token)
        return self._manifest(chunk, 256, to_keep=True)

    def manifest(self, export: ids.ExportId, *, to_keep: bool = False) -> exports.Manifest:
        """Return an export.

        Args:
            export: Its id.
            to_keep: Whether something new is going to refer to it, which holds a shared lock; what a pruning has
                condemned before does not exist then.

        Raises:
            ExportMissing: If there is none of that id, or it was deleted.
        """
        self.index.refresh()
        bits = exports.id_bits(export)
        found = self._manifest(bits, exports.EXPORT_ID_BITS, to_keep=to_keep) if bits else None
        if found is None and bits and not to_keep and self._must_be_there(export):
            self.index.search_packs(bits, exports.EXPORT_ID_BITS)
            found = self._manifest(bits, exports.EXPORT_ID_BITS, to_keep=False)
        if found is None:
            raise failures.ExportMissing(
                f"there is no export {export} in the repository at {self.location.url}",
                hint="list the restore points with `runner restore-points list`",
                context={"export": export},
            )
        return found

    def _must_be_there(self, export: ids.ExportId) -> bool:
        """Tell whether an export that the index does not name is worth looking for in the packs."""
        return (
            bool(self.index.damage.known)
            or any(mark.is_stored and mark.export == export for mark in pending.read_all(self.location, self.keys))
            or any(
                reference.export == export
                for point in self.points(on_damaged=lambda _: None)
                for reference in point.exports
            )
        )

    def _manifest(self, chunk: bytes, bits: int, *, to_keep: bool) -> exports.Manifest | None:
        records_found = self.index.find_all(chunk, bits, to_keep=to_keep)
        found = sorted({record for record in records_found if record.kind == crypto.Kind.MANIFEST})
        for record in found:
            if not self.is_deleted(record):
                return exports.decode(record.id, self.reader().open_record(record))
        return None

    def manifests(self) -> Iterator[exports.Manifest]:
        """Yield all exports, in no order, without those that were deleted.

        Raises:
            RepositoryDamaged: If the index, or a manifest, is not what was written.
        """
        self.index.refresh()
        chunks = self.reader()
        for record in self.index.steadily(self._manifest_records):
            if not self.is_deleted(record):
                yield exports.decode(record.id, chunks.open_record(record))

    def _manifest_records(self) -> list[records.Record]:
        kind = crypto.Kind.MANIFEST
        return sorted({record for record in self.index.entries() if record.kind == kind})

    def is_deleted(self, manifest: records.Record) -> bool:
        """Tell whether an export was deleted by itself."""
        hidden = deletions.read(self.location, self.keys, exports.export_id(manifest.id))
        return (manifest.pack, manifest.ordinal) in hidden

    def writer(
        self,
        *,
        token: str,
        cancel: cancels.CancelToken,
        progress: writer.Progress | None = None,
        run: str = "",
    ) -> writer.Writer:
        """Return a writer for one export, to be used as a context.

        Args:
            token: Token of the phase; the export is found by it.
            cancel: Says when to give up.
            progress: Called from worker threads with the number of bytes added so far.
            run: The run, shown to others who find the repository locked; pruning keeps its exports until it has ended.
        """
        return writer.Writer(
            self.location,
            self.keys,
            self.index,
            self.lock(locks.Use.SHARED, run=run),
            token=token,
            cancel=cancel,
            random=self.random,
            clock=self.clock,
            workers=self.workers,
            progress=progress,
        )

    def reader(self, *, rehash: bool = False) -> reader.Reader:
        """Return a reader of chunks; `rehash` makes it hash contents again (`verify`, `check`)."""
        return reader.Reader(self.location, self.keys, self.index, self.workers, rehash=rehash)

    def lock(self, use: locks.Use, *, run: str = "") -> locks.Lock:
        """Return a lock, to be used as a context."""
        return locks.Lock(self.location, self.keys, use=use, run=run, random=self.random, clock=self.clock)

    def keep_exports(self, run: str) -> None:
        """Make pruning keep the exports of a run that has not ended for another `pending.LIMIT`."""
        for mark in pending.of_run(self.location, self.keys, run):
            pending.put(self.location, self.keys, mark.export, run, self.random, is_stored=mark.is_stored)

    def release_exports(self, run: str) -> None:
        """Let pruning have what a run that has ended exported, unless a restore point names it."""
        for mark in pending.of_run(self.location, self.keys, run):
            pending.delete(self.location, mark.export)

    def derive_seed(self, purpose: str, bits: int = 64) -> int:
        """Return a number that belongs to this repository and purpose and that nobody can guess without a key."""
        return int.from_bytes(self.keys.derive(f"seed {purpose}")[: bits // 8], "big")

    def open_object(self, name: str) -> bytes:
        """Return the content of a small sealed object (a restore point, a lock).

        Raises:
            ObjectMissing: If there is none.
            RepositoryDamaged: If it is not what was written.
        """
        return self.keys.open_object(name, self.location.get(name))

    def delete_export(self, export: ids.ExportId) -> None:
        """Make an export disappear; succeeds if it does not exist. Its space is freed by the next pruning.

        Raises:
            ExportInUse: While a restore point names it.
            RepositoryDamaged: If the index is.
        """
        for point in self.points():
            if any(reference.export == export for reference in point.exports):
                raise failures.ExportInUse(
                    f"the export {export} belongs to the restore point {point.id}",
                    hint=f"delete the restore point with `runner restore-points delete {point.id}`",
                    context={"export": export, "restorePoint": point.id},
                )
        bits = exports.id_bits(export)
        if bits is None:
            return
        self.index.refresh()
        # A place that cannot be found could not be marked.
        self.index.damage.refuse()
        found = list(self.index.find_all(bits, exports.EXPORT_ID_BITS))
        places = [(record.pack, record.ordinal) for record in found if record.kind == crypto.Kind.MANIFEST]
        # First, because a mark of an export that pruning has removed looks as if the index had lost it.
        pending.delete(self.location, export)
        deletions.add(self.location, self.keys, export, places, self.random)

    def put_point(self, point: RestorePoint) -> RestorePoint:
        """Store a restore point; return it as it was stored.

        One that is there under the same id stays as it is. The creation time is moved so that it is later than that
        of all others.

        Raises:
            ExportMissing: If one of its exports is not there, or a pruning has condemned it.
            RepositoryDamaged: If one of its exports is not there, and the index is damaged, or has lost it.
            RepositoryLocked: If the lock was lost meanwhile.
        """
        name = points.name_of(point.id)
        try:
            return self._read_point(name)
        except locations.ObjectMissing:
            pass
        # Otherwise pruning could remove an export after it was found, and before it sees the restore point.
        with self.lock(locks.Use.SHARED, run=point.run) as lock:
            for reference in point.exports:
                self._refuse_missing(reference.export)
            lock.confirm_if_due()
            return self._put_point(name, point)

    def _refuse_missing(self, export: ids.ExportId) -> None:
        try:
            self.manifest(export, to_keep=True)
        except failures.ExportMissing:
            # Where the index has lost it, it may be in a pack, and count again when that was repaired.
            self.manifest(export)
            self.index.damage.refuse()
            raise

    def _put_point(self, name: str, point: RestorePoint) -> RestorePoint:
        # A damaged one must not keep anybody from making a new one.
        others = self.points(on_damaged=lambda _: None)
        newest = max((other.created for other in others), default=point.created - _TICK)
        stored = structs.replace(point, created=max(point.created, newest + _TICK))
        try:
            self.location.put(name, [self.keys.seal_object(name, points.encode(stored), self.random)])
        except locations.ObjectExists:
            return self._read_point(name)
        return stored

    def points(self, on_damaged: Callable[[failures.RepositoryDamaged], None] | None = None) -> list[RestorePoint]:
        """Return all restore points, newest first.

        Args:
            on_damaged: Called for each that is not what was written, which is then left out.

        Raises:
            RepositoryDamaged: If one is not what was written and `on_damaged` is not given.
        """
        found = []
        for info in self.location.list(points.PREFIX):
            try:
                found.append(self._read_point(info.name))
            except locations.ObjectMissing:
                continue
            except failures.RepositoryDamaged as problem:
                if on_damaged is None:
                    raise
                on_damaged(problem)
        return sorted(found, key=lambda point: (point.created, point.id), reverse=True)

    def point(self, prefix: str) -> RestorePoint:
        """Return the restore point whose id is, or begins with, a text; the newest of all for `latest`.

        Raises:
            RestorePointMissing: If there is none.
            UsageError: RT420 if there are several.
            RepositoryDamaged: If it is not what was written.
        """
        if prefix == points.LATEST:
            return points.newest(self.points(on_damaged=lambda _: None), self.location)
        return self._read_point(points.name_of(self.find_point(prefix)))

    def find_point(self, prefix: str) -> ids.RestorePointId:
        """Return the whole id of a restore point, which is not read.

        Raises:
            RestorePointMissing: If there is none.
            UsageError: RT420 if there are several.
        """
        return points.find(self.location, prefix)

    def delete_point(self, point: ids.RestorePointId) -> None:
        """Remove a restore point; succeeds if it does not exist. Its space is freed by the next pruning."""
        self.location.delete(points.name_of(point))

    def _read_point(self, name: str) -> RestorePoint:
        return points.decode(name, self.open_object(name))
