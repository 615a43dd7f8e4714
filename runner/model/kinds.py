"""Which documents there are: apiVersion and kind decide the schema that a document is checked against."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runner.base import suggest
from runner.base.diagnostic import Diagnostic
from runner.document import nodes

OWN = "blueprint-runner.dev/v1"
KANISTER = "cr.kanister.io/v1alpha1"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of document in one language."""

    api_version: str
    kind: str
    schema: str


BLUEPRINTS = (
    Kind(api_version=OWN, kind="Blueprint", schema="blueprint.schema.json"),
    Kind(api_version=KANISTER, kind="Blueprint", schema="blueprint.kanister.schema.json"),
)
LOCATION_PROFILES = (Kind(api_version=OWN, kind="LocationProfile", schema="location-profile.schema.json"),)
REHEARSALS = (Kind(api_version=OWN, kind="Rehearsal", schema="rehearsal.schema.json"),)


def choose(root: nodes.Node, expected: tuple[Kind, ...]) -> tuple[Kind | None, list[Diagnostic]]:
    """Find out what a document is.

    Args:
        root: The document.
        expected: The kinds that the caller can use.

    Returns:
        The kind, or None and the findings that say why not (KB202, KB203, KB205).
    """
    if not isinstance(root, nodes.MapNode):
        hint = "a document starts with apiVersion, kind and metadata"
        return None, [_finding("KB203", "the document is not a mapping", root, hint)]
    by_version = {kind.api_version: kind for kind in expected}
    found = [*_check(root, "apiVersion", by_version), *_check(root, "kind", {kind.kind: kind for kind in expected})]
    if found:
        return None, found
    version = root.get("apiVersion")
    return (by_version[version.text] if isinstance(version, nodes.ScalarNode) else None), []


def _check(root: nodes.MapNode, key: str, allowed: Mapping[str, Kind]) -> list[Diagnostic]:
    node = root.get(key)
    example = next(iter(allowed))
    if node is None:
        first = root.entries[0][0].span if root.entries else root.span
        message, hint = f'the document lacks the key "{key}"', f'add it: "{key}: {example}"'
        return [Diagnostic(code="KB202", message=message, span=first.at(root.span.pointer), hint=hint)]
    if not isinstance(node, nodes.ScalarNode) or not isinstance(node.value, str):
        return [_finding("KB203", f'"{key}" must be a text', node, f"write {key}: {example}")]
    if node.text in allowed:
        return []
    message = f'the {key} "{node.text[:80]}" is not known here'
    return [_finding("KB205", message, node, suggest.hint(node.text, allowed))]


def _finding(code: str, message: str, node: nodes.Node, hint: str) -> Diagnostic:
    return Diagnostic(code=code, message=message, span=node.span, hint=hint)
