"""Checks the shape of a document against one of our JSON Schemas; the findings are in our own words."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runner.base import diagnostic, resources
from runner.base.diagnostic import Diagnostic
from runner.document import nodes, schema_messages

if TYPE_CHECKING:
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
    found: list[Diagnostic] = []
    for error in _validator(name).iter_errors(root.plain()):
        found.extend(schema_messages.findings(error, root))
    return diagnostic.in_order(found)


@functools.cache
def _validator(name: str) -> Validator:
    """Compile a schema on first use: the import of jsonschema alone costs several bare interpreter starts."""
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry, Resource

    def retrieve(uri: str) -> Resource[Any]:
        return Resource.from_contents(_read(uri.rpartition("/")[2]))

    strict = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": _pattern, "format": _format}
    )
    validator: Validator = strict(_read(name), registry=Registry(retrieve=retrieve))  # type: ignore[call-arg]
    return validator


def _read(name: str) -> Any:
    return json.loads((resources.schemas() / name).read_text(encoding="utf-8"))


def _pattern(_: Validator, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    # In Python "$" also matches before a final line break, in JSON Schema it does not.
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("pattern")


def _format(_: Validator, format_: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if format_ != "regex" or not isinstance(instance, str):
        return
    try:
        re.compile(instance)
    except (re.error, OverflowError, RecursionError) as error:
        yield ValidationError(str(error))
