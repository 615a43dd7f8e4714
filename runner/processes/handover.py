"""Hand files to a command; `records` tells where they are, and removes them when it has ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from runner.base import errors

# Names their directory in the environment of the command.
VARIABLE = "RUNNER_FILES"


def write(directory: str, files: Mapping[str, bytes]) -> None:
    """Write the files of a command where nobody else can look.

    Raises:
        EnvironmentProblem: RT204 if they cannot be written.
    """
    if not files:
        return
    try:
        os.mkdir(directory, 0o700)
        for name, content in files.items():
            with open(os.open(f"{directory}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:  # noqa: PTH123
                stream.write(content)
    except OSError as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise errors.EnvironmentProblem(
            "the files of the command cannot be written",
            details=str(error),
            hint="see that the state directory can be written and has room",
        ) from error
