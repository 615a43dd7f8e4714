"""`docs/language-reference.md` is generated from the schema of blueprints and from the code (`make docs`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.base import resources
from runner.checks.rules import references
from runner.checks.rules.names import RESERVED
from runner.document import compose
from runner.plan import expand
from runner.plan.plan import Concurrency, Retry
from runner.templates import functions, kinds

HEAD = """# Language reference

<!-- Generated from schemas/blueprint.schema.json and the code by `make docs`. -->

Every key of a blueprint (`apiVersion: blueprint-runner.dev/v1`). [language.md](language.md) teaches the language;
`runner explain KEY` shows a key in the terminal.
"""

# Title and path in the schema, in the order of the page.
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Blueprint", ()),
    ("requires", ("properties", "requires")),
    ("Action", ("$defs", "action")),
    ("Input", ("$defs", "input")),
    ("concurrency", ("$defs", "concurrency")),
    ("Phase", ("$defs", "phase")),
    ("foreach", ("$defs", "foreach")),
    ("retry", ("$defs", "retry")),
    ("backoff", ("$defs", "retry", "properties", "backoff")),
    ("Output", ("$defs", "output")),
    ("revert and cleanup", ("$defs", "undo")),
    ("deferPhase", ("$defs", "deferPhase")),
    ("Artifact", ("$defs", "artifact")),
)


def _part(schema: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        schema = schema[name]
    return schema


def _type(root: Any, shape: Mapping[str, Any]) -> str:
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return name if name in ("duration", "identifier") else _type(root, root["$defs"][name])
    if "enum" in shape:
        return " or ".join(f"`{value}`" for value in shape["enum"])
    if "const" in shape:
        return f"`{shape['const']}`"
    kinds = shape.get("type", "any value")
    named = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return f"{named} of {_type(root, shape['items'])}" if named == "array" and "items" in shape else named


def _facts(root: Any, shape: Mapping[str, Any]) -> str:
    resolved = {**root["$defs"][shape["$ref"].rpartition("/")[2]], **shape} if "$ref" in shape else shape
    bounds = [f"at least {resolved['minimum']}"] if "minimum" in resolved else []
    bounds += [f"at most {resolved['maximum']}"] if "maximum" in resolved else []
    default = f" Default `{json.dumps(resolved['default'])}`." if "default" in resolved else ""
    limits = f" {', '.join(bounds).capitalize()}." if bounds else ""
    examples = " or ".join(f"`{json.dumps(example, ensure_ascii=False)}`" for example in resolved["examples"])
    return f"{resolved['description']}{limits}{default} Example: {examples}."


def _keys(root: Any, part: Any) -> Iterator[str]:
    yield from ("", "| key | type | |", "|---|---|---|")
    for name, shape in part["properties"].items():
        mark = " **required**" if name in part.get("required", ()) else ""
        cells = (f"`{name}`{mark}", _type(root, shape), _facts(root, shape))
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _sections() -> Iterator[str]:
    root = json.loads((resources.schemas() / "blueprint.schema.json").read_text(encoding="utf-8"))
    for title, path in PARTS:
        part = _part(root, path)
        yield from ("", f"## {title}", "", part["description"])
        yield from _keys(root, part)
    yield from ("", "## Templates and expressions", "", "Templates stand in `{{ … }}`; `when` and `foreach` hold bare")
    yield "expressions. Both may read, and nothing else:"
    yield from (
        "",
        *(f"- `{shown}`" for shown in references.ROOTS.values()),
        "- `item`, `key`, `index`: in an instance",
    )
    yield from ("", "They may compare (`== != < <= > >= in not in`), combine (`and or not`), choose (`a if b else c`),")
    yield (
        "write texts, numbers, lists and mappings, and use filters: "
        + ", ".join(f"`{name}`" for name in functions.FUNCTIONS)
        + "."
    )
    yield from ("", "## Limits and defaults", "", "| what | |", "|---|---|")
    yield from (f"| {what} | {value} |" for what, value in _limits())


def _limits() -> Iterator[tuple[str, str]]:
    retry = Retry()
    yield "reserved names of phases", ", ".join(f"`{name}`" for name in sorted(RESERVED))
    yield "items of a `foreach`", f"{expand.MOST_ITEMS:,}"
    yield "attempts of a run under way at once", str(Concurrency().max_parallel)
    yield (
        "pauses between attempts",
        (
            f"{retry.initial.total_seconds():g} s, each {retry.factor:g} times longer, at most "
            f"{retry.maximum.total_seconds():g} s, varied by {retry.jitter:.0%}"
        ),
    )
    yield "text that a template may make", f"{kinds.LARGEST_TEXT:,} bytes"
    yield "size of a document", f"{compose.MAX_BYTES:,} bytes, {compose.MAX_NODES:,} values, {compose.MAX_DEPTH} levels"


def page() -> str:
    """Write the page."""
    return HEAD + "\n".join(_sections()) + "\n"


def test_language_reference_freshness(top: Path, request: pytest.FixtureRequest) -> None:
    path = top / "docs" / "language-reference.md"
    generated = page()
    if request.config.getoption("--update-golden", default=False):
        path.write_text(generated, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == generated, "run `make docs`"


def test_every_object_of_the_schema_has_a_section() -> None:
    root = json.loads((resources.schemas() / "blueprint.schema.json").read_text(encoding="utf-8"))
    objects = {name for name, part in root["$defs"].items() if part.get("type") == "object"}
    assert objects <= {path[1] for _, path in PARTS if path[:1] == ("$defs",)}
