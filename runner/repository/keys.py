"""The key slots of a repository: each opens it with a passphrase of its own, or with a key that a service holds."""

from __future__ import annotations

from collections.abc import Mapping

from runner.base import errors
from runner.registry import key_service
from runner.repository import failures, keyslots, repository, unlocking
from runner.repository.keyslots import KdfCost, SlotInfo


def slots(repo: repository.Repository) -> list[SlotInfo]:
    """Return the key slots, ordered by name."""
    return [slot.info() for slot in _slots(repo)]


def add(repo: repository.Repository, passphrase: str, *, kdf: KdfCost = keyslots.DEFAULT_COST) -> str:
    """Let one more passphrase open the repository; return the name of its slot."""
    return keyslots.add(repo.location, repo.keys, passphrase, cost=kdf, random=repo.random, clock=repo.clock)


def add_service(repo: repository.Repository, service: key_service.KeyService, key: str) -> str:
    """Let whoever may use a key of a service open the repository; return the name of its slot.

    Raises:
        KeyRefused: If the service does not wrap, or does not unwrap again.
    """
    return keyslots.add_service(repo.location, repo.keys, service, key, random=repo.random, clock=repo.clock)


def remove(
    repo: repository.Repository, slot: str, services: Mapping[str, key_service.KeyService] | None = None
) -> None:
    """Let a slot open the repository no longer.

    Whoever has seen the master key can go on reading; only a new repository helps against that.

    Args:
        repo: The repository.
        slot: The name of the slot.
        services: Key services by kind: a slot that would be left counts only if its service opens it now. Passphrases
            count; nobody can try them.

    Raises:
        UsageError: If there is no such slot, or no other one that is known to work.
    """
    found = _slots(repo)
    if slot not in [one.name for one in found]:
        raise errors.UsageError(
            f'the repository has no key slot "{slot}"', hint="list them with `runner repository key list`"
        )
    others = [one for one in found if one.name != slot]
    if not others:
        raise errors.UsageError(
            "the last key slot cannot be removed", hint="add another passphrase with `runner repository key add` first"
        )
    refused = [_refusal(one, services or {}) for one in others]
    if all(refused):
        raise errors.UsageError(
            "the last key slot that works cannot be removed",
            details="\n".join(
                f"{one.name}  {one.info().kind}: {why}" for one, why in zip(others, refused, strict=True)
            ),
            hint="add a passphrase with `runner repository key add` first",
        )
    repo.location.delete(keyslots.PREFIX + slot)


def change(repo: repository.Repository, old: str, new: str, *, kdf: KdfCost = keyslots.DEFAULT_COST) -> str:
    """Replace a passphrase by another; return the name of the new slot.

    Raises:
        WrongPassphrase: If the old one opens no slot.
    """
    for slot in keyslots.by_passphrase(_slots(repo)):
        if slot.open_with(old) is not None:
            # The new one is there before the old one goes, so that a crash leaves at least one that works.
            added = add(repo, new, kdf=kdf)
            repo.location.delete(keyslots.PREFIX + slot.name)
            return added
    raise failures.WrongPassphrase(
        f"the passphrase opens no key slot of the repository at {repo.location.url}",
        hint="give the passphrase that is to be replaced",
    )


def _slots(repo: repository.Repository) -> list[keyslots.Slot]:
    return keyslots.of_repository(repo.location, repo.keys.repository)


def _refusal(slot: keyslots.Slot, services: Mapping[str, key_service.KeyService]) -> str:
    """Say why a slot may not work; empty if it does."""
    info = slot.info()
    if info.kind == keyslots.PASSPHRASE:
        return ""
    if info.kind not in services:
        return "this kind is not known here"
    try:
        unlocking.opens(slot, services[info.kind])
    except errors.RunnerError as problem:
        return problem.message
    return ""
