"""What the document tells about the values of templates: whether they are secret, and an example of their type."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runner.base import secret
from runner.checks import declared
from runner.checks import scope as scopes
from runner.templates import references, template, value_types
from runner.templates.value_types import Type


def is_secret(scope: scopes.ActionScope, reference: references.Reference) -> bool:
    """Tell whether a reference reads a secret input or a secret output."""
    match reference.path:
        case ("inputs", str() as name, *_):
            declared = scope.action.inputs.get(name)
            return declared is not None and declared.secret
        case ("phases", str() as phase, "outputs", str() as name, *_):
            outputs = scope.phases[phase].outputs if phase in scope.phases else {}
            return name in outputs and outputs[name].secret
        case ("inputs",):
            return any(declared.secret for declared in scope.action.inputs.values())
        case ("phases", str() as phase, *_) if phase in scope.phases:
            return any(declared.secret for declared in scope.phases[phase].outputs.values())
    return False


def example(reader: declared.Reader, text: str) -> object:
    """Return a value of the type that a template yields, or its text where the type is not known."""
    parsed = template.parse(text)
    hidden = [reference for reference in parsed.references if is_secret(reader.action, reference)]
    if hidden:
        return secret.Secret(str(hidden[0]), str)
    type_, _ = reader.typed(parsed)
    if not parsed.is_typed or parsed.problems or type_ not in _EXAMPLES:
        return text
    return _EXAMPLES[type_]


_EXAMPLES: Mapping[Type, object] = MappingProxyType(
    {
        value_types.TEXT: "",
        value_types.WORD: "",
        value_types.declared("integer"): 1,
        value_types.declared("number"): 1.5,
        value_types.declared("boolean"): True,
        value_types.declared("array"): [],
        value_types.declared("object"): {},
    }
)
