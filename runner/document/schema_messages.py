"""Errors of the schema validator, rewritten: what is wrong in the author's words, where exactly, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from runner.base import span as spans
from runner.base import suggest
from runner.base.diagnostic import Diagnostic, Severity
from runner.document import nodes, problem
from runner.document.problem import Problem

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

OWN_API_VERSION = "blueprint-runner.dev/v1"
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def findings(error: ValidationError, root: nodes.Node) -> Iterator[Diagnostic]:
    """Rewrite one error of the validator; one error may be several findings (each unknown key is one)."""
    facts = Problem(
        root=root,
        path=tuple(error.absolute_path),
        instance=error.instance,
        limit=error.validator_value,
        schema=error.schema if isinstance(error.schema, Mapping) else {},
        detail=error.message,
    )
    if "propertyNames" in error.relative_schema_path:
        yield _name(facts)
        return
    yield from _REWRITERS.get(str(error.validator), _other)(facts)


def _unknown_keys(facts: Problem) -> Iterator[Diagnostic]:
    for key in facts.unknown:
        pointer = spans.pointer((*facts.path, key))
        if key in facts.schema.get("x-level1", ()):
            message = f"{problem.quoted(key)} in {facts.owner} is a key of level 1, which Kanister would ignore"
            hint = f"set apiVersion: {OWN_API_VERSION}, or remove the key"
            yield facts.finding("KB601", message, hint, pointer=pointer, key=True)
            continue
        message = f"unknown key {problem.quoted(key)} in {facts.owner}"
        lenient = facts.schema.get("x-unknown") == "warning"
        severity = Severity.WARNING if lenient else Severity.ERROR
        yield facts.finding("KB201", message, _known_hint(key, facts), pointer=pointer, key=True, severity=severity)


def _known_hint(key: str, facts: Problem) -> str:
    if key in facts.schema.get("x-later", ()):
        return "this version of the runner does not know the key yet; remove it"
    hint = suggest.hint(key, facts.known)
    if hint.startswith("did you mean"):
        return f"{hint} (allowed are: {', '.join(sorted(facts.known))})"
    return f'{hint}; arguments of the function stand under "args"' if "args" in facts.known else hint


def _missing_keys(facts: Problem) -> Iterator[Diagnostic]:
    refuses_unknown = facts.schema.get("additionalProperties") is False and "x-unknown" not in facts.schema
    for key in facts.limit:
        misspelt = refuses_unknown and any(suggest.closest(other, [key]) for other in facts.unknown)
        if key in facts.instance or misspelt:
            continue  # a misspelt key is reported as unknown, with the right spelling
        message = f"{facts.owner} lacks the key {problem.quoted(key)}"
        if not facts.path:
            message = f"the document lacks the key {problem.quoted(key)}"
        found = facts.finding("KB202", message, _missing_hint(key, facts), key=True)
        yield structs.replace(found, span=_head(facts))


def _missing_hint(key: str, facts: Problem) -> str:
    examples = facts.schema.get("properties", {}).get(key)
    examples = examples.get("examples", ()) if isinstance(examples, Mapping) else ()
    shown = next((example for example in examples if isinstance(example, str)), None)
    return f'add it, such as "{key}: {shown}"' if shown else f'add "{key}:"'


def _head(facts: Problem) -> spans.Span:
    """Return the place where a mapping begins: the key that leads to it, else its own first key."""
    node = nodes.at(facts.root, facts.pointer, key=True) or facts.root
    if isinstance(node, nodes.MapNode) and node.entries:
        return structs.replace(node.entries[0][0].span, pointer=facts.pointer)
    return node.span


def _type(facts: Problem) -> Iterator[Diagnostic]:
    names = [facts.limit] if isinstance(facts.limit, str) else [name for name in facts.limit if name != "null"]
    wanted = facts.schema.get("x-form") or " or ".join(_TYPES.get(name, name) for name in names)
    message = f"{facts.subject} must be {wanted}, not {problem.shown(facts.instance)}"
    yield facts.finding("KB203", message, _type_hint(names, facts))


def _type_hint(names: Sequence[str], facts: Problem) -> str:
    if "x-hint" in facts.schema:
        return str(facts.schema["x-hint"])
    is_scalar = isinstance(facts.instance, str | int | float)
    if "string" in names and is_scalar:
        return f"put it in quotes: {json.dumps(str(_source_text(facts)))}"
    if "array" in names and is_scalar:
        return f"make it a list: [{_source_text(facts)[: problem.SHOWN]}]"
    if facts.instance is None:
        return "give it a value, or remove the key"
    if names == ["boolean"]:
        return "write true or false, without quotes"
    if names[0] in ("integer", "number") and isinstance(facts.instance, str):
        return "write a number, without quotes"
    return ""


def _source_text(facts: Problem) -> str:
    node = nodes.at(facts.root, facts.pointer)
    return node.text if isinstance(node, nodes.ScalarNode) else ""


def _name(facts: Problem) -> Diagnostic:
    message = f"{problem.quoted(facts.instance)} is not {facts.schema.get('x-form', 'allowed here')}"
    pointer = spans.pointer((*facts.path, facts.instance))
    return facts.finding("KB204", message, str(facts.schema.get("x-hint", "")), pointer=pointer, key=True)


def _form(facts: Problem) -> Iterator[Diagnostic]:
    message = f"{problem.quoted(facts.instance)} is not {facts.schema.get('x-form', 'of the form ' + facts.limit)}"
    yield facts.finding("KB204", message, str(facts.schema.get("x-hint", "")))


def _format(facts: Problem) -> Iterator[Diagnostic]:
    message = f"{facts.subject} is not a regular expression: {facts.detail}"
    yield facts.finding("KB204", message, "see the syntax of Python's re module; quote special characters with \\")


def _enum(facts: Problem) -> Iterator[Diagnostic]:
    allowed = [str(value) for value in facts.limit]
    shown = problem.quoted(facts.instance) if isinstance(facts.instance, str) else problem.shown(facts.instance)
    hint = suggest.hint(facts.instance, allowed) if isinstance(facts.instance, str) else ""
    if not hint.startswith("expected"):
        hint = f"{hint} (allowed are: {', '.join(allowed)})".lstrip()
    yield facts.finding("KB204", f"{facts.subject} cannot be {shown}", hint)


def _const(facts: Problem) -> Iterator[Diagnostic]:
    yield facts.finding("KB204", f"{facts.subject} must be {problem.quoted(str(facts.limit))}", f"write {facts.limit}")


def _bound(wording: str) -> Callable[[Problem], Iterator[Diagnostic]]:
    def rewrite(facts: Problem) -> Iterator[Diagnostic]:
        yield facts.finding("KB204", f"{facts.subject} must {wording.format(facts.limit)}")

    return rewrite


def _empty(facts: Problem) -> Iterator[Diagnostic]:
    yield facts.finding("KB204", f"{facts.subject} must not be empty")


def _other(facts: Problem) -> Iterator[Diagnostic]:
    yield facts.finding("KB204", f"{facts.subject} is not allowed: {facts.detail}")


_REWRITERS: Mapping[str, Callable[[Problem], Iterator[Diagnostic]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "type": _type,
    "pattern": _form,
    "format": _format,
    "enum": _enum,
    "const": _const,
    "minimum": _bound("be at least {}"),
    "maximum": _bound("be at most {}"),
    "maxLength": _bound("have at most {} characters"),
    "minItems": _empty,
    "minLength": _empty,
    "minProperties": _empty,
}
