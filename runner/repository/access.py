"""Ways to a repository: make one at an empty location, or open the one that is there."""

from __future__ import annotations

import contextlib

from runner.base import clock as clocks
from runner.base import ids
from runner.registry import location as locations
from runner.repository import config, crypto, damage, keyslots, points, recovery, repository, unlocking
from runner.repository import index as indexes


def create(
    location: locations.Location,
    passphrase: str,
    *,
    random: ids.RandomBytes = ids.random_bytes,
    clock: clocks.Clock,
    kdf: keyslots.KdfCost = keyslots.DEFAULT_COST,
    workers: int | None = None,
) -> repository.Repository:
    """Make a repository at an empty location.

    Args:
        location: Where.
        passphrase: Opens the first key slot.
        random: Source of keys and salts.
        clock: The time.
        kdf: What a guess of the passphrase costs.
        workers: How many threads move data; None for as many as the machine has cores.

    Raises:
        RepositoryExists: If there is one, or the rest of one.
    """
    if next(location.list(config.NAME), None) is not None or _holds_data(location):
        raise config.exists(location)
    keys = crypto.Keys(random(crypto.KEY_SIZE), random(crypto.REPOSITORY_ID_SIZE))
    slot = keyslots.add(location, keys, passphrase, cost=kdf, random=random, clock=clock)
    try:
        config.write(location, config.Config(repository=keys.repository), keys)
    except BaseException:
        with contextlib.suppress(locations.ObjectLocked):
            location.delete(keyslots.PREFIX + slot)
        raise
    return repository.Repository(location, keys, random=random, clock=clock, workers=workers)


def _holds_data(location: locations.Location) -> bool:
    return any(next(location.list(prefix), None) is not None for prefix in ("data/", "index/", points.PREFIX))


def open(
    location: locations.Location,
    means: str | unlocking.Means,
    *,
    clock: clocks.Clock,
    random: ids.RandomBytes = ids.random_bytes,
    workers: int | None = None,
    on_damage: damage.OnDamage = lambda _: None,
    watch: recovery.Watch = recovery.unwatched,
) -> repository.Repository:
    """Open a repository with a passphrase, or with whatever is at hand.

    Args:
        location: Where.
        means: The passphrase, or what else may open it.
        clock: The time.
        random: Source of salts.
        workers: How many threads move data; None for as many as the machine has cores.
        on_damage: Called when something is wrong with the index and reading goes on all the same.
        watch: Shows how far it is when all packs are searched for what the index has lost.

    Raises:
        RepositoryMissing: If there is none.
        WrongPassphrase: If there are passphrases only, and this one opens no slot.
        EnvironmentProblem: RT413 if none was given; RT423 if there are key services, and none opens it.
        RepositoryTooNew: If it has a version or feature that is not known here.
        RepositoryDamaged: If its configuration or its key slots are damaged.
    """
    found, authenticated = config.read(location)
    known = unlocking.by_passphrase(means) if isinstance(means, str) else means
    _, keys = unlocking.unlock(location, found.repository, known)
    config.verify(authenticated, keys)
    index = indexes.Index(location, keys, on_damage=on_damage, watch=watch)
    return repository.Repository(location, keys, random=random, clock=clock, workers=workers, index=index)
