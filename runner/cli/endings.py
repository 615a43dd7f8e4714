"""How a command line ends that did not succeed: what is said, and the exit code."""

from __future__ import annotations

import platform
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

import runner
from runner.base import clock, codes, errors, files, ids
from runner.cli import console as consoles
from runner.cli import failures


def tell(console: consoles.Console, error: BaseException, arguments: Sequence[str]) -> codes.Exit:
    """Say what went wrong and return the exit code.

    Only what nobody foresaw is a defect: then there is one error on the terminal, and the traceback in a report file.
    """
    match error:
        case click.exceptions.NoArgsIsHelpError():
            console.err.line(error.format_message())
            return codes.Exit.USAGE
        case click.UsageError():
            console.settings.output = failures.requested_output(arguments, console.settings.output)
            failures.show(console, failures.from_click(error))
            return codes.Exit.USAGE
        case errors.RunnerError():
            failures.show(console, error)
            return codes.exit_of(error.code)
        case KeyboardInterrupt() | click.Abort():
            console.note("interrupted")
            return codes.Exit.INTERRUPTED
        case OSError() if (problem := _problem(error, console.settings.state_dir)) is not None:
            failures.show(console, problem)
            return codes.exit_of(problem.code)
        case _:
            _show_defect(console, console.settings.state_dir, error, arguments)
            return codes.Exit.INTERNAL


def _problem(error: OSError, state_dir: Path) -> errors.EnvironmentProblem | None:
    """Return what a state directory that cannot be used, or a full disk, is for a person."""
    path = str(error.filename or state_dir)
    if isinstance(error, FileNotFoundError) and error.filename is None:
        # Only asking for the working directory fails like this.
        return errors.EnvironmentProblem(
            "the working directory does not exist any more", code="RT311", hint="go to another directory"
        )
    if isinstance(error, FileNotFoundError) and Path(path) in (state_dir, *state_dir.parents):
        return errors.EnvironmentProblem(
            f"the state directory {state_dir} cannot be made",
            code="RT311",
            hint="choose another one with --state-dir",
        )
    if isinstance(error, NotADirectoryError | FileExistsError):
        return errors.EnvironmentProblem(
            f"{path} is no directory, or lies below something that is none",
            code="RT311",
            hint="choose another state directory with --state-dir",
        )
    return files.problem_of(error, path)


def _show_defect(console: consoles.Console, state_dir: Path, error: BaseException, arguments: Sequence[str]) -> None:
    """Report an exception that nobody foresaw: one error on the terminal, the traceback in a file."""
    try:
        where = f"the report is in {_write_report(state_dir / 'crashes', error, arguments)}"
    except OSError:
        where = f"the report is in {_write_report(Path(tempfile.mkdtemp(prefix='runner-crash-')), error, arguments)}"
    failures.show(
        console,
        errors.RunnerError(
            f"the runner has a defect ({type(error).__name__})",
            code="RT901",
            details=where,
            hint="please report it with that file; a run that was going on can be resumed",
        ),
    )


def _write_report(directory: Path, error: BaseException, arguments: Sequence[str]) -> Path:
    moment = clock.SystemClock().now()
    files.make_directories(directory)
    path = directory / f"{moment:%Y%m%dT%H%M%S}-{ids.new_run_id()}.txt"
    # Values of options may be confidential; their names say enough.
    shape = " ".join(argument.partition("=")[0] if argument.startswith("-") else "…" for argument in arguments[1:])
    head = (
        f"runner {runner.__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"command: runner {' '.join(arguments[:1])} {shape}\n\n"
    )
    path.write_text(head + "".join(traceback.format_exception(error)), encoding="utf-8")
    path.chmod(0o600)
    return path
