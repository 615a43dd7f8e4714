"""Documents to models: read, check the shape, build; what is wrong comes back as findings, never as exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from runner.base import diagnostic
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.document import nodes, schema, yamlread
from runner.model import build, draft, kinds, rehearsal_build
from runner.model.blueprint import Blueprint
from runner.model.location_profile import LocationProfile
from runner.model.rehearsal import Rehearsal

_WHAT_IT_IS = ("/apiVersion", "/kind")
# Of a mapping: a key is missing, or all of them are.
_TOO_LITTLE = ("KB202", "KB204")


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
    """Load what can be told of a blueprint with errors, for the rules; None where its text was not read to the end."""
    root, refused = yamlread.read(text, file)
    if not isinstance(root, nodes.MapNode) or any(each.code not in draft.LEFT_OUT for each in refused):
        return None
    kind, _ = kinds.choose(root, kinds.BLUEPRINTS)
    if kind is None or any(each.span.pointer in _WHAT_IT_IS for each in refused):
        return None
    return draft.make(root, [*refused, *schema.validate(root, kind.schema)], text, file)


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


def load_rehearsal(path: Path) -> tuple[Rehearsal | None, list[Diagnostic]]:
    """Load a rehearsal from a file; whether it fits its blueprint is another question.

    Raises:
        UsageError: RT103 if the file cannot be read.
    """
    text, found = yamlread.read_file(path)
    return (None, found) if text is None else parse_rehearsal(text, str(path))


def parse_rehearsal(text: str, file: str) -> tuple[Rehearsal | None, list[Diagnostic]]:
    """Load a rehearsal from its text; `file` is its name, for positions."""
    root, kind, found = _read(text, file, kinds.REHEARSALS)
    if root is None or kind is None:
        return None, found
    builder = rehearsal_build.RehearsalBuilder(root)
    made = builder.rehearsal(file)
    found = diagnostic.in_order([*found, *builder.found])
    return (None if diagnostic.has_errors(found) else made), found


def draft_rehearsal(text: str, file: str) -> Rehearsal | None:
    """Load what can be told of a rehearsal with errors in its shape, for checks only; None where that is too little."""
    root, unreadable = yamlread.read(text, file)
    if not isinstance(root, nodes.MapNode) or diagnostic.has_errors(unreadable):
        return None
    (kind,) = kinds.REHEARSALS
    return rehearsal_build.draft(root, {each.span.pointer for each in schema.validate(root, kind.schema)}, file)


def _read(
    text: str, file: str, expected: tuple[kinds.Kind, ...]
) -> tuple[nodes.MapNode | None, kinds.Kind | None, list[Diagnostic]]:
    """Read and check; the root comes back only when there is no error, so that it can be built from blindly."""
    root, found = yamlread.read(text, file)
    if root is None:
        return None, None, diagnostic.in_order(found)
    kind, odd = kinds.choose(root, expected)
    found += _of_what_was_read(schema.validate(root, kind.schema) if kind else odd, found, root)
    found = diagnostic.in_order(found)
    usable = isinstance(root, nodes.MapNode) and not diagnostic.has_errors(found)
    return (root if usable and isinstance(root, nodes.MapNode) else None), kind, found


def _of_what_was_read(shape: Iterable[Diagnostic], refused: Sequence[Diagnostic], root: nodes.Node) -> list[Diagnostic]:
    """Return the findings about the shape that do not only follow from what was refused while reading."""
    places = {(each.span.line, each.span.column) for each in refused}
    lacking = {each.span.pointer.rpartition("/")[0] for each in refused if draft.is_lost(root, each)}
    pointers = {each.span.pointer for each in refused}

    def is_sure(found: Diagnostic) -> bool:
        pointer = found.span.pointer
        if found.code in _TOO_LITTLE and pointer in lacking:
            return False
        declaration = _declaration(pointer)
        return declaration is None or not (declaration in lacking or f"{declaration}/type" in pointers)

    return [each for each in shape if (each.span.line, each.span.column) not in places and is_sure(each)]


def _declaration(pointer: str) -> str | None:
    """Return the declaration whose `type` decides what may stand at a place, if there is one."""
    parts = spans.split_pointer(pointer)
    if parts[-1:] == ("default",):
        return spans.pointer(parts[:-1])
    return spans.pointer(parts[:-2]) if parts[-2:-1] == ("enum",) else None
