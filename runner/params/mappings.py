"""Files that hold one YAML or JSON mapping: inputs, template roots."""

from __future__ import annotations

from pathlib import Path

from runner.base import errors
from runner.document import nodes, yamlread


def read(path: Path, cwd: Path, *, what: str, code: str, hint: str) -> nodes.MapNode:
    """Read a file that must be a mapping.

    Args:
        path: The file, as a person named it.
        cwd: Where a relative path starts.
        what: What its keys and values are, for the message: `inputs to values`.
        code: The code of the error if it is no mapping.
        hint: What to write instead.

    Raises:
        UsageError: RT103 if it cannot be read, KB1xx if it is not YAML, `code` if it is no mapping.
    """
    text, found = yamlread.read_file(cwd / path)
    root = None
    if text is not None:
        root, more = yamlread.read(text, str(path))
        found = [*found, *more]
    for finding in found:
        raise errors.UsageError(finding.message, code=finding.code, hint=finding.hint, span=finding.span)
    if not isinstance(root, nodes.MapNode):
        span = root.span if root else None
        raise errors.UsageError(f"{path} is not a mapping of {what}", code=code, hint=hint, span=span)
    return root
