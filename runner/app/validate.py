"""Check documents of any kind without running anything."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base import diagnostic, errors
from runner.checks import run as checks
from runner.document import nodes, yamlread
from runner.model import load, rehearsal_build
from runner.registry import registry

if TYPE_CHECKING:
    from runner.app import rehearsals

_SUFFIXES = (".yaml", ".yml")
_OTHER_KINDS = ("LocationProfile", "Rehearsal")


def files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are meant: directories are searched, hidden ones in them are not, in the order of names.

    Raises:
        UsageError: RT103 if a path does not exist, or a directory holds no document.
    """
    found: list[Path] = []
    for path in paths:
        # Says no where `Path.is_dir` fails, as on a share whose server is away; whoever reads the file is told.
        is_directory = os.path.isdir(path)
        inside = sorted(each for each in path.rglob("*") if _is_document(each, path)) if is_directory else [path]
        if not inside:
            raise errors.UsageError(
                f"{path} holds no document", code="RT103", hint="documents are files that end in .yaml or .yml"
            )
        found += inside
    return list(dict.fromkeys(found))


def _is_document(path: Path, top: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in path.relative_to(top).parts)
    return path.suffix in _SUFFIXES and not is_hidden and path.is_file()


def _kind(text: str, file: str) -> str | None:
    """Return the `kind` that a document states, however broken the rest of it is; None for a blueprint."""
    if not any(kind in text for kind in _OTHER_KINDS):
        return None  # no need to parse it for that
    root, _ = yamlread.read(text, file)
    node = root.get("kind") if isinstance(root, nodes.MapNode) else None
    return node.text if isinstance(node, nodes.ScalarNode) else None


def check(known: registry.Registry, documents: Iterable[Path]) -> list[diagnostic.Diagnostic]:
    """Return all findings about some documents, in order.

    Raises:
        UsageError: RT103 if a file cannot be read.
    """
    found: list[diagnostic.Diagnostic] = []
    reader: rehearsals.Reader | None = None
    for path in documents:
        text, problems = yamlread.read_file(path)
        kind = None if text is None else _kind(text, str(path))
        if kind == "LocationProfile":
            found += load.load_location_profile(path)[1]
        elif kind == "Rehearsal" or path.name.endswith(rehearsal_build.SUFFIX):
            reader = reader or _reader(known)
            found += reader.read(path).found
        else:
            found += problems if text is None else findings(known, text, str(path))
    return diagnostic.in_order(found)


def _reader(known: registry.Registry) -> rehearsals.Reader:
    from runner.app import rehearsals  # brings the engine along, which nothing else here needs

    return rehearsals.Reader(known)


def findings(known: registry.Registry, text: str, file: str) -> list[diagnostic.Diagnostic]:
    """Return all findings about a blueprint, in order.

    Errors in its YAML or shape do not hide what the rules find elsewhere.
    """
    blueprint, found = load.parse_blueprint(text, file)
    if blueprint is not None:
        return diagnostic.in_order([*found, *checks.check(blueprint, known)])
    draft = load.parse_draft(text, file)
    return found if draft is None else diagnostic.in_order([*found, *checks.check_draft(draft, known)])
