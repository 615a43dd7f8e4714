"""Check the arguments of a call as written, before anything runs: texts that are templates fit wherever they stand.

The words for what pydantic finds are made here, for the check and for the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from runner.base import secret, suggest
from runner.base import span as spans
from runner.base.jsonvalue import JsonValue
from runner.registry import args, function
from runner.templates import kinds, references

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_EXPECTED: Mapping[str, str] = MappingProxyType(
    {
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "string_type": "a text",
        "bool_type": "true or false",
        "list_type": "a list",
        "tuple_type": "a list",
        "set_type": "a list",
        "dict_type": "a mapping",
        "mapping_type": "a mapping",
        "model_type": "a mapping",
        "is_instance_of": "a text",
        "string_too_short": "a text of at least {min_length} characters",
        "string_too_long": "a text of at most {max_length} characters",
        "string_pattern_mismatch": "a text that matches {pattern}",
        "literal_error": "{expected}",
        "enum": "{expected}",
        "greater_than": "more than {gt}",
        "greater_than_equal": "{ge} or more",
        "less_than": "less than {lt}",
        "less_than_equal": "{le} or less",
        "too_short": "at least {min_length} entries",
        "too_long": "at most {max_length} entries",
        "finite_number": "a finite number",
    }
)
_LONGEST_SHOWN = 60
_AS_TEXT = "make it a text with the filter toJson, or put something beside it: --rows={{ … }}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the arguments; `pointer` leads to it from the mapping of arguments.

    Attributes:
        at_key: Whether the name is at fault and not the value.
        type_rule: The sentence that says which type is wanted, where the type is what is wrong.
    """

    code: str
    message: str
    hint: str
    pointer: str
    at_key: bool = False
    type_rule: str = ""


def check_arguments(
    spec: function.FunctionSpec,
    arguments: Mapping[str, JsonValue],
    *,
    is_template: Callable[[str], bool],
    example: Callable[[str], object],
) -> list[Problem]:
    """Check arguments as written against what a function takes.

    Args:
        spec: The function.
        arguments: As written.
        is_template: Whether a text is a template.
        example: A value of the type that a template yields (a `Secret` for a secret), or the template itself where
            the type is known only when it is rendered.

    Returns:
        KB502 unknown, KB503 missing, KB504 of the wrong type or form, KB505 a template that yields the wrong type,
        KB702 a secret where none is taken.
    """
    stand_ins = _Examples(is_template, example)
    found = []
    for problem, value in problems(spec, {name: stand_ins.put(item, (name,)) for name, item in arguments.items()}):
        if problem.pointer in stand_ins.pointers and problem.code != "KB702":
            if problem.type_rule:
                message = f"{problem.type_rule}, but the template yields {kinds.describe(value)}"
                hint = _AS_TEXT if problem.type_rule.endswith(" a text") else problem.hint
                found.append(structs.replace(problem, code="KB505", message=message, hint=hint))
        elif not (isinstance(value, str) and is_template(value)):
            found.append(problem)
    return found


def problems(spec: function.FunctionSpec, values: Mapping[str, Any]) -> Iterator[tuple[Problem, object]]:
    """Yield what is wrong with argument values, each with the value that is at fault."""
    import pydantic

    names = argument_names(spec)
    for name in values:
        if name not in names:
            yield _unknown(spec, name, names), values[name]
    known = {name: value for name, value in values.items() if name in names}
    try:
        spec.arguments.model_validate(known)
    except pydantic.ValidationError as error:
        # A union reports each of its branches; one finding for a place is enough.
        by_place: dict[tuple[str, bool], tuple[Problem, object]] = {}
        for details in error.errors(include_url=False):
            problem, value = _problem(spec, details, known)
            by_place.setdefault((problem.pointer, problem.at_key), (problem, value))
        yield from by_place.values()
    except secret.SecretMisuse as error:
        yield Problem(code="KB702", message=error.message, hint=error.hint, pointer=""), None


def argument_names(spec: function.FunctionSpec) -> list[str]:
    """Return the names of a function's arguments as documents write them."""
    return [field.alias or name for name, field in spec.arguments.model_fields.items()]


