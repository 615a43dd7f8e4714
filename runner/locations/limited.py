"""A location that takes only so much of the network and of its server: bytes a second, and requests at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Self

import msgspec

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors, quantities
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.locations import wrapper
from runner.registry import location


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a location profile allows; None for as much as there is.

    Attributes:
        upload: Bytes a second that are written.
        download: Bytes a second that are read.
        parallel: Requests at once.
        workers: Threads that compress, encrypt and move data.
        temporary: Bytes of temporary space that a run may take at once.
    """

    upload: int | None = None
    download: int | None = None
    parallel: int | None = None
    workers: int | None = None
    temporary: int | None = None

    def __str__(self) -> str:
        size = quantities.bytes_for_people
        said = [
            f"upload {size(self.upload)}/s" if self.upload else "",
            f"download {size(self.download)}/s" if self.download else "",
            f"requests at once: {self.parallel}" if self.parallel else "",
            f"workers: {self.workers}" if self.workers else "",
            f"temporary {size(self.temporary)}" if self.temporary else "",
        ]
        return ", ".join(filter(None, said))


def limits_of(spec: JsonObject) -> Limits | None:
    """Return the limits of a location profile, or None.

    Raises:
        UsageError: RT403 if a size is none.
    """
    found = spec.get("limits")
    if not isinstance(found, dict) or not found:
        return None
    return Limits(
        upload=_size(found, "upload"),
        download=_size(found, "download"),
        parallel=_count(found.get("parallel")),
        workers=_count(found.get("workers")),
        temporary=_size(found, "temporary"),
    )


def wrap(inner: location.Location, limits: Limits | None, clock: clocks.Clock) -> location.Location:
    """Return a location that keeps to the limits and can do all that the one inside can."""
    if limits is None or limits == Limits(workers=limits.workers, temporary=limits.temporary):
        return inner
    parts = [part for protocol, part in _PARTS.items() if isinstance(inner, protocol)]
    made: Limited = type("Limited", (*parts, Limited), {})(inner, limits, clock)
    return made


class _Ticket(msgspec.Struct, kw_only=True, eq=False):
    """The turn of somebody who waits: when it begins, how many seconds it lasts; `moved` when that may be different."""

    start: float
    lasts: float
    moved: threading.Event = msgspec.field(default_factory=threading.Event)


class _Pace:
    """Hands out the time of a line that carries so many bytes a second: who comes waits until those before are through.

    What is handed over in one call goes as a whole, so the rate holds over several of them.
    """

    def __init__(self, rate: int | None, clock: clocks.Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._free_from = 0.0
        self._waiting: list[_Ticket] = []

    def take(self, size: int, cancel: cancels.CancelToken) -> None:
        """Wait until so many bytes may go.

        Raises:
            Cancelled: If the token is cancelled meanwhile (or `TimedOut`); those behind move up.
        """
        if self._rate is None:
            return
        with self._lock:
            now = self._clock.monotonic()
            ticket = _Ticket(start=max(now, self._free_from), lasts=size / self._rate)
            self._free_from = ticket.start + ticket.lasts
            if ticket.start <= now:
                return
            self._waiting.append(ticket)
        forget = cancel.on_cancel(ticket.moved.set)
        try:
            while self._clock.wait(ticket.moved, max(0.0, ticket.start - self._clock.monotonic())):
                ticket.moved.clear()
                cancel.raise_if_cancelled()
        except BaseException:
            self._leave(ticket)
            raise
        finally:
            forget()
        with self._lock:
            self._waiting.remove(ticket)

    def _leave(self, ticket: _Ticket) -> None:
        with self._lock:
            place = self._waiting.index(ticket)
            for later in self._waiting[place + 1 :]:
                later.start -= ticket.lasts
                later.moved.set()
            del self._waiting[place]
            self._free_from -= ticket.lasts


class Limited(wrapper.Wrapper):
    """Hands on every call when it is its turn.

    Args:
        inner: The location.
        limits: What it may take.
        clock: Measures and waits.
    """

    def __init__(self, inner: location.Location, limits: Limits, clock: clocks.Clock) -> None:
        super().__init__(inner)
        self._up = _Pace(limits.upload, clock)
        self._down = _Pace(limits.download, clock)
        self._cancel = cancels.CancelToken(clock)
        self._turn: AbstractContextManager[object] = nullcontext()
        if limits.parallel is not None:
            self._turn = threading.BoundedSemaphore(limits.parallel)

    def giving_up(self, cancel: cancels.CancelToken) -> Self:
        """Return the same location for a piece of work that may be given up."""
        found = super().giving_up(cancel)
        found._cancel = cancel
        return found

    def put(self, name: str, data: Sequence[location.Buffer], *, overwrite: bool = False) -> None:
        """Store an object."""
        self._up.take(sum(memoryview(buffer).nbytes for buffer in data), self._cancel)
        with self._turn:
            self._inner.put(name, data, overwrite=overwrite)

    def get(self, name: str) -> bytes:
        """Return a whole object; how long it is shows only then, so those that follow wait for it."""
        self._down.take(0, self._cancel)
        with self._turn:
            found = self._inner.get(name)
        self._down.take(len(found), self._cancel)
        return found

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        """Fill `target` from `offset` on."""
        self._down.take(target.nbytes, self._cancel)
        with self._turn:
            self._inner.read_into(name, offset, target)

    def stat(self, name: str) -> location.ObjectInfo:
        """Describe an object."""
        with self._turn:
            return self._inner.stat(name)

    def delete(self, name: str) -> None:
        """Remove an object."""
        with self._turn:
            self._inner.delete(name)


class _Bounded:
    _inner: location.Bounded

    def check_room(self) -> None:
        """Ask the location inside."""
        self._inner.check_room()


class _Conditional:
    _inner: location.Conditional

    def honours_conditions(self, name: str) -> bool:
        """Ask the location inside."""
        return self._inner.honours_conditions(name)


class _Retaining:
    _inner: location.Retaining

    def locked_until(self, name: str) -> datetime | None:
        """Ask the location inside."""
        return self._inner.locked_until(name)

    def extend(self, name: str) -> None:
        """Have the location inside do it."""
        self._inner.extend(name)

    def check_retention(self) -> str:
        """Ask the location inside."""
        return self._inner.check_retention()


_PARTS: dict[type, type] = {
    location.Bounded: _Bounded,
    location.Conditional: _Conditional,
    location.Retaining: _Retaining,
}


def _size(limits: JsonObject, name: str) -> int | None:
    value = limits.get(name)
    if value is None:
        return None
    try:
        size = quantities.parse_bytes(str(value))
    except ValueError as problem:
        raise errors.UsageError(str(problem), code="RT403", hint=f"write limits.{name} like 20MiB") from problem
    if size < 1:
        hint = "leave it out for no limit"
        raise errors.UsageError(f"limits.{name} is less than a byte", code="RT403", hint=hint)
    return size


def _count(value: JsonValue) -> int | None:
    return None if value is None else int(str(value))
