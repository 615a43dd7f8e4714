"""Who uses a repository: the locks of exports and runs, and of prunings."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType

import msgspec

from runner.base import clock as clocks
from runner.base import ids
from runner.base import owner as owners
from runner.registry import location as locations
from runner.repository import crypto, encoding, expired, failures

PREFIX = "locks/"
EXPIRY = timedelta(minutes=30)
_REFRESH_S = 300.0


class Use(StrEnum):
    """What a lock is held for."""

    SHARED = "shared"
    """Something new refers to what is there: an export, or a restore point. Pruning removes nothing it may rely on."""
    PRUNE = "prune"
    """Something is removed or replaced. It is for one at a time."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """What a lock says about who holds it.

    Attributes:
        name: Of the lock, without `locks/`.
        owner: None where the lock cannot be read.
        host: Name of the machine, for people.
    """

    name: str
    use: Use
    owner: owners.Owner | None
    host: str
    run: str

    def __str__(self) -> str:
        if self.owner is None:
            return f"{self.use} lock {self.name}, unreadable"
        return f"{self.use} lock of process {self.owner.pid} on {self.host}" + (f", run {self.run}" if self.run else "")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the locks has shown.

    Attributes:
        expired: Whether one was taken away from a holder who may be alive.
    """

    holders: Sequence[Holder]
    expired: bool

    def of(self, use: Use) -> list[Holder]:
        """Return those of one kind."""
        return [holder for holder in self.holders if holder.use is use]


class Lock:
    """A lock that is held while the context lasts.

    Taking one means to announce it first and to look for others then, so that of two who exclude each other at least
    one sees the other.

    Args:
        location: Where the repository is.
        keys: Its keys.
        use: What it is held for.
        run: The run that it is for, to be shown to others.
        random: Source of the lock's name.
        clock: Says when to refresh it.
    """

    def __init__(
        self,
        location: locations.Location,
        keys: crypto.Keys,
        *,
        use: Use,
        run: str,
        random: ids.RandomBytes,
        clock: clocks.Clock,
    ) -> None:
        self._location = location
        self._keys = keys
        self._use = use
        self.run = run
        self._random = random
        self._clock = clock
        self.name = f"{use}-{ids.base32(random(10), 16)}"
        self._object = PREFIX + self.name
        self._refreshed = 0.0

    def __enter__(self) -> Lock:
        self._put(overwrite=False)
        try:
            # What is looked for from here on is seen, or its owner sees this lock.
            pause(self._location, self._clock)
            self._refuse_others()
        except BaseException:
            self._location.delete(self._object)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._location.delete(self._object)

    def stored_at(self) -> datetime:
        """Return when the lock was last stored, by the clock of the location.

        Raises:
            RepositoryLocked: If it was taken away since.
        """
        try:
            return self._location.stat(self._object).modified
        except locations.ObjectMissing as problem:
            raise self._lost() from problem

    def confirm(self) -> None:
        """Refresh the lock, and make sure that it is still held.

        Raises:
            RepositoryLocked: If somebody took it for a dead one, so that what it protected may be gone.
        """
        self.stored_at()
        self._put(overwrite=True)
        self.ensure()

    def confirm_if_due(self) -> None:
        """Do what `confirm` does, but every five minutes only."""
        if self._clock.monotonic() - self._refreshed >= _REFRESH_S:
            self.confirm()

    def ensure(self) -> None:
        """Make sure that the lock was held until now.

        Raises:
            RepositoryLocked: If not.
        """
        if expired.has(self._location, self.name):
            raise self._lost()

    def _lost(self) -> failures.RepositoryLocked:
        minutes = round(EXPIRY.total_seconds() / 60)
        return failures.RepositoryLocked(
            f"the {self._use} lock was taken away while it was held: it had not been refreshed for {minutes} minutes",
            hint="run it again",
        )

    def _put(self, *, overwrite: bool) -> None:
        record: dict[str, encoding.CborValue] = {
            "owner": str(owners.current()),
            "host": os.uname().nodename,
            "run": self.run,
            "refreshed": encoding.from_datetime(self._clock.now()),
        }
        data = self._keys.seal_object(self._object, encoding.encode(record), self._random)
        # Taken before the call: the clock of the location stamps it later, so that it is never too late to refresh.
        started = self._clock.monotonic()
        self._location.put(self._object, [data], overwrite=overwrite)
        self._refreshed = started

    def _refuse_others(self) -> None:
        if self._use is not Use.PRUNE:
            return
        for holder in look(self._location, self._keys, self._random).of(Use.PRUNE):
            if holder.name != self.name:
                raise failures.RepositoryLocked(
                    f"the repository at {self._location.url} is in use: {holder}",
                    hint="wait until the other has finished, then run it again",
                )


def pause(location: locations.Location, clock: clocks.Clock, times: int = 1) -> None:
    """Wait until listings show what was stored before."""
    if location.listing_delay:
        clock.wait(threading.Event(), location.listing_delay * times)


def look(location: locations.Location, keys: crypto.Keys, random: ids.RandomBytes) -> Seen:
    """Look who holds a lock; locks of dead processes, and those that nobody has refreshed, are taken away."""
    found = list(location.list(PREFIX))
    newest = max((info.modified for info in found), default=None)
    holders: list[Holder] = []
    expiries = 0
    for info in found:
        holder = _read(location, keys, info.name)
        if holder is None:
            continue
        # The times are those of the location, so clocks of machines that differ do no harm.
        is_old = newest is not None and newest - info.modified > EXPIRY
        if _is_gone(holder):
            location.delete(info.name)
        elif is_old and not _is_seen_from_here(holder):
            expired.put(location, keys, holder.name, random)
            location.delete(info.name)
            expiries += 1
        else:
            holders.append(holder)
    return Seen(holders=holders, expired=expiries > 0)


def _is_gone(holder: Holder) -> bool:
    return holder.owner is not None and owners.is_gone(holder.owner)


def _is_seen_from_here(holder: Holder) -> bool:
    here = owners.current()
    return holder.owner is not None and (holder.owner.boot, holder.owner.namespace) == (here.boot, here.namespace)


def _read(location: locations.Location, keys: crypto.Keys, name: str) -> Holder | None:
    lock = name.removeprefix(PREFIX)
    kind = lock.partition("-")[0]
    # What is not known here may be anything; like an export it is waited for.
    use = Use(kind) if kind in set(Use) else Use.SHARED
    try:
        fields = encoding.Fields(keys.open_object(name, location.get(name)), name)
        owner = owners.parse(fields.text("owner"))
        return Holder(name=lock, use=use, owner=owner, host=fields.text("host"), run=fields.text("run"))
    except locations.ObjectMissing:
        return None
    except (failures.RepositoryDamaged, ValueError):
        return Holder(name=lock, use=use, owner=None, host="", run="")
