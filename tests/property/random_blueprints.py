"""Random blueprints: made along the schema, with anything in any place now and then; and real ones, damaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from runner.base import resources

SCHEMA: dict[str, Any] = json.loads((resources.schemas() / "blueprint.schema.json").read_text(encoding="utf-8"))
EXAMPLES = tuple(
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "examples").glob("*/blueprint*.yaml"))
)

IDENTIFIERS = st.sampled_from(["a", "b", "c", "backup", "dump", "stop", "thaw"])
NAMES = st.sampled_from(["a", "b", "c", "backup", "dump", "stop", "x-y", "", "defer", "日本"])
OPERANDS = st.sampled_from(
    [
        *("inputs.a", "inputs.b", "inputs", "phases.a.outputs.x", "phases.b.each", "phases.b.each.k.outputs.export"),
        *("item", "item.name", "key", "index", "time", "run.id", "artifactsIn.a.x", "object.name", "nothing.there"),
        *("true", "none", "1", "-1.5", "'text'", '"{{"', "[1, 'a']", "{'a': 1}", "inputs['a']", "inputs.a[0]"),
    ]
)
_JOINS = (" == ", " < ", " in ", " and ", " or ", " not in ", " if inputs.a else ", " + ", " ~ ", ".", " | ", " is ")
_FILTERS = (
    "upper",
    "join",
    "sh",
    "default('x')",
    "toJson",
    "fromJson",
    "indent('2')",
    "replace('a')",
    "nope",
    "date(1)",
)
EXPRESSIONS = st.recursive(
    OPERANDS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(_JOINS), inner).map("".join),
        st.tuples(inner, st.sampled_from(_FILTERS)).map(" | ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"not {text}"),
        inner.map(lambda text: f"[{text}]"),
    ),
    max_leaves=6,
)
TEMPLATES = st.lists(
    st.one_of(
        EXPRESSIONS.map(lambda text: f"{{{{ {text} }}}}"),
        st.sampled_from(["{{", "}}", "{% if x %}", "{#", "{{-", " rm -rf ", "'", "\n", "{{}}", "é"]),
        st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=4),
    ),
    max_size=4,
).map("".join)
TEXTS = st.one_of(
    NAMES, EXPRESSIONS, TEMPLATES, st.sampled_from(["1h", "0s", "3000000h", "9" * 40 + "h", ">=0.1", "["])
)
JUNK = st.recursive(
    st.one_of(
        TEXTS, st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
_FUNCTIONS = ("RunCommand", "BackupFiles", "SnapshotVolume", "AssertThat", "Pause", "DeleteSnapshot", "RunComand")
_ARGUMENTS = st.dictionaries(
    st.sampled_from(["command", "script", "paths", "that", "volume", "duration", "env", "idempotent", "message"]),
    st.one_of(TEXTS, st.lists(TEXTS, max_size=3), JUNK),
    max_size=3,
)
# Where a key says more than its type does.
_BY_KEY: dict[str, st.SearchStrategy[Any]] = {
    "func": st.sampled_from(_FUNCTIONS),
    "args": _ARGUMENTS,
    "when": st.one_of(EXPRESSIONS, st.booleans()),
    "items": st.one_of(EXPRESSIONS, st.lists(TEXTS, max_size=3)),
    "key": EXPRESSIONS,
    "group": TEMPLATES.filter(bool),
    "keyValue": st.dictionaries(IDENTIFIERS, TEMPLATES, max_size=2),
    "default": st.sampled_from(["a", 1, True, [], {}]),
    "enum": st.just(["a", "b"]),
}
_RARELY = st.integers(0, 9).map(lambda number: number == 0)


_SOMETIMES = st.integers(0, 9).map(lambda number: number < 4)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Return the text of a blueprint of the right shape, or of about the right shape."""
    maker = _Maker(draw, draw(st.booleans()))
    made = {"apiVersion": "blueprint-runner.dev/v1", "kind": "Blueprint", "metadata": {"name": "sample"}}
    rest = {
        key: maker.value(SCHEMA["properties"][key], key) for key in ("requires", "retryPolicies") if draw(_SOMETIMES)
    }
    return _written(draw, {**made, **rest, "actions": maker.named({"$ref": "#/$defs/action"}, at_least=1)})


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    shared = SCHEMA["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else {}
    return {**shared, **{key: value for key, value in part.items() if key != "$ref"}}


class _Maker:
    """Makes values for parts of the schema; if it is wild, one of ten is something else."""

    def __init__(self, draw: st.DrawFn, wild: bool) -> None:
        self._draw = draw
        self._wild = wild
        self._names = NAMES if wild else IDENTIFIERS

    def value(self, part: dict[str, Any], key: str) -> Any:
        """Return a value for a part that stands under a key."""
        if self._is_off():
            return self._draw(JUNK)
        if key in _BY_KEY:
            return self._draw(_BY_KEY[key])
        if key == "needs":
            return self._draw(st.lists(self._names, max_size=3))
        part = _resolved(part)
        if "enum" in part:
            return self._draw(st.sampled_from(part["enum"]))
        kinds = part.get("type", "string")
        kind = kinds if isinstance(kinds, str) else self._draw(st.sampled_from(kinds))
        return self._of_kind(kind, part, key)

    def named(self, part: dict[str, Any], at_least: int = 0) -> dict[str, Any]:
        """Return some values by names."""
        number = self._draw(st.integers(at_least, 2))
        return {self._draw(self._names): self.value(part, "") for _ in range(number)}

    def _of_kind(self, kind: str, part: dict[str, Any], key: str) -> Any:
        match kind:
            case "object":
                return self._mapping(_resolved(part["then"]) if "then" in part else part) or part["examples"][0]
            case "array":
                return [self.value(part.get("items", {}), "") for _ in range(self._draw(st.integers(1, 3)))]
            case "boolean":
                return self._draw(st.booleans())
            case "integer" | "number":
                return self._draw(st.integers(part.get("minimum", 0), min(part.get("maximum", 20), 20)))
        if key == "name" or ("pattern" not in part and not part.get("examples")):
            return self._draw(self._names)
        examples = st.sampled_from([each for each in part.get("examples", ["a"]) if isinstance(each, str)] or ["a"])
        return self._draw(st.one_of(examples, TEXTS) if self._wild else examples)

    def _mapping(self, part: dict[str, Any]) -> dict[str, Any]:
        required = part.get("required", ())
        made = {
            key: self.value(value, key)
            for key, value in part.get("properties", {}).items()
            if key in required or self._draw(_SOMETIMES)
        }
        if isinstance(part.get("additionalProperties"), dict):
            made |= self.named(part["additionalProperties"])
        return {**made, self._draw(NAMES): self._draw(JUNK)} if self._is_off() else made

    def _is_off(self) -> bool:
        return self._wild and self._draw(_RARELY)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Return the text of an example in which some values or keys are gone, doubled, moved or replaced."""
    document = copy.deepcopy(yaml.safe_load(draw(st.sampled_from(EXAMPLES))))
    for _ in range(draw(st.integers(1, 4))):
        _damage(draw, document)
    return _written(draw, document)


def _damage(draw: st.DrawFn, document: Any) -> None:
    container, key = draw(st.sampled_from(list(_places(document))))
    match draw(st.sampled_from(["remove", "replace", "rename", "swap", "double"])):
        case "remove":
            del container[key]
        case "replace":
            container[key] = draw(JUNK)
        case "rename" if isinstance(container, dict):
            container[draw(st.one_of(NAMES, st.sampled_from(["when", "foreach", "revert"])))] = container.pop(key)
        case "swap":
            other, place = draw(st.sampled_from(list(_places(document))))
            value = copy.deepcopy(container[key])
            container[key] = copy.deepcopy(other[place])
            other[place] = value
        case _ if isinstance(container, list):
            container.append(copy.deepcopy(container[key]))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(entries):
        yield value, key
        yield from _places(item)


def _written(draw: st.DrawFn, document: Any) -> str:
    """Write a document in one of the forms of YAML."""
    if draw(st.booleans()):
        return json.dumps(document, ensure_ascii=False)
    separate = json.loads(json.dumps(document))  # what is one object twice would become an alias
    return yaml.safe_dump(separate, allow_unicode=True, sort_keys=False, default_flow_style=draw(st.booleans()))


@st.composite
def torn(draw: st.DrawFn) -> str:
    """Return the text of an example in which pieces of text are gone, doubled or replaced."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        put = draw(
            st.one_of(st.just(""), st.just(text[start:end] * 2), TEXTS, st.sampled_from(["\n", "  ", "- ", ": "]))
        )
        text = text[:start] + put + text[end:]
    return text
