"""The passphrases of a repository: each has a key slot of its own."""

from __future__ import annotations

from runner.base import errors
from runner.repository import keyslots, repository
from runner.repository.keyslots import KdfCost, SlotInfo


def slots(repo: repository.Repository) -> list[SlotInfo]:
    """Return the key slots, ordered by name."""
    return keyslots.describe(repo.location, repo.keys.repository)


def add(repo: repository.Repository, passphrase: str, *, kdf: KdfCost = keyslots.DEFAULT_COST) -> str:
    """Let one more passphrase open the repository; return the name of its slot."""
    return keyslots.add(repo.location, repo.keys, passphrase, cost=kdf, random=repo.random, clock=repo.clock)


def remove(repo: repository.Repository, slot: str) -> None:
    """Let the passphrase of a slot open the repository no longer.

    Whoever has seen the master key can go on reading; only a new repository helps against that.

    Raises:
        UsageError: If there is no such slot, or it is the last one.
    """
    names = [info.slot for info in slots(repo)]
    if slot not in names:
        raise errors.UsageError(
            f'the repository has no key slot "{slot}"', hint="list them with `runner repository key list`"
        )
    if len(names) == 1:
        raise errors.UsageError(
            "the last key slot cannot be removed", hint="add another passphrase with `runner repository key add` first"
        )
    repo.location.delete(keyslots.PREFIX + slot)


def change(repo: repository.Repository, old: str, new: str, *, kdf: KdfCost = keyslots.DEFAULT_COST) -> str:
    """Replace a passphrase by another; return the name of the new slot.

    Raises:
        WrongPassphrase: If the old one opens no slot.
    """
    slot, _ = keyslots.unlock(repo.location, repo.keys.repository, old)
    # The new one is there before the old one goes, so that a crash leaves at least one that works.
    added = add(repo, new, kdf=kdf)
    repo.location.delete(keyslots.PREFIX + slot)
    return added
