"""What can go wrong with a repository, as classes of their own."""

from __future__ import annotations

from runner.base import errors


class RepositoryMissing(errors.EnvironmentProblem):
    """There is no repository at the location."""

    default_code = "RT410"


class RepositoryExists(errors.EnvironmentProblem):
    """There is a repository at the location already."""

    default_code = "RT411"


class WrongPassphrase(errors.EnvironmentProblem):
    """The passphrase opens none of the key slots."""

    default_code = "RT412"


class NothingOpens(errors.EnvironmentProblem):
    """Neither a passphrase nor a key service opens any of the key slots."""

    default_code = "RT423"


class RepositoryTooNew(errors.EnvironmentProblem):
    """The repository has a version or a feature that this code does not know."""

    default_code = "RT414"


class RepositoryDamaged(errors.PermanentError):
    """An object is not what was written, or is missing."""

    default_code = "RT415"


class RepositoryLocked(errors.EnvironmentProblem):
    """Somebody else uses the repository in a way that excludes this."""

    default_code = "RT416"


class ExportMissing(errors.PermanentError):
    """There is no export of that id."""

    default_code = "RT417"


class RestorePointMissing(errors.PermanentError):
    """There is no restore point of that id."""

    default_code = "RT418"


class ExportInUse(errors.PermanentError):
    """The export belongs to a restore point."""

    default_code = "RT421"


class PathMissing(errors.PermanentError):
    """A restore point has nothing at a path."""

    default_code = "RT430"


def damaged(name: str, what: str) -> RepositoryDamaged:
    """Describe a damaged object.

    Args:
        name: The object in the location.
        what: What is wrong with it, as a clause (`it is too short`).
    """
    return RepositoryDamaged(
        f"{name} is damaged: {what}",
        hint="run `runner repository repair` to rebuild it from the packs"
        if name.startswith("index/")
        else "run `runner repository check --read-data` to learn which restore points are concerned",
        context={"object": name},
    )
