"""The one place where errors of the operating system become those of the driver contract."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from runner.base import errors, files
from runner.registry import driver


@contextmanager
def translated(what: str | os.PathLike[str]) -> Iterator[None]:
    """Translate what goes wrong while a path is worked on."""
    try:
        yield
    except FileExistsError as error:
        raise exists(what) from error
    except OSError as error:
        problem = files.problem_of(error, error.filename or what)
        if problem is not None:
            raise problem from error
        raise driver.StorageError(f"{what} cannot be used: {error.strerror}", details=str(error)) from error


def exists(what: str | os.PathLike[str]) -> errors.EnvironmentProblem:
    """Return the refusal to write over something."""
    return errors.EnvironmentProblem(
        f"{what} exists already", code="RT310", hint="choose another target, or allow --overwrite"
    )
