"""The contract of a location: a flat store of named objects, kept small enough for a directory and an object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

from runner.base import cancel as cancels
from runner.base import errors
from runner.base.jsonvalue import JsonObject

Buffer: TypeAlias = "bytes | bytearray | memoryview"


class LocationError(errors.PermanentError):
    """A location operation failed."""

    default_code = "RT400"


class LocationUnavailable(errors.TransientError):
    """A location operation failed and may succeed later (network, throttling)."""

    default_code = "RT400"


class ObjectMissing(LocationError):
    """There is no object of that name."""

    default_code = "RT401"


class ObjectExists(LocationError):
    """There is an object of that name already."""

    default_code = "RT402"


class ObjectLocked(LocationError):
    """The object may not be changed or removed before its retention has ended."""

    default_code = "RT422"


class ObjectInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing tells about an object."""

    name: str
    size: int
    modified: datetime


class Location(Protocol):
    """Stores objects by name.

    Names are relative paths of `[A-Za-z0-9._-]+` parts, other than `.` and `..`, joined by `/`; anything else is a
    `ValueError` on the way in and is never listed. A name that others continue with a `/` is no object itself. All
    calls are safe from several threads and processes. A `put` that has returned is durable (it survives a power loss)
    and complete: no reader ever sees half an object. What was put can be read at once by anybody (read after write); a
    listing may lag behind by `listing_delay`. Errors are `LocationError` and `LocationUnavailable` only; a full disk is
    `EnvironmentProblem` RT312, a missing permission RT311, a bucket that is not there RT404.
    """

    @property
    def url(self) -> str:
        """Where it is, for people and for `--location`; holds no credentials."""

    @property
    def listing_delay(self) -> float:
        """Seconds after which a listing shows what was put; 0 when at once."""

    def put(self, name: str, data: Sequence[Buffer], *, overwrite: bool = False) -> None:
        """Store the concatenation of the buffers; the call may take long and does not keep the buffers.

        Raises:
            ObjectExists: If there is one of that name and `overwrite` is false; it is left as it was.
        """

    def get(self, name: str) -> bytes:
        """Return a whole object.

        Raises:
            ObjectMissing: If there is none.
        """

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on.

        Raises:
            ObjectMissing: If there is none.
            LocationError: If the object ends before the target is full (code RT400).
        """

    def stat(self, name: str) -> ObjectInfo:
        """Describe an object.

        Raises:
            ObjectMissing: If there is none.
        """

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all objects whose name starts with `prefix` (a text, not only whole parts), in the order of names."""

    def delete(self, name: str) -> None:
        """Remove an object; succeeds when there is none."""

    def sweep(self) -> int:
        """Remove what interrupted calls of dead processes left behind (temporary files); return how many."""


# Opens a location from the `spec` of its profile.
Factory: TypeAlias = Callable[[JsonObject], Location]


def exists(place: Location, name: str) -> bool:
    """Tell whether there is an object of a name."""
    try:
        place.stat(name)
    except ObjectMissing:
        return False
    return True


@runtime_checkable
class Conditional(Protocol):
    """A location that can tell whether its store refuses to write a name twice, also to two at the same moment."""

    def honours_conditions(self, name: str) -> bool:
        """Find it out with an object of this name, whose content is lost."""


@runtime_checkable
class Bounded(Protocol):
    """A location that can tell when it is too full for more exports; what frees space is never held up by that."""

    def check_room(self) -> None:
        """Find out whether more may be exported.

        Raises:
            EnvironmentProblem: RT312 if not.
        """


@runtime_checkable
class Retaining(Protocol):
    """A location that locks what is stored, so that it cannot be removed before a date."""

    def locked_until(self, name: str) -> datetime | None:
        """Return when the lock of an object ends; None if it can be removed now."""

    def extend(self, name: str) -> None:
        """Lock an object for as long as one that is stored now, because it is used again."""

    def check_retention(self) -> str:
        """Describe the lock.

        Raises:
            EnvironmentProblem: RT403 if the store is not set up for it.
        """


@runtime_checkable
class Paced(Protocol):
    """A location of which a call may wait for its turn."""

    def giving_up(self, cancel: cancels.CancelToken) -> Location:
        """Return the same location, of which a call that waits fails as soon as the token is cancelled."""


def giving_up(place: Location, cancel: cancels.CancelToken) -> Location:
    """Return a location of which no call waits for its turn any more once a token is cancelled."""
    return place.giving_up(cancel) if isinstance(place, Paced) else place
