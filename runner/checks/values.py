"""What the document tells about the values that templates read: whether they are secret, and their type."""

from __future__ import annotations

from runner.base import secret
from runner.checks import scope as scopes
from runner.registry import function, registry
from runner.templates import references, template


def outputs_of(spec: function.FunctionSpec) -> list[str]:
    """Return the names of the outputs that a function always has."""
    return [field.alias or name for name, field in spec.outputs.model_fields.items()]


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


def example(scope: scopes.ActionScope, text: str, functions: registry.Registry) -> object:
    """Return a value of the type that a template yields, or its text where the type is not known."""
    parsed = template.parse(text)
    hidden = [reference for reference in parsed.references if is_secret(scope, reference)]
    if hidden:
        return secret.Secret(str(hidden[0]), str)
    if not parsed.is_reference:
        return text
    return _of_type(_type(scope, parsed.references[0], functions), text)


def _of_type(name: str | None, text: str) -> object:
    match name:
        case "integer":
            return 1
        case "number":
            return 1.5
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
        case "string" | "path":
            return ""
    return text


def _type(scope: scopes.ActionScope, reference: references.Reference, functions: registry.Registry) -> str | None:
    match reference.path:
        case ("inputs", str() as name) if name in scope.action.inputs:
            return scope.action.inputs[name].type
        case ("phases", str() as phase, "outputs", str() as name) if phase in scope.phases:
            declared = scope.phases[phase].outputs.get(name)
            if declared is not None:
                return declared.type
            spec = functions.find(scope.phases[phase].function)
            return None if spec is None else _model_type(spec, name)
    return None


def _model_type(spec: function.FunctionSpec, output: str) -> str | None:
    for name, field in spec.outputs.model_fields.items():
        if output == (field.alias or name):
            plain: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
            return plain.get(field.annotation)
    return None
