"""Where the passphrase of a repository comes from: never from an argument."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from runner.base import errors, files, generated
from runner.params import locations


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may have set.

    Attributes:
        file: `--passphrase-file`.
        environment: For `RUNNER_PASSPHRASE_FILE` and `RUNNER_PASSPHRASE`.
        prompt: Asks on the terminal; None when there is nobody to ask.
    """

    file: Path | None = None
    environment: Mapping[str, str]
    prompt: Callable[[str], str] | None = None


def find(target: locations.Target, sources: Sources) -> str:
    """Return the passphrase of the repository at a location.

    The first of these that is set: `--passphrase-file`, `RUNNER_PASSPHRASE_FILE`, `RUNNER_PASSPHRASE`, the file of
    the profile, a prompt. The default repository has its own key file, which only `--passphrase-file` overrides:
    a variable that is set for another repository must not lock a person out of it.

    Raises:
        EnvironmentProblem: RT413 if nothing is set, or the file cannot be read.
    """
    file = file_of(target, sources)
    if file is not None:
        return read(file)
    if sources.environment.get("RUNNER_PASSPHRASE"):
        return sources.environment["RUNNER_PASSPHRASE"]
    if sources.prompt is not None:
        return sources.prompt(f"Passphrase of the repository at {target.label}")
    raise errors.EnvironmentProblem(
        f"no passphrase was given for the repository at {target.label}",
        code="RT413",
        hint="set --passphrase-file, RUNNER_PASSPHRASE_FILE or RUNNER_PASSPHRASE",
    )


def file_of(target: locations.Target, sources: Sources) -> Path | None:
    """Return the file that the passphrase is read from; None when it comes from a variable or a prompt.

    A run keeps it, so that it finds the same passphrase when it is resumed from another environment.
    """
    if sources.file is not None:
        return sources.file.absolute()
    own = None if target.passphrase_file is None else Path(target.passphrase_file)
    named = sources.environment.get("RUNNER_PASSPHRASE_FILE")
    if target.is_default:
        return own
    if named:
        return Path(named).absolute()
    return None if sources.environment.get("RUNNER_PASSPHRASE") else own


def read(path: Path) -> str:
    """Return the first line of a passphrase file.

    Raises:
        EnvironmentProblem: RT413 if it cannot be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.EnvironmentProblem(
            f"the passphrase file {path} cannot be read",
            code="RT413",
            details=error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8 text",
            hint="give the file that holds the passphrase with --passphrase-file",
        ) from error
    passphrase = text.partition("\n")[0].removesuffix("\r")
    if not passphrase:
        raise errors.EnvironmentProblem(
            f"the first line of the passphrase file {path} is empty",
            code="RT413",
            hint="put the passphrase into its first line",
        )
    return passphrase


def make_key_file(path: Path) -> bool:
    """Write a generated passphrase to a file of mode 0600, unless the file exists; tell whether it was made.

    The file is whole and durable when it appears, and of two processes that try at once one wins.
    """
    if path.exists():
        return False
    files.make_directories(path.parent)
    temporary = path.parent / files.temporary_name()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        files.write_all(descriptor, [f"{generated.passphrase()}\n".encode()])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        files.publish(temporary, path, overwrite=False)
    except FileExistsError:
        temporary.unlink()
        return False
    return True
