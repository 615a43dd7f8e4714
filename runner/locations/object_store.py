"""A location in an object store: Amazon S3 and what is compatible with it, Azure Blob Storage, Google Cloud Storage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.locations import names, object_errors
from runner.registry import location

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Store

# Larger objects are uploaded in parts. No store can make that conditional through this client, so it looks first.
_SINGLE = 64 << 20
_PART = 16 << 20
_PARALLEL_PARTS = 4
_PAGE = 1000


class ObjectStore:
    """Stores objects in a bucket (or container), below a prefix.

    Writing once is left to the store (`If-None-Match: *`, or the provider's own way to say it) where that is known to
    be honoured. Elsewhere the name is looked up first, which is not safe against somebody who does the same at the
    same moment; what relies on it takes names that nobody else takes.

    Args:
        store: A client of obstore.
        url: What stands after `--location`.
        prefix: Empty, or the beginning of all keys with a final slash.
        is_conditional: Whether the store is known to honour conditional writes.
    """

    # All three providers promise that a listing shows what was put before.
    listing_delay = 0.0

    def __init__(self, store: Store, url: str, *, prefix: str, is_conditional: bool) -> None:
        self._store = store
        self._url = url
        self._prefix = prefix
        self._looks_first = not is_conditional
        self._may_ask = True

    @property
    def url(self) -> str:
        """The `s3://`, `az://` or `gs://` URL."""
        return self._url

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Store an object; it appears when all of it has arrived."""
        names.check(name)
        views = [view for view in (memoryview(buffer).cast("B") for buffer in data) if len(view)]
        in_parts = sum(map(len, views)) > _SINGLE
        if not overwrite and (self._looks_first or in_parts):
            self._refuse_if_taken(name)
        if overwrite or in_parts or not self._may_ask:
            with self._translated(name):
                self._upload(name, views, in_parts=in_parts)
        else:
            self._create(name, views)

    def get(self, name: str) -> bytes:
        """Return a whole object."""
        import obstore

        key = self._key(name)
        with self._translated(name):
            return obstore.get(self._store, key).bytes().to_bytes()

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on with one request."""
        import obstore

        key = self._key(name)
        rest = memoryview(target).cast("B")
        if not rest:
            return
        with self._translated(name):
            found = memoryview(obstore.get_range(self._store, key, start=offset, length=len(rest)))
        if len(found) != len(rest):
            raise location.LocationError(f"the object {name} in {self._url} ends before what is to be read")
        rest[:] = found

    def stat(self, name: str) -> location.ObjectInfo:
        """Describe an object."""
        import obstore

        key = self._key(name)
        with self._translated(name):
            return _info(name, obstore.head(self._store, key))

    def list(self, prefix: str) -> Iterator[location.ObjectInfo]:
        """List objects in the order of names, which not every store keeps to; so all of them are in memory at once."""
        names.check_prefix(prefix)
        found = sorted(self._listed(prefix), key=lambda info: info.name)
        # Some programs mark a "directory" with an empty object, whose final slash the client does not tell.
        marks = {info.name for info in found if not info.size and any(_is_below(other, info.name) for other in found)}
        return (info for info in found if info.name not in marks)

    def delete(self, name: str) -> None:
        """Remove an object."""
        import obstore

        key = self._key(name)
        with contextlib.suppress(location.ObjectMissing), self._translated(name):
            obstore.delete(self._store, key)

    def sweep(self) -> int:
        """Find nothing: parts of an upload that was cut off are no objects, and the store's own rules remove them."""
        return 0

    def honours_conditions(self, name: str) -> bool:
        """Tell whether the store refuses to create an object that it has, without any look at the name before."""
        import obstore
        from obstore import exceptions

        self.put(name, [b"1"], overwrite=True)
        with self._translated(name):
            try:
                obstore.put(self._store, self._key(name), b"2", mode="create", use_multipart=False)
            except exceptions.AlreadyExistsError:
                return True
            except exceptions.BaseError as problem:
                if not object_errors.Answer(problem).is_unsupported:
                    raise
        return False

    def _key(self, name: str) -> str:
        return self._prefix + names.check(name)

    def _listed(self, prefix: str) -> Iterator[location.ObjectInfo]:
        import obstore

        # The client takes whole parts of names only.
        parent = (self._prefix + prefix).rpartition("/")[0]
        with self._translated(prefix):
            for page in obstore.list(self._store, parent or None, chunk_size=_PAGE):
                for meta in page:
                    name = meta["path"].removeprefix(self._prefix)
                    if name.startswith(prefix) and all(map(names.is_part, name.split("/"))):
                        yield _info(name, meta)

    def _refuse_if_taken(self, name: str) -> None:
        with contextlib.suppress(location.ObjectMissing):
            self.stat(name)
            raise object_errors.exists(name)

    def _create(self, name: str, views: Sequence[memoryview]) -> None:
        import obstore

        try:
            obstore.put(self._store, self._key(name), iter(views), mode="create", use_multipart=False)
        except (obstore.exceptions.BaseError, OSError) as problem:
            answer = object_errors.Answer(problem)
            if answer.is_unsupported and self._looks_first:
                self._may_ask = False
                with self._translated(name):
                    self._upload(name, views, in_parts=False)
                return
            failure = object_errors.translate(problem, name, self._url)
            # The first of several tries may have been the one that took the name, and its answer was lost.
            repeated = isinstance(failure, location.ObjectExists) and answer.repeated
            if not (repeated and self.get(name) == b"".join(views)):
                raise failure from problem

    def _upload(self, name: str, views: Sequence[memoryview], *, in_parts: bool) -> None:
        import obstore

        obstore.put(
            self._store,
            self._key(name),
            iter(views),
            use_multipart=in_parts,
            chunk_size=_PART,
            max_concurrency=_PARALLEL_PARTS,
        )

    @contextlib.contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        """Turn errors of the client into those of the contract."""
        from obstore import exceptions

        try:
            yield
        except (exceptions.BaseError, OSError) as problem:
            raise object_errors.translate(problem, name, self._url) from problem


def _info(name: str, meta: ObjectMeta) -> location.ObjectInfo:
    # A listing tells fractions of seconds that the header of an object has no room for.
    modified = meta["last_modified"].replace(microsecond=0)
    return location.ObjectInfo(name=name, size=meta["size"], modified=modified)


def _is_below(info: location.ObjectInfo, name: str) -> bool:
    return info.name.startswith(name + "/")
