"""Who uses a repository: shared locks of exports and runs, the exclusive lock of pruning."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType

from runner.base import clock as clocks
from runner.base import ids
from runner.base import owner as owners
from runner.registry import location as locations
from runner.repository import crypto, encoding, failures

PREFIX = "locks/"
EXPIRY = timedelta(minutes=30)
_REFRESH_S = 300.0
_ASK_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What a lock says about who holds it.

    Attributes:
        owner: None where the lock cannot be read.
        host: Name of the machine, for people.
    """

    name: str
    exclusive: bool
    owner: owners.Owner | None
    host: str
    run: str

    def __str__(self) -> str:
        kind = "exclusive" if self.exclusive else "shared"
        if self.owner is None:
            return f"{kind} lock {self.name}, unreadable"
        return f"{kind} lock of process {self.owner.pid} on {self.host}" + (f", run {self.run}" if self.run else "")


class Lock:
    """A lock that is held while the context lasts.

    Taking one means to announce it first and to look for others then, so that of two who exclude each other at least
    one sees the other.

    Args:
        location: Where the repository is.
        keys: Its keys.
        exclusive: Whether nobody else may hold any lock.
        run: The run that it is for, to be shown to others.
        random: Source of the lock's name.
        clock: Says when to refresh it.
        patience: How long to wait for others who exclude it.
    """

    def __init__(
        self,
        location: locations.Location,
        keys: crypto.Keys,
        *,
        exclusive: bool,
        run: str,
        random: ids.RandomBytes,
        clock: clocks.Clock,
        patience: timedelta = timedelta(0),
    ) -> None:
        self._location = location
        self._keys = keys
        self._exclusive = exclusive
        self.run = run
        self._random = random
        self._clock = clock
        self._patience = patience.total_seconds()
        self._name = f"{PREFIX}{'exclusive' if exclusive else 'shared'}-{ids.base32(random(10), 16)}"
        self._refreshed = 0.0

    def __enter__(self) -> Lock:
        give_up = self._clock.monotonic() + self._patience
        while True:
            try:
                self._take()
                return self
            except failures.RepositoryLocked:
                if self._clock.monotonic() >= give_up:
                    raise
            self._clock.wait(threading.Event(), _ASK_AGAIN_S)

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._location.delete(self._name)

    def stored_at(self) -> datetime:
        """Return when the lock was last stored, by the clock of the location."""
        return self._location.stat(self._name).modified

    def confirm(self) -> None:
        """Make sure that the lock is still held, and refresh it if that is due.

        Raises:
            RepositoryLocked: If somebody took it for a dead one, so that what it protected may be gone.
        """
        try:
            self._location.stat(self._name)
        except locations.ObjectMissing as problem:
            raise failures.RepositoryLocked(
                "the lock of this export was taken away while it ran", hint="run it again"
            ) from problem
        self._put(overwrite=True)

    def confirm_if_due(self) -> None:
        """Do what `confirm` does, but every five minutes only."""
        if self._clock.monotonic() - self._refreshed >= _REFRESH_S:
            self.confirm()

    def _take(self) -> None:
        self._put(overwrite=False)
        try:
            self._refuse_others()
        except BaseException:
            self._location.delete(self._name)
            raise

    def _put(self, *, overwrite: bool) -> None:
        record: dict[str, encoding.CborValue] = {
            "exclusive": self._exclusive,
            "owner": str(owners.current()),
            "host": socket.gethostname(),
            "run": self.run,
            "refreshed": encoding.from_datetime(self._clock.now()),
        }
        data = self._keys.seal_object(self._name, encoding.encode(record), self._random)
        self._location.put(self._name, [data], overwrite=overwrite)
        self._refreshed = self._clock.monotonic()

    def _refuse_others(self) -> None:
        if self._location.listing_delay:
            self._clock.wait(threading.Event(), self._location.listing_delay)
        for holder in holders(self._location, self._keys):
            if holder.name != self._name and (self._exclusive or holder.exclusive):
                raise failures.RepositoryLocked(
                    f"the repository at {self._location.url} is in use: {holder}",
                    hint="wait until the other has finished, then run it again",
                )


def holders(location: locations.Location, keys: crypto.Keys) -> Iterator[Holder]:
    """Yield all who hold a lock; locks of dead processes are removed on the way."""
    found = list(location.list(PREFIX))
    newest = max((info.modified for info in found), default=None)
    for info in found:
        holder = _read(location, keys, info.name)
        if holder is None:
            continue
        # The times are those of the location, so clocks of machines that differ do no harm.
        expired = newest is not None and newest - info.modified > EXPIRY
        if _is_gone(holder) or (expired and not _is_seen_from_here(holder)):
            location.delete(info.name)
            continue
        yield holder


def _is_gone(holder: Holder) -> bool:
    return holder.owner is not None and owners.is_gone(holder.owner)


def _is_seen_from_here(holder: Holder) -> bool:
    here = owners.current()
    return holder.owner is not None and (holder.owner.boot, holder.owner.namespace) == (here.boot, here.namespace)


def _read(location: locations.Location, keys: crypto.Keys, name: str) -> Holder | None:
    exclusive = name.startswith(f"{PREFIX}exclusive-")
    try:
        fields = encoding.Fields(keys.open_object(name, location.get(name)), name)
        owner = owners.parse(fields.text("owner"))
        return Holder(name=name, exclusive=exclusive, owner=owner, host=fields.text("host"), run=fields.text("run"))
    except locations.ObjectMissing:
        return None
    except (failures.RepositoryDamaged, ValueError):
        return Holder(name=name, exclusive=exclusive, owner=None, host="", run="")
