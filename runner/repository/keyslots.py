"""Key slots: each wraps the master key with a passphrase of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import exceptions
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import argon2

from runner.base import clock as clocks
from runner.base import ids
from runner.registry import location as locations
from runner.repository import crypto, encoding, failures

PREFIX = "keys/"
_SUM_SIZE = 32
_NONCE = bytes(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class KdfCost:
    """What one guess of the passphrase costs (Argon2id)."""

    memory_kib: int = 64 * 1024
    iterations: int = 3
    lanes: int = 4


DEFAULT_COST = KdfCost()
# What a slot asks for is not authenticated before it is paid: a forged one must not take all memory or time.
_MOST = KdfCost(memory_kib=4 * 1024 * 1024, iterations=64, lanes=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotInfo:
    """What is known of a slot without its passphrase."""

    slot: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    repository: bytes
    created: datetime
    salt: bytes
    cost: KdfCost
    wrapped: bytes

    def bound(self) -> bytes:
        fields: dict[str, encoding.CborValue] = {
            "version": crypto.VERSION,
            "repository": self.repository,
            "created": encoding.from_datetime(self.created),
            "kdf": "argon2id",
            "salt": self.salt,
            "memoryKiB": self.cost.memory_kib,
            "iterations": self.cost.iterations,
            "lanes": self.cost.lanes,
        }
        return encoding.encode(fields)

    def cipher(self, passphrase: str) -> aead.AESGCM:
        kdf = argon2.Argon2id(
            salt=self.salt,
            length=crypto.KEY_SIZE,
            iterations=self.cost.iterations,
            lanes=self.cost.lanes,
            memory_cost=self.cost.memory_kib,
        )
        return aead.AESGCM(kdf.derive(passphrase.encode()))


def checksummed(payload: bytes) -> bytes:
    """Append a checksum, for the few objects that are read before any key is there."""
    return payload + hashlib.sha256(payload).digest()


def without_checksum(data: bytes, name: str) -> bytes:
    """Remove and verify what `checksummed` appended.

    Raises:
        RepositoryDamaged: If it does not fit.
    """
    payload = data[:-_SUM_SIZE]
    if hashlib.sha256(payload).digest() != data[-_SUM_SIZE:]:
        raise failures.damaged(name, "its checksum does not fit")
    return payload


def add(
    location: locations.Location,
    keys: crypto.Keys,
    passphrase: str,
    *,
    cost: KdfCost,
    random: ids.RandomBytes,
    clock: clocks.Clock,
) -> str:
    """Wrap the master key with a passphrase and store it as a new slot; return the slot's name."""
    slot = _Slot(repository=keys.repository, created=clock.now(), salt=random(16), cost=cost, wrapped=b"")
    bound = slot.bound()
    # The wrapping key belongs to this salt alone, so a constant nonce is used once.
    wrapped = slot.cipher(passphrase).encrypt(_NONCE, keys.master, bound)
    name = ids.base32(random(5), 8)
    location.put(PREFIX + name, [checksummed(encoding.encode({"slot": bound, "wrapped": wrapped}))])
    return name


def read(location: locations.Location, name: str) -> _Slot:
    """Read a slot without opening it.

    Raises:
        RepositoryDamaged: If it is not what was written.
    """
    outer = encoding.Fields(without_checksum(location.get(PREFIX + name), PREFIX + name), PREFIX + name)
    inner = encoding.Fields(outer.octets("slot"), PREFIX + name)
    if inner.text("kdf") != "argon2id" or inner.integer("version") != crypto.VERSION:
        raise failures.RepositoryTooNew(
            f"{PREFIX + name} is of a kind that is not known here", hint="use a newer version of the runner"
        )
    cost = KdfCost(
        memory_kib=inner.integer("memoryKiB"), iterations=inner.integer("iterations"), lanes=inner.integer("lanes")
    )
    if not _is_payable(cost):
        raise failures.damaged(PREFIX + name, "it asks for more or less than a key slot may cost")
    return _Slot(
        repository=inner.octets("repository", crypto.REPOSITORY_ID_SIZE),
        created=inner.moment("created"),
        salt=inner.octets("salt"),
        cost=cost,
        wrapped=outer.octets("wrapped", crypto.KEY_SIZE + crypto.TAG_SIZE),
    )


def _is_payable(cost: KdfCost) -> bool:
    return (
        1 <= cost.lanes <= _MOST.lanes
        and 1 <= cost.iterations <= _MOST.iterations
        and 8 * cost.lanes <= cost.memory_kib <= _MOST.memory_kib
    )


def names(location: locations.Location) -> Iterator[str]:
    """Yield the names of all slots."""
    for info in location.list(PREFIX):
        yield info.name.removeprefix(PREFIX)


def describe(location: locations.Location, repository: bytes) -> list[SlotInfo]:
    """Describe the slots of a repository, ordered by name; others may be left of one that was never finished.

    Raises:
        RepositoryDamaged: If one is not what was written.
    """
    found = ((name, read(location, name)) for name in names(location))
    return [SlotInfo(slot=name, created=slot.created) for name, slot in found if slot.repository == repository]


def unlock(location: locations.Location, repository: bytes, passphrase: str) -> tuple[str, crypto.Keys]:
    """Find the slot that a passphrase opens; return its name and the keys.

    Raises:
        WrongPassphrase: If it opens none.
        RepositoryDamaged: If it opens none, and one of them is damaged.
    """
    broken: failures.RepositoryDamaged | None = None
    for name in names(location):
        try:
            slot = read(location, name)
        except failures.RepositoryDamaged as problem:
            broken = problem
            continue
        if slot.repository != repository:
            continue
        try:
            master = slot.cipher(passphrase).decrypt(_NONCE, slot.wrapped, slot.bound())
        except exceptions.InvalidTag:
            continue
        return name, crypto.Keys(master, repository)
    if broken is not None:
        raise broken
    raise failures.WrongPassphrase(
        f"the passphrase does not open the repository at {location.url}",
        hint="give the passphrase that the repository was made with, or one of those added later",
    )
