"""Key slots: each wraps the master key with a passphrase of its own, or with a key that a key service holds."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import hkdf

from runner.base import clock as clocks
from runner.base import generated, ids
from runner.registry import key_service
from runner.registry import location as locations
from runner.repository import crypto, encoding, failures

PREFIX = "keys/"
_SUM_SIZE = 32
_SALT_SIZE = 16
_NONCE = bytes(12)


class KdfCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one guess of a passphrase costs that somebody has chosen (Argon2id)."""

    memory_kib: int = 64 * 1024
    iterations: int = 3
    lanes: int = 4


DEFAULT_COST = KdfCost()
# What a slot asks for is not authenticated before it is paid: a forged one must not take all memory or time.
_MOST = KdfCost(memory_kib=4 * 1024 * 1024, iterations=64, lanes=64)


PASSPHRASE = "passphrase"
_ARGON2ID = "argon2id"
# For generated passphrases: to make a guess expensive protects what can be guessed.
_HKDF = "hkdf"
_PURPOSE = b"blueprint-runner passphrase"


class SlotInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a slot without opening it.

    Attributes:
        kind: `passphrase`, or the kind of its key service.
        key: The key of the service that wraps it; empty for a passphrase.
    """

    slot: str
    kind: str
    key: str
    created: datetime


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot as it is stored: the master key under a wrapping key, and where that comes from.

    Attributes:
        fields: What it says of itself.
        bound: The same as it is stored, authenticated with the master key.
        wrapped: The master key, encrypted.
    """

    name: str
    repository: bytes
    created: datetime
    kdf: str
    fields: encoding.Fields
    bound: bytes
    wrapped: bytes

    def info(self) -> SlotInfo:
        """Describe it for people."""
        kind, key = PASSPHRASE if self.kdf in (_ARGON2ID, _HKDF) else self.kdf, ""
        with contextlib.suppress(failures.RepositoryDamaged):  # what is of a kind that is not known here may lack it
            key = self.fields.text("key")
        return SlotInfo(slot=self.name, kind=kind, key=key, created=self.created)

    def wrapped_key(self) -> key_service.WrappedKey:
        """Return the wrapping key as its service wrapped it."""
        return key_service.WrappedKey(key=self.fields.text("key"), blob=self.fields.octets("blob"))

    @property
    def is_cheap(self) -> bool:
        """Whether it costs nothing to try a passphrase."""
        return self.kdf == _HKDF

    def open_with(self, passphrase: str) -> bytes | None:
        """Return the master key, or None if the passphrase is another one."""
        salt = self.fields.octets("salt")
        if self.is_cheap:
            return self.open(_derived(passphrase, salt))
        return self.open(_stretched(passphrase, salt, _cost_of(self.fields)))

    def open(self, wrapping: bytes) -> bytes | None:
        """Return the master key, or None if it was wrapped with another key."""
        try:
            return aead.AESGCM(wrapping).decrypt(_NONCE, self.wrapped, self.bound)
        except (exceptions.InvalidTag, ValueError):
            return None


def context_of(repository: bytes) -> dict[str, str]:
    """Return what a key service binds a wrapping key to."""
    return {"application": "blueprint-runner", "repository": repository.hex()}


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
    """Wrap the master key with a passphrase and store it as a new slot; return the slot's name.

    Args:
        location: Where the repository is.
        keys: Its keys.
        passphrase: The passphrase.
        cost: What a guess is to cost, unless the passphrase was generated.
        random: Source of the salt and the name.
        clock: The time.
    """
    salt, created = random(_SALT_SIZE), clock.now()
    described: dict[str, encoding.CborValue] = {"kdf": _HKDF, "salt": salt}
    if generated.is_passphrase(passphrase):
        wrapping = _derived(passphrase, salt)
    else:
        wrapping = _stretched(passphrase, salt, cost)
        price = {"memoryKiB": cost.memory_kib, "iterations": cost.iterations, "lanes": cost.lanes}
        described = {"kdf": _ARGON2ID, "salt": salt, **price}
    return _store(location, keys, wrapping, described, created=created, random=random)


