"""What functions over files have in common: paths, patterns, and the outputs of an export or a restore."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import pydantic

from runner.registry import args, context

if TYPE_CHECKING:
    from runner.repository import exports

# Relative paths would depend on where the runner was started, and on where it is resumed.
AbsolutePath = Annotated[str, pydantic.StringConstraints(pattern=r"^/")]


# Patterns of these alone cannot be wrong, and to compile each takes a third of a millisecond.
_PLAIN = re.compile(r"[\w.*/@+-]*")


def _check_patterns(patterns: list[str]) -> list[str]:
    from runner.repository import tree_exclude

    for pattern in patterns:
        if _PLAIN.fullmatch(pattern):
            continue
        try:
            tree_exclude.Excluded([pattern])
        except (ValueError, re.error) as error:
            raise ValueError(f'"{pattern}" is not a pattern such as .gitignore holds') from error
    return patterns


Patterns = Annotated[list[str], pydantic.AfterValidator(_check_patterns)]

EXCLUDE = (
    "What to leave out, in the patterns of `.gitignore`, relative to each path: `*.log` anywhere, `/cache` at the top, "
    "`tmp/` directories only, `!keep.log` back in."
)


class FilesExportOutputs(args.ExportOutputs):
    """Outputs of a function that exported files."""

    files: int = pydantic.Field(description="Files in the export.")
    unchanged: int = pydantic.Field(description="Of these, files that were taken from the earlier export unread.")


class FilesOutputs(args.Outputs):
    """Outputs of a function that wrote files."""

    target: str = pydantic.Field(description="The directory that holds them.")
    files: int = pydantic.Field(description="Files written.")
    bytes: int = pydantic.Field(description="Their length in bytes.")


def outputs_of(manifest: exports.Manifest) -> FilesExportOutputs:
    """Return the outputs that stand for an export of files."""
    return FilesExportOutputs(
        export=manifest.export,
        bytes_read=manifest.bytes_read,
        bytes_new=manifest.bytes_new,
        bytes_stored=manifest.bytes_stored,
        files=int(str(manifest.facts["files"])),
        unchanged=int(str(manifest.facts["unchanged"])),
    )


def report(ctx: context.PhaseContext, subject: str, total: int | None = None) -> Callable[[int], None]:
    """Return a function that reports progress in bytes."""
    return lambda done: ctx.progress(done, total, "bytes", subject)
