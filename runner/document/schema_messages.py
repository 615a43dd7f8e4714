"""Errors of the schema validator, rewritten: what is wrong in the author's words, where exactly, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runner.base import span as spans
from runner.base import suggest
from runner.base.diagnostic import Diagnostic, Severity
from runner.base.jsonvalue import JsonValue
from runner.document import nodes

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

OWN_API_VERSION = "blueprint-runner.dev/v1"
_SHOWN = 60
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_NAMED_BY_KEY = frozenset({"action", "input", "output", "artifact"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Error:
    """What the validator says, with the document at hand."""

    root: nodes.Node
    path: tuple[str | int, ...]
    instance: Any
    limit: Any
    schema: Mapping[str, Any]
    detail: str

    @property
    def pointer(self) -> str:
        return spans.pointer(self.path)

    @property
    def subject(self) -> str:
        """The value in words: `"timeout"`, `item 2 of "needs"`."""
        if not self.path:
            return "the document"
        *above, last = self.path
        if isinstance(last, str):
            return quoted(last)
        return f"item {last + 1} of {quoted(str(above[-1]))}" if above else f"item {last + 1}"

    @property
    def owner(self) -> str:
        """The mapping in words: `phase "dump"`."""
        title = str(self.schema.get("title") or (self.path[-1] if self.path else "document"))
        name = self.instance.get("name") if isinstance(self.instance, Mapping) else None
        if title in _NAMED_BY_KEY and self.path:
            name = self.path[-1]
        return f"{title} {quoted(name)}" if isinstance(name, str) else f"the {title}"

    @property
    def known(self) -> list[str]:
        return list(self.schema.get("properties", {}))

    @property
    def unknown(self) -> list[str]:
        return [key for key in self.instance if key not in self.known]

    def finding(self, code: str, message: str, hint: str = "", **place: Any) -> Diagnostic:
        pointer = place.pop("pointer", self.pointer)
        node = nodes.nearest(self.root, pointer, key=place.pop("key", False))
        return Diagnostic(code=code, message=message, span=node.span, hint=hint, **place)


def findings(error: ValidationError, root: nodes.Node) -> Iterator[Diagnostic]:
    """Rewrite one error of the validator; one error may be several findings (each unknown key is one)."""
    facts = _Error(
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


def quoted(text: str) -> str:
    """Quote a text of the document for a message: on one line, not too long."""
    written = json.dumps(text, ensure_ascii=False)
    return written if len(written) <= _SHOWN else written[: _SHOWN - 1] + '…"'


def _shown(value: JsonValue) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {quoted(value)}"
        case int() | float():
            return f"the number {str(value)[:_SHOWN]}"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"


def _unknown_keys(facts: _Error) -> Iterator[Diagnostic]:
    for key in facts.unknown:
        pointer = spans.pointer((*facts.path, key))
        if key in facts.schema.get("x-level1", ()):
            message = f"{quoted(key)} in {facts.owner} is a key of level 1, which Kanister would ignore"
            hint = f"set apiVersion: {OWN_API_VERSION}, or remove the key"
            yield facts.finding("KB601", message, hint, pointer=pointer, key=True)
            continue
        message = f"unknown key {quoted(key)} in {facts.owner}"
        lenient = facts.schema.get("x-unknown") == "warning"
        severity = Severity.WARNING if lenient else Severity.ERROR
        yield facts.finding("KB201", message, _known_hint(key, facts), pointer=pointer, key=True, severity=severity)


def _known_hint(key: str, facts: _Error) -> str:
    if key in facts.schema.get("x-later", ()):
        return "this version of the runner does not know the key yet; remove it"
    hint = suggest.hint(key, facts.known)
    allowed = ", ".join(sorted(facts.known))
    return f"{hint} (allowed are: {allowed})" if hint.startswith("did you mean") else hint


def _missing_keys(facts: _Error) -> Iterator[Diagnostic]:
    for key in facts.limit:
        if key in facts.instance or any(suggest.closest(other, [key]) for other in facts.unknown):
            continue  # a misspelt key is reported as unknown, with the right spelling
        message = f"{facts.owner} lacks the key {quoted(key)}"
        if not facts.path:
            message = f"the document lacks the key {quoted(key)}"
        found = facts.finding("KB202", message, _missing_hint(key, facts), key=True)
        yield replace(found, span=_head(facts))


def _missing_hint(key: str, facts: _Error) -> str:
    examples = facts.schema.get("properties", {}).get(key)
    examples = examples.get("examples", ()) if isinstance(examples, Mapping) else ()
    shown = next((example for example in examples if isinstance(example, str)), None)
    return f'add it, such as "{key}: {shown}"' if shown else f'add "{key}:"'


def _head(facts: _Error) -> spans.Span:
    """Return the place where a mapping begins: the key that leads to it, else its own first key."""
    node = nodes.at(facts.root, facts.pointer, key=True) or facts.root
    if isinstance(node, nodes.MapNode) and node.entries:
        return replace(node.entries[0][0].span, pointer=facts.pointer)
    return node.span


def _type(facts: _Error) -> Iterator[Diagnostic]:
    names = [facts.limit] if isinstance(facts.limit, str) else [name for name in facts.limit if name != "null"]
    wanted = " or ".join(_TYPES.get(name, name) for name in names)
    message = f"{facts.subject} must be {wanted}, not {_shown(facts.instance)}"
    yield facts.finding("KB203", message, _type_hint(names, facts))


def _type_hint(names: Sequence[str], facts: _Error) -> str:
    if "x-hint" in facts.schema:
        return str(facts.schema["x-hint"])
    is_scalar = isinstance(facts.instance, str | int | float)
    if "string" in names and is_scalar:
        return f"put it in quotes: {json.dumps(str(_source_text(facts)))}"
    if "array" in names and is_scalar:
        return f"make it a list: [{_source_text(facts)[:_SHOWN]}]"
    if facts.instance is None:
        return "give it a value, or remove the key"
    return ""


def _source_text(facts: _Error) -> str:
    node = nodes.at(facts.root, facts.pointer)
    return node.text if isinstance(node, nodes.ScalarNode) else ""


def _name(facts: _Error) -> Diagnostic:
    message = f"{quoted(facts.instance)} is not {facts.schema.get('x-form', 'allowed here')}"
    pointer = spans.pointer((*facts.path, facts.instance))
    return facts.finding("KB204", message, str(facts.schema.get("x-hint", "")), pointer=pointer, key=True)


def _form(facts: _Error) -> Iterator[Diagnostic]:
    message = f"{quoted(facts.instance)} is not {facts.schema.get('x-form', 'of the form ' + facts.limit)}"
    yield facts.finding("KB204", message, str(facts.schema.get("x-hint", "")))


def _format(facts: _Error) -> Iterator[Diagnostic]:
    message = f"{facts.subject} is not a regular expression: {facts.detail}"
    yield facts.finding("KB204", message, "see the syntax of Python's re module; quote special characters with \\")


def _enum(facts: _Error) -> Iterator[Diagnostic]:
    allowed = [str(value) for value in facts.limit]
    shown = quoted(facts.instance) if isinstance(facts.instance, str) else _shown(facts.instance)
    hint = suggest.hint(facts.instance, allowed) if isinstance(facts.instance, str) else ""
    if not hint.startswith("expected"):
        hint = f"{hint} (allowed are: {', '.join(allowed)})".lstrip()
    yield facts.finding("KB204", f"{facts.subject} cannot be {shown}", hint)


def _const(facts: _Error) -> Iterator[Diagnostic]:
    yield facts.finding("KB204", f"{facts.subject} must be {quoted(str(facts.limit))}", f"write {facts.limit}")


def _bound(wording: str) -> Callable[[_Error], Iterator[Diagnostic]]:
    def rewrite(facts: _Error) -> Iterator[Diagnostic]:
        yield facts.finding("KB204", f"{facts.subject} must {wording.format(facts.limit)}")

    return rewrite


def _empty(facts: _Error) -> Iterator[Diagnostic]:
    yield facts.finding("KB204", f"{facts.subject} must not be empty")


def _other(facts: _Error) -> Iterator[Diagnostic]:
    yield facts.finding("KB204", f"{facts.subject} is not allowed: {facts.detail}")


_REWRITERS: Mapping[str, Callable[[_Error], Iterator[Diagnostic]]] = {
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