def describe(value: object) -> str:
    """Say what a value is, in a few words; nothing of a secret is shown."""
    if isinstance(value, secret.Secret):
        return "a secret"
    if isinstance(value, str):
        return f'the text "{value[:_LONGEST_SHOWN]}{"…" if len(value) > _LONGEST_SHOWN else ""}"'
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a mapping" if isinstance(value, Mapping) else "a list"


def _unknown(spec: function.FunctionSpec, name: str, names: list[str]) -> Problem:
    hint = suggest.hint(name, names) if names else f"{spec.name} takes no arguments"
    message = f'{spec.name} has no argument "{name}"'
    return Problem(code="KB502", message=message, hint=hint, pointer=spans.pointer([name]), at_key=True)


def _problem(spec: function.FunctionSpec, details: ErrorDetails, values: Mapping[str, Any]) -> tuple[Problem, object]:
    path, value = _place(details["loc"], values)
    kind = details["type"]
    pointer = spans.pointer(path)
    named = (
        f'the argument "{references.spell(tuple(path))}" of {spec.name}' if path else f"the arguments of {spec.name}"
    )
    if kind == "missing":
        missing = str(details["loc"][-1])
        label = references.spell((*path, missing))
        hint = _description(spec, details["loc"]) or f"add {missing}"
        return Problem(
            code="KB503", message=f'{spec.name} needs the argument "{label}"', hint=hint, pointer=pointer
        ), None
    if kind == "extra_forbidden":
        return Problem(
            code="KB502", message=f"{named} is unknown", hint="remove it", pointer=pointer, at_key=True
        ), value
    if isinstance(value, secret.Secret):
        takers = args.taking_secrets(spec.arguments)
        hint = f"pass it in {' or '.join(takers)}" if takers else f"{spec.name} takes no secrets: leave it out"
        return Problem(
            code="KB702", message=f"{named} would show the secret {value.label}", hint=hint, pointer=pointer
        ), value
    expected = _EXPECTED.get(kind)
    if expected is None or not path:
        message = f"{named} cannot be used: {_reason(details)}" if path else f"{named} do not fit: {_reason(details)}"
        return Problem(code="KB504", message=message, hint=_description(spec, path), pointer=pointer), value
    rule = f"{named} must be {expected.format(**details.get('ctx', {}))}"
    return Problem(
        code="KB504",
        message=f"{rule}, got {describe(value)}",
        hint=_description(spec, path),
        pointer=pointer,
        type_rule=rule if kind.endswith("_type") else "",
    ), value


def _place(location: Sequence[str | int], values: object) -> tuple[list[str | int], object]:
    """Follow an error's location as far as it leads into the values; unions and keys add parts of their own to it."""
    path: list[str | int] = []
    for part in location:
        match values:
            case Mapping() if part in values:
                values = values[part]
            case list() if isinstance(part, int) and part < len(values):
                values = values[part]
            case _:
                break
        path.append(part)
    return path, values


def _reason(details: ErrorDetails) -> str:
    cause = details.get("ctx", {}).get("error")
    text = str(cause) if isinstance(cause, Exception) else details["msg"]
    return (text[:1].lower() + text[1:]).rstrip(".")


def _description(spec: function.FunctionSpec, location: Sequence[str | int]) -> str:
    """Return what the function says about the argument, as a hint."""
    if len(location) != 1:
        return ""
    for name, field in spec.arguments.model_fields.items():
        if location[0] in (name, field.alias):
            return f"{location[0]}: {field.description}" if field.description else ""
    return ""


class _Examples:
    """Puts examples where templates stand, so that the model says whether it takes what they yield."""

    def __init__(self, is_template: Callable[[str], bool], example: Callable[[str], object]) -> None:
        self.pointers: set[str] = set()
        self._is_template = is_template
        self._example = example

    def put(self, value: JsonValue, path: tuple[str | int, ...]) -> Any:
        """Return the value with examples in it."""
        match value:
            case str() if self._is_template(value):
                example = self._example(value)
                if example is not value:
                    self.pointers.add(spans.pointer(path))
                return example
            case str():
                return value
            case Mapping():
                return {key: self.put(item, (*path, key)) for key, item in value.items()}
            case Sequence():
                return [self.put(item, (*path, index)) for index, item in enumerate(value)]
        return value
