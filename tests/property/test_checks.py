"""Whatever an author writes, checking it ends, with findings in order that lie within the text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.app import builtins, validate
from runner.base import diagnostic, errors
from runner.document import render, schema, source, yamlread
from runner.model import load
from runner.plan import compile
from runner.templates import bare, conditions, inference, references, template, value_types
from tests import effort
from tests.property import random_blueprints

REGISTRY = builtins.registry_of_builtins()
ROOTS: dict[str, Any] = {
    "inputs": {"a": "text", "b": [1, {"name": "x"}]},
    "phases": {"a": {"outputs": {"x": 3}}, "b": {"each": {"k": {"status": "failed", "outputs": {}}}}},
    "item": {"name": "n"},
    "key": "k",
    "index": 0,
    "time": "2026-03-01T08:30:00Z",
    "run": {"id": "7kq2m9xw"},
}


def _check(text: str) -> None:
    found = validate.findings(REGISTRY, text, "f.yaml")
    assert found == diagnostic.in_order(found)
    lines = source.SourceFile("f.yaml", text).lines
    for each in (place for finding in found for place in (finding.span, *(note.span for note in finding.related))):
        assert 1 <= each.line <= each.end_line <= len(lines)
        assert 1 <= each.column <= len(lines[each.line - 1]) + 1
        assert each.column <= each.end_column or each.line < each.end_line
    assert bool(render.text(found, {"f.yaml": text})) == bool(found)
    blueprint, _ = load.parse_blueprint(text, "f.yaml")
    if blueprint is not None and not diagnostic.has_errors(found):
        for action in blueprint.actions:
            assert compile.compile_plan(blueprint, action, REGISTRY)[0] is not None


@settings(max_examples=effort.examples(40))
@given(random_blueprints.documents())
def test_a_document_of_about_the_right_shape_is_checked_to_its_end(text: str) -> None:
    _check(text)


@settings(max_examples=effort.examples(40))
@given(random_blueprints.damaged())
def test_an_example_with_damaged_values_is_checked_to_its_end(text: str) -> None:
    _check(text)


@settings(max_examples=effort.examples(30))
@given(random_blueprints.torn())
def test_an_example_with_torn_text_is_checked_to_its_end(text: str) -> None:
    _check(text)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@settings(max_examples=5000)
@given(st.one_of(random_blueprints.documents(), random_blueprints.damaged(), random_blueprints.torn()))
def test_many_documents_are_checked_to_their_end(text: str) -> None:
    _check(text)


@settings(max_examples=effort.examples(120))
@given(random_blueprints.EXPRESSIONS | st.text(max_size=20))
def test_an_expression_without_problems_yields_a_value_or_an_error_with_a_code(text: str) -> None:
    parsed = template.parse_bare(text)
    type_, _ = inference.of(parsed, lambda path: value_types.ANY)
    assert type_
    assert conditions.is_never(text) in (True, False)
    assert conditions.implies(text, text) == (not parsed.problems)
    value = _value(text)
    assert value.code.startswith("KB") if isinstance(value, errors.RunnerError) else not parsed.problems


def _value(text: str) -> Any:
    """Return what an expression yields, or the error that it raises."""
    try:
        return bare.value(text, ROOTS)
    except errors.RunnerError as error:
        return error


@settings(max_examples=effort.examples(120))
@given(random_blueprints.EXPRESSIONS)
def test_the_value_of_an_expression_has_the_type_that_was_inferred(text: str) -> None:
    def type_of(path: tuple[str | int, ...]) -> value_types.Type:
        held = _value(references.spell(path))
        return value_types.ANY if isinstance(held, errors.RunnerError) else value_types.of_value(held)

    type_, _ = inference.of(template.parse_bare(text), type_of)
    value = _value(text)
    if not isinstance(value, errors.RunnerError):
        assert value_types.families(value_types.of_value(value)) <= value_types.families(type_)


@settings(max_examples=effort.examples(50))
@given(st.one_of(random_blueprints.documents(), random_blueprints.damaged()))
def test_the_quick_validator_finds_right_what_the_one_with_messages_does(text: str) -> None:
    root, _ = yamlread.read(text, "f.yaml")
    if root is not None:
        for name in ("blueprint.schema.json", "blueprint.kanister.schema.json"):
            assert schema.is_valid(name, root.plain()) == (next(schema.errors(name, root.plain()), None) is None)
