"""Checks the shape of a document against one of our JSON Schemas; the findings are in our own words."""

from __future__ import annotations

import functools
import json
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runner.base import diagnostic, resources
from runner.base.diagnostic import Diagnostic
from runner.base.jsonvalue import JsonValue
from runner.document import nodes, schema_messages

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator


def validate(root: nodes.Node, name: str) -> list[Diagnostic]:
    """Check a document.

    Args:
        root: The document.
        name: File name of the schema in `schemas/`, such as `blueprint.schema.json`.

    Returns:
        All findings (KB201 to KB204 and KB601), in the order of the document.
    """
    value = root.plain()
    if is_valid(name, value):
        return []
    return diagnostic.in_order(
        found for error in errors(name, value) for found in schema_messages.findings(error, root)
    )


def is_valid(name: str, value: JsonValue) -> bool:
    """Tell whether a document surely has the right shape.

    Most have, and of these the quick validator, which is of no help with messages, says so in a hundredth of the time.
    """
    try:
        return _quick_validator(name).is_valid(value)
    except ValueError:  # half a surrogate pair, which it cannot take
        return False


def errors(name: str, value: JsonValue) -> Iterator[ValidationError]:
    """Yield all errors in the shape of a document."""
    yield from _validator(name).iter_errors(value)


@functools.cache
def _quick_validator(name: str) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(
        _read(name), validate_formats=True, formats={"regex": _is_regex}, retriever=_read_uri
    )


@functools.cache
def _validator(name: str) -> Validator:
    """Compile a schema on first use: the import of jsonschema alone costs several bare interpreter starts."""
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry, Resource

    def retrieve(uri: str) -> Resource[Any]:
        return Resource.from_contents(_read_uri(uri))

    strict = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": _pattern, "format": _format}
    )
    validator: Validator = strict(_read(name), registry=Registry(retrieve=retrieve))  # type: ignore[call-arg]
    return validator


def _read_uri(uri: str) -> Any:
    return _read(uri.rpartition("/")[2])


def _read(name: str) -> Any:
    return json.loads((resources.schemas() / name).read_text(encoding="utf-8"))


def _pattern(_: Validator, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    # In Python "$" also matches before a final line break, in JSON Schema it does not.
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("pattern")


def _format(_: Validator, format_: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    fault = _regex_fault(instance) if format_ == "regex" and isinstance(instance, str) else ""
    if fault:
        yield ValidationError(fault)


def _is_regex(text: str) -> bool:
    return not _regex_fault(text)


def _regex_fault(text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what will have another meaning in a later Python is not written either
            re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        return str(error)
    return ""
