"""What opens a repository that has several kinds of key slots, in which order, and what is said when nothing does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cbor2
import pytest
from cryptography.hazmat.primitives.ciphers import aead

from runner.base import codes, errors
from runner.registry import key_service
from runner.repository import access, encoding, failures, keys, keyslots, repository, unlocking
from tests.unit.repository.making import CHEAP, make, noise, put


@dataclass
class Service:
    """A key service of the tests: it wraps by a keyed hash, and can be made to refuse."""

    kind: str = "aws-kms"
    refuses: str = ""
    asked: list[str] = field(default_factory=list)

    def wrap(self, key: str, context: Mapping[str, str]) -> tuple[bytes, key_service.WrappedKey]:
        self._refuse()
        blob = b"wrapped"
        return self._plain(key, blob, context), key_service.WrappedKey(key=key, blob=blob)

    def unwrap(self, wrapped: key_service.WrappedKey, context: Mapping[str, str]) -> bytes:
        self.asked.append(wrapped.key)
        self._refuse()
        return self._plain(wrapped.key, wrapped.blob, context)

    def _plain(self, key: str, blob: bytes, context: Mapping[str, str]) -> bytes:
        return hashlib.sha256(repr((self.kind, key, blob, sorted(context.items()))).encode()).digest()

    def _refuse(self) -> None:
        if self.refuses:
            raise key_service.KeyRefused(self.refuses, details="as the service says", hint="mend it")


def nothing() -> str:
    raise errors.EnvironmentProblem("no passphrase was given", code="RT413")


def means(
    *services: Service, passphrase: Callable[[], str] = nothing, ask: Callable[[], str] | None = None
) -> unlocking.Means:
    return unlocking.Means(passphrase=passphrase, services={one.kind: one for one in services}, ask=ask)


def reopened(repo: repository.Repository, by: unlocking.Means) -> str:
    return access.open(repo.location, by, clock=repo.clock).id


def test_a_service_opens_the_repository_without_a_passphrase() -> None:
    repo, service = make(), Service()
    slot = keys.add_service(repo, service, "first key")
    assert reopened(repo, means(service)) == repo.id
    (found,) = [info for info in keys.slots(repo) if info.slot == slot]
    assert (found.kind, found.key) == ("aws-kms", "first key")


def test_adding_and_changing_keys_rewrites_no_data() -> None:
    repo = make()
    put(repo, "a", noise("a", 5000))
    before = {info.name: repo.location.get(info.name) for info in repo.location.list("") if info.name[:5] != "keys/"}
    keys.add_service(repo, Service(), "first key")
    keys.add(repo, "second", kdf=CHEAP)
    keys.change(repo, "secret", "third", kdf=CHEAP)
    after = {info.name: repo.location.get(info.name) for info in repo.location.list("") if info.name[:5] != "keys/"}
    assert after == before


def test_slot_of_a_service_is_what_the_document_says() -> None:
    repo, service = make(), Service()
    name = keyslots.PREFIX + keys.add_service(repo, service, "first key")
    data = repo.location.get(name)
    assert hashlib.sha256(data[:-32]).digest() == data[-32:]
    outer = cbor2.loads(data[:-32])
    slot = cbor2.loads(outer["slot"])
    assert slot.keys() == {"version", "repository", "created", "kdf", "key", "blob"}
    assert (slot["version"], slot["kdf"], slot["key"], slot["blob"]) == (1, "aws-kms", "first key", b"wrapped")
    context = {"application": "blueprint-runner", "repository": slot["repository"].hex()}
    wrapping = service._plain("first key", b"wrapped", context)
    assert aead.AESGCM(wrapping).decrypt(bytes(12), outer["wrapped"], outer["slot"]) == repo.keys.master


def test_passphrase_that_is_configured_needs_no_service_and_a_person_is_asked_last() -> None:
    repo, service = make(), Service()
    keys.add_service(repo, service, "first key")
    service.asked.clear()
    assert reopened(repo, means(service, passphrase=lambda: "secret")) == repo.id
    assert service.asked == []
    assert reopened(repo, means(service, ask=lambda: pytest.fail("somebody was asked"))) == repo.id
    service.refuses = "the key is disabled"
    assert reopened(repo, means(service, ask=lambda: "secret")) == repo.id


def test_a_second_service_opens_what_the_first_does_not() -> None:
    repo, broken, whole = make(), Service(), Service(kind="vault-transit")
    keys.add_service(repo, broken, "first key")
    keys.add_service(repo, whole, "transit/backups")
    broken.refuses = "the key is disabled"
    assert reopened(repo, means(broken, whole, passphrase=lambda: "wrong")) == repo.id


def test_every_slot_says_why_it_does_not_open() -> None:
    repo, service = make(), Service(kind="vault-transit")
    first = keys.slots(repo)[0].slot
    slot = keys.add_service(repo, service, "transit/backups")
    service.refuses = "the vault is sealed"
    with pytest.raises(failures.NothingOpens) as caught:
        reopened(repo, means(service, passphrase=lambda: "wrong"))
    assert sorted(caught.value.details.splitlines()) == sorted(
        [
            f"{first}  passphrase: the passphrase is another one",
            f"{slot}  vault-transit transit/backups: the vault is sealed (as the service says)",
        ]
    )
    assert "mend it" in caught.value.hint
    assert "--passphrase-file" in caught.value.hint
    assert codes.exit_of(caught.value.code) == codes.Exit.ENVIRONMENT
    with pytest.raises(failures.NothingOpens) as caught:
        reopened(repo, means())
    assert "no passphrase was given" in caught.value.details
    assert "not known here" in caught.value.details


def test_repository_with_passphrases_only_says_what_it_always_said() -> None:
    repo = make()
    with pytest.raises(failures.WrongPassphrase):
        reopened(repo, means(Service(), passphrase=lambda: "wrong"))
    with pytest.raises(errors.EnvironmentProblem) as caught:
        reopened(repo, means(Service()))
    assert caught.value.code == "RT413"


def test_slot_that_was_changed_is_refused_whatever_the_service_says() -> None:
    repo, service = make(), Service()
    name = keyslots.PREFIX + keys.add_service(repo, service, "first key")
    outer = cbor2.loads(keyslots.without_checksum(repo.location.get(name), name))
    outer["slot"] = encoding.encode({**cbor2.loads(outer["slot"]), "created": 1})
    repo.location.put(name, [keyslots.checksummed(encoding.encode(outer))], overwrite=True)
    with pytest.raises(failures.NothingOpens) as caught:
        reopened(repo, means(service))
    assert "it was changed" in caught.value.details


def test_slot_of_a_kind_of_the_future_is_passed_over() -> None:
    repo = make()
    bound = encoding.encode({"version": 1, "repository": repo.keys.repository, "created": 1, "kdf": "iris"})
    data = keyslots.checksummed(encoding.encode({"slot": bound, "wrapped": bytes(48)}))
    repo.location.put("keys/00000000", [data])
    assert reopened(repo, unlocking.by_passphrase("secret")) == repo.id
    assert "iris" in [info.kind for info in keys.slots(repo)]


def test_service_that_does_not_give_back_what_it_wrapped_gets_no_slot() -> None:
    class Forgetful(Service):
        def unwrap(self, wrapped: key_service.WrappedKey, context: Mapping[str, str]) -> bytes:
            return bytes(32)

    repo = make()
    with pytest.raises(key_service.KeyRefused):
        keys.add_service(repo, Forgetful(), "first key")
    assert len(keys.slots(repo)) == 1


def test_the_last_slot_that_works_is_not_removed() -> None:
    repo, service = make(), Service()
    by_passphrase = keys.slots(repo)[0].slot
    slot = keys.add_service(repo, service, "first key")
    service.refuses = "the key is disabled"
    for services in ({}, {service.kind: service}):
        with pytest.raises(errors.UsageError, match="that works") as caught:
            keys.remove(repo, by_passphrase, services)
        assert slot in caught.value.details
    service.refuses = ""
    keys.remove(repo, by_passphrase, {service.kind: service})
    assert [info.slot for info in keys.slots(repo)] == [slot]
    with pytest.raises(errors.UsageError, match="last"):
        keys.remove(repo, slot, {service.kind: service})


def test_slot_whose_key_is_lost_can_be_removed() -> None:
    repo, service = make(), Service()
    slot = keys.add_service(repo, service, "first key")
    service.refuses = "the key does not exist"
    keys.remove(repo, slot, {service.kind: service})
    assert [info.kind for info in keys.slots(repo)] == ["passphrase"]