def add_service(
    location: locations.Location,
    keys: crypto.Keys,
    service: key_service.KeyService,
    key: str,
    *,
    random: ids.RandomBytes,
    clock: clocks.Clock,
) -> str:
    """Wrap the master key with a key that a service wraps, and store it as a new slot; return the slot's name.

    Raises:
        KeyRefused: If the service does not wrap it, or would not give it back.
    """
    context = context_of(keys.repository)
    wrapping, wrapped = service.wrap(key, context)
    if service.unwrap(wrapped, context) != wrapping:
        raise key_service.KeyRefused(f"{service.kind} gave back another key than it wrapped", hint="report this")
    described: dict[str, encoding.CborValue] = {"kdf": service.kind, "key": wrapped.key, "blob": wrapped.blob}
    return _store(location, keys, wrapping, described, created=clock.now(), random=random)


def _store(
    location: locations.Location,
    keys: crypto.Keys,
    wrapping: bytes,
    described: dict[str, encoding.CborValue],
    *,
    created: datetime,
    random: ids.RandomBytes,
) -> str:
    bound = encoding.encode(
        {
            "version": crypto.VERSION,
            "repository": keys.repository,
            "created": encoding.from_datetime(created),
            **described,
        }
    )
    # The wrapping key belongs to this slot alone, so a constant nonce is used once.
    wrapped = aead.AESGCM(wrapping).encrypt(_NONCE, keys.master, bound)
    name = ids.base32(random(5), 8)
    location.put(PREFIX + name, [checksummed(encoding.encode({"slot": bound, "wrapped": wrapped}))])
    return name


def _derived(passphrase: str, salt: bytes) -> bytes:
    return hkdf.HKDF(hashes.SHA256(), crypto.KEY_SIZE, salt, _PURPOSE).derive(passphrase.encode())


def _stretched(passphrase: str, salt: bytes, cost: KdfCost) -> bytes:
    from argon2 import low_level  # here: who has a generated passphrase does not need it

    return low_level.hash_secret_raw(
        passphrase.encode(),
        salt,
        time_cost=cost.iterations,
        memory_cost=cost.memory_kib,
        parallelism=cost.lanes,
        hash_len=crypto.KEY_SIZE,
        type=low_level.Type.ID,
    )


def read(location: locations.Location, name: str) -> Slot:
    """Read a slot without opening it.

    Raises:
        RepositoryDamaged: If it is not what was written.
        RepositoryTooNew: If it has a version that is not known here.
    """
    outer = encoding.Fields(without_checksum(location.get(PREFIX + name), PREFIX + name), PREFIX + name)
    bound = outer.octets("slot")
    inner = encoding.Fields(bound, PREFIX + name)
    if inner.integer("version") != crypto.VERSION:
        raise failures.RepositoryTooNew(
            f"{PREFIX + name} is of a version that is not known here", hint="use a newer version of the runner"
        )
    slot = Slot(
        name=name,
        repository=inner.octets("repository", crypto.REPOSITORY_ID_SIZE),
        created=inner.moment("created"),
        kdf=inner.text("kdf"),
        fields=inner,
        bound=bound,
        wrapped=outer.octets("wrapped", crypto.KEY_SIZE + crypto.TAG_SIZE),
    )
    if slot.info().kind == PASSPHRASE:
        inner.octets("salt", _SALT_SIZE)
    if slot.kdf == _ARGON2ID and not _is_payable(_cost_of(inner)):
        raise failures.damaged(PREFIX + name, "it asks for more or less than a key slot may cost")
    return slot


def _cost_of(fields: encoding.Fields) -> KdfCost:
    return KdfCost(
        memory_kib=fields.integer("memoryKiB"), iterations=fields.integer("iterations"), lanes=fields.integer("lanes")
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


def of_repository(location: locations.Location, repository: bytes) -> list[Slot]:
    """Read the slots of a repository, ordered by name; others may be left of one that was never finished.

    Raises:
        RepositoryDamaged: If one is not what was written.
    """
    found = (read(location, name) for name in names(location))
    return [slot for slot in found if slot.repository == repository]


def by_passphrase(slots: Iterable[Slot]) -> list[Slot]:
    """Return the slots that a passphrase may open; those first that cost nothing to try."""
    return sorted((slot for slot in slots if slot.info().kind == PASSPHRASE), key=lambda slot: not slot.is_cheap)
