"""Documents to models: read, check the shape, build; what is wrong comes back as findings, never as exceptions."""

from __future__ import annotations

from pathlib import Path

from runner.base import diagnostic
from runner.base.diagnostic import Diagnostic
from runner.document import nodes, schema, yamlread
from runner.model import build, draft, kinds
from runner.model.blueprint import Blueprint
from runner.model.location_profile import LocationProfile


def load_blueprint(path: Path) -> tuple[Blueprint | None, list[Diagnostic]]:
    """Load a blueprint of either level from a file.

    Returns:
        The blueprint, None when a finding is an error; and all findings in the order of the document.

    Raises:
        UsageError: RT103 if the file cannot be read.
    """
    text, found = yamlread.read_file(path)
    return (None, found) if text is None else parse_blueprint(text, str(path))


def parse_blueprint(text: str, file: str) -> tuple[Blueprint | None, list[Diagnostic]]:
    """Load a blueprint of either level from its text; `file` is its name, for positions."""
    root, kind, found = _read(text, file, kinds.BLUEPRINTS)
    if root is None or kind is None:
        return None, found
    builder = build.BlueprintBuilder(root)
    blueprint = builder.blueprint(text, file)
    found = diagnostic.in_order([*found, *builder.found])
    return (None if diagnostic.has_errors(found) else blueprint), found


def parse_draft(text: str, file: str) -> draft.Draft | None:
    """Load what can be told of a blueprint with errors in its shape, for the rules; None where its YAML is at fault."""
    root, unreadable = yamlread.read(text, file)
    if not isinstance(root, nodes.MapNode) or diagnostic.has_errors(unreadable):
        return None
    kind, _ = kinds.choose(root, kinds.BLUEPRINTS)
    return draft.make(root, schema.validate(root, kind.schema), text, file) if kind else None


def load_location_profile(path: Path) -> tuple[LocationProfile | None, list[Diagnostic]]:
    """Load a location profile from a file; relative paths in it start at its directory.

    Raises:
        UsageError: RT103 if the file cannot be read.
    """
    text, found = yamlread.read_file(path)
    if text is None:
        return None, found
    root, kind, found = _read(text, str(path), kinds.LOCATION_PROFILES)
    return (None if root is None or kind is None else build.location_profile(root, path)), found


def _read(
    text: str, file: str, expected: tuple[kinds.Kind, ...]
) -> tuple[nodes.MapNode | None, kinds.Kind | None, list[Diagnostic]]:
    """Read and check; the root comes back only when there is no error, so that it can be built from blindly."""
    root, found = yamlread.read(text, file)
    if root is None:
        return None, None, diagnostic.in_order(found)
    kind, odd = kinds.choose(root, expected)
    shape = schema.validate(root, kind.schema) if kind else odd
    # What was refused while reading has no value that its shape could be judged by.
    refused = {(finding.span.line, finding.span.column) for finding in found}
    found += [finding for finding in shape if (finding.span.line, finding.span.column) not in refused]
    found = diagnostic.in_order(found)
    usable = isinstance(root, nodes.MapNode) and not diagnostic.has_errors(found)
    return (root if usable and isinstance(root, nodes.MapNode) else None), kind, found
