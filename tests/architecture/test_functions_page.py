"""`docs/functions.md` is generated from the functions themselves (`make docs`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from runner import functions
from runner.cli import fields
from runner.registry.function import FunctionSpec

HEAD = """# Functions

<!-- Generated from the functions by `make docs`; edit their docstrings instead. -->

What the phases of a blueprint can call. `runner explain NAME` shows the same in the terminal; the JSON Schema of the
arguments of each is in [schemas/functions](../schemas/functions/).
"""


def _repeating(spec: FunctionSpec) -> str:
    if spec.idempotent:
        return "it may simply run again"
    said = (
        f"it may run again if the phase says `{spec.idempotent_argument}: true`, otherwise "
        if spec.idempotent_argument
        else ""
    )
    if spec.find is not None:
        return f"{said}it looks for what it had created"
    return f"{said}the phase waits to be settled"


def _argument(field: fields.Field) -> str:
    facts = (
        "**required**"
        if field.required
        else f"default `{json.dumps(field.default)}`"
        if field.default is not None
        else ""
    )
    example = f" Example: `{field.example}`." if field.example else ""
    return _row(f"`{field.name}`", field.type, facts, field.description + example)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells).replace("  |", " |") + " |"


def _outputs(spec: FunctionSpec) -> Iterator[str]:
    shown = fields.of(spec.outputs, mode="serialization")
    if shown:
        yield from ("", "| output | type | |", "|---|---|---|")
        yield from (_row(f"`{field.name}`", field.type, field.description) for field in shown)
    if spec.dynamic_outputs:
        yield from ("", "Further outputs are those that the phase declares under `outputs`.")


def _section(spec: FunctionSpec) -> Iterator[str]:
    yield from ("", f"## {spec.name}", "", spec.description.replace("\n\n\n", "\n\n"), "")
    yield f"Effects: {spec.effects}. After a crash: {_repeating(spec)}."
    arguments = fields.of(spec.arguments, mode="validation")
    if arguments:
        yield from ("", "| argument | type | | |", "|---|---|---|---|")
        yield from map(_argument, arguments)
    yield from _outputs(spec)


def page(specs: Sequence[FunctionSpec]) -> str:
    """Write the page for these functions, in alphabetical order."""
    lines = [line for spec in sorted(specs, key=lambda spec: spec.name) for line in _section(spec)]
    return HEAD + "\n".join(lines) + "\n"


def test_functions_page_freshness(top: Path, request: pytest.FixtureRequest) -> None:
    path = top / "docs" / "functions.md"
    generated = page(functions.builtin())
    if request.config.getoption("--update-golden", default=False):
        path.write_text(generated, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == generated, "run `make docs`"


def test_every_function_and_every_field_is_described() -> None:
    specs = functions.builtin()
    assert specs
    silent = [
        f"{spec.name}.{field.name}"
        for spec in specs
        for field in [*fields.of(spec.arguments, mode="validation"), *fields.of(spec.outputs, mode="serialization")]
        if not field.description
    ]
    assert silent + [spec.name for spec in specs if not spec.description] == []
