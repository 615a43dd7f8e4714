"""The object `config`: what a repository is, readable before any key is there."""

from __future__ import annotations

import blake3
import msgspec

from runner.registry import location as locations
from runner.repository import crypto, encoding, failures, keyslots

NAME = "config"
FORMAT = "blueprint-runner repository"
_MAC_SIZE = 32


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What the object says.

    Attributes:
        repository: The 16 bytes that identify the repository.
        features: What a reader must know beyond the version.
    """

    repository: bytes
    features: tuple[str, ...] = ()

    def payload(self) -> bytes:
        """Return the part that is authenticated."""
        fields: dict[str, encoding.CborValue] = {
            "format": FORMAT,
            "version": crypto.VERSION,
            "repository": self.repository,
            "features": list(self.features),
        }
        return encoding.encode(fields)


def write(location: locations.Location, config: Config, keys: crypto.Keys) -> None:
    """Store the object; from then on there is a repository.

    Raises:
        RepositoryExists: If somebody else was faster.
    """
    payload = config.payload()
    data = keyslots.checksummed(payload + _mac(keys, payload))
    try:
        location.put(NAME, [data])
    except locations.ObjectExists as problem:
        raise exists(location) from problem
    # Not every store can refuse the second of two writers; then the last one has made the repository.
    if location.get(NAME) != data:
        raise exists(location)


def exists(location: locations.Location) -> failures.RepositoryExists:
    """Describe that there is a repository already."""
    return failures.RepositoryExists(
        f"there is a repository at {location.url} already", hint="choose another location, or use the one that is there"
    )


def read(location: locations.Location) -> tuple[Config, bytes]:
    """Read the object; return what it says, and what `verify` needs.

    Raises:
        RepositoryMissing: If there is none.
        RepositoryTooNew: If it has a version or feature that is not known here.
        RepositoryDamaged: If it is not what was written.
    """
    try:
        data = location.get(NAME)
    except locations.ObjectMissing as problem:
        raise failures.RepositoryMissing(
            f"there is no repository at {location.url}",
            hint=f"make one with `runner repository init --location {location.url}`",
        ) from problem
    authenticated = keyslots.without_checksum(data, NAME)
    fields = encoding.Fields(authenticated[:-_MAC_SIZE], NAME)
    if fields.text("format") != FORMAT:
        raise failures.damaged(NAME, "it is not that of a repository")
    version = fields.integer("version")
    features = [str(feature) for feature in fields.items("features")]
    if version != crypto.VERSION or features:
        what = f"version {version}" if version != crypto.VERSION else f"the feature {features[0]}"
        raise failures.RepositoryTooNew(
            f"the repository at {location.url} has {what}, which is not known here",
            hint="use a newer version of the runner",
        )
    return Config(repository=fields.octets("repository", crypto.REPOSITORY_ID_SIZE)), authenticated


def verify(authenticated: bytes, keys: crypto.Keys) -> None:
    """Make sure that whoever wrote the object had the master key.

    Raises:
        RepositoryDamaged: If not.
    """
    if _mac(keys, authenticated[:-_MAC_SIZE]) != authenticated[-_MAC_SIZE:]:
        raise failures.damaged(NAME, "it is not authentic")


def _mac(keys: crypto.Keys, payload: bytes) -> bytes:
    return blake3.blake3(payload, key=keys.derive("config")).digest()
