from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema
import pydantic
import pytest

from runner.base import errors
from runner.base.secret import Secret, SecretMisuse
from runner.registry import argcheck, argdecode, args, argschema, function
from runner.testing import sample_functions

RUN, SNAPSHOT = sample_functions.run_command, sample_functions.snapshot_volume


class OddArguments(args.Arguments):
    size: int = args.argument("Size.", default=1)
    either: str = args.argument("Either.", default="")
    rows: list[dict[str, int]] = args.argument("Rows.", default=[])
    ratio: float | None = args.argument("Ratio.", default=None)

    @pydantic.field_validator("either")
    @classmethod
    def _known(cls, value: str) -> str:
        if value == "odd":
            raise ValueError("It cannot be odd")
        return value

    @pydantic.model_validator(mode="after")
    def _fits(self) -> OddArguments:
        if self.size == 2 and not self.either:
            raise ValueError("size 2 needs either")
        return self


@function.function("Odd", effects=function.Effects.READS, idempotent=True)
def odd(ctx: Any, args: OddArguments) -> None:
    """Be odd.

    More words.
    """


def check(spec: function.FunctionSpec, arguments: Mapping[str, Any], **examples: object) -> list[tuple[str, str, str]]:
    found = argcheck.check_arguments(
        spec,
        arguments,
        is_template=lambda text: "{{" in text,
        example=lambda text: examples.get(text.strip("{} "), text),
    )
    return [(each.code, each.pointer, each.message) for each in found]


def test_unknown_missing_and_wrong_arguments_are_all_reported() -> None:
    assert check(SNAPSHOT, {"volum": "v", "driver": "disk", "keep": 0}) == [
        ("KB502", "/volum", 'SnapshotVolume has no argument "volum"'),
        ("KB503", "", 'SnapshotVolume needs the argument "volume"'),
        (
            "KB504",
            "/driver",
            "the argument \"driver\" of SnapshotVolume must be 'file' or 'memory', got the text \"disk\"",
        ),
        ("KB504", "/keep", 'the argument "keep" of SnapshotVolume must be 1 or more, got the number 0'),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": "1"}, 'the argument "size" of Odd must be a whole number, got the text "1"'),
        ({"size": True}, 'the argument "size" of Odd must be a whole number, got true'),
        ({"either": None}, 'the argument "either" of Odd must be a text, got nothing'),
        ({"either": "odd"}, 'the argument "either" of Odd cannot be used: it cannot be odd'),
        ({"rows": {}}, 'the argument "rows" of Odd must be a list, got a mapping'),
        (
            {"rows": [{"a": 1}, {"b/c": "x"}]},
            'the argument "rows[1]["b/c"]" of Odd must be a whole number, got the text "x"',
        ),
        ({"ratio": "x" * 100}, f'the argument "ratio" of Odd must be a number, got the text "{"x" * 60}…"'),
        ({"size": 2}, "the arguments of Odd do not fit: size 2 needs either"),
    ],
)
def test_a_wrong_value_is_described_in_our_words(arguments: dict[str, Any], message: str) -> None:
    assert [found[2] for found in check(odd, arguments)] == [message]


def test_the_pointer_leads_to_the_wrong_value() -> None:
    assert check(odd, {"rows": [{"a": 1}, {"b/c": "x"}]})[0][1] == "/rows/1/b~1c"


def test_arguments_are_known_by_their_names_in_documents_only() -> None:
    assert check(RUN, {"command": ["x"], "successCodes": [1]}) == []
    assert [found[0] for found in check(RUN, {"command": ["x"], "success_codes": [1]})] == ["KB502"]


def test_a_template_may_stand_for_any_value() -> None:
    assert check(RUN, {"command": "{{ x }}", "successCodes": [1, "{{ x }}"], "env": {"A": "{{ x }}"}}) == []
    assert check(odd, {"size": "{{ x }}", "rows": [{"a": "{{ x }}"}], "ratio": "{{ x }}"}) == []
    assert [found[:2] for found in check(RUN, {"command": "{{ x }}", "successCodes": [True]})] == [
        ("KB504", "/successCodes/0")
    ]


def test_a_template_whose_type_is_known_must_fit() -> None:
    assert check(odd, {"size": "{{ list }}", "ratio": "{{ count }}"}, list=[], count=3) == [
        ("KB505", "/size", 'the argument "size" of Odd must be a whole number, but the template yields a list')
    ]
    # Its value is not known, so what depends on it is not judged.
    assert check(SNAPSHOT, {"volume": "{{ text }}", "keep": "{{ count }}"}, text="", count=-1) == []


def test_a_secret_may_stand_only_where_one_is_taken() -> None:
    hidden = Secret("inputs.password", str)
    assert check(RUN, {"command": ["x"], "env": {"A": "{{ s }}"}}, s=hidden) == []
    assert [found[:2] for found in check(RUN, {"command": ["x", "{{ s }}"]}, s=hidden)] == [("KB702", "/command/1")]
    assert [found[0] for found in check(odd, {"either": "{{ s }}", "size": "{{ s }}"}, s=hidden)] == ["KB702", "KB702"]


def test_rendered_arguments_become_the_model() -> None:
    hidden = Secret("inputs.password", lambda: "hunter2")
    decoded = argdecode.decode(RUN, {"command": ["a"], "env": {"A": hidden, "B": "b"}, "successCodes": [0, 3]})
    assert isinstance(decoded, sample_functions.CommandArguments)
    assert (decoded.command, decoded.success_codes) == (["a"], [0, 3])
    assert decoded.env["A"] is hidden


def test_rendered_arguments_that_do_not_fit_are_one_error() -> None:
    with pytest.raises(errors.PermanentError) as raised:
        argdecode.decode(SNAPSHOT, {"volume": 3, "keep": "x"})
    error = raised.value
    assert (error.code, error.context) == ("KB505", {"argument": "/volume"})
    assert error.message == 'the argument "volume" of SnapshotVolume must be a text, got the number 3'
    assert error.details == 'the argument "keep" of SnapshotVolume must be a whole number, got the text "x"'
    with pytest.raises(errors.PermanentError, match="needs the argument") as raised:
        argdecode.decode(SNAPSHOT, {})
    assert raised.value.code == "KB505"


@pytest.mark.parametrize(
    "arguments", [{"command": ["a", None]}, {"command": None}, {"command": [], "successCodes": [None]}]
)
def test_a_secret_where_none_is_taken_is_refused_and_never_shown(arguments: dict[str, Any]) -> None:
    hidden = Secret("inputs.password", lambda: "hunter2")

    def plant(value: Any) -> Any:
        return [plant(item) for item in value] if isinstance(value, list) else value if value is not None else hidden

    with pytest.raises(errors.RunnerError) as raised:
        argdecode.decode(RUN, {name: plant(value) for name, value in arguments.items()})
    assert raised.value.code == "KB702"
    assert "hunter2" not in f"{raised.value} {raised.value.details} {raised.value.hint} {raised.value.__cause__!r}"


def test_a_validator_that_looks_at_a_secret_is_a_misuse() -> None:
    class Looks(args.Arguments):
        word: args.SecretText = args.argument("Word.")

        @pydantic.field_validator("word")
        @classmethod
        def _look(cls, value: object) -> object:
            if value == "x":
                raise AssertionError("unreachable for a secret")
            return value

    spec = function.FunctionSpec(
        name="Looks",
        effects=function.Effects.READS,
        idempotent=True,
        call=odd.call,
        arguments=Looks,
        outputs=args.NoOutputs,
    )
    with pytest.raises(errors.RunnerError) as raised:
        argdecode.decode(spec, {"word": Secret("inputs.password", str)})
    assert raised.value.code == SecretMisuse.default_code


def test_the_schema_takes_values_and_templates() -> None:
    schema = argschema.schema(RUN)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"command": ["x"], "idempotent": True, "successCodes": [0, "{{ x }}"]})
    assert validator.is_valid({"command": "{{ x }}", "idempotent": "{{ x }}", "env": {"A": "a"}})
    assert not validator.is_valid({"command": "x"})
    assert not validator.is_valid({"command": ["x"], "idempotent": "yes"})
    assert not validator.is_valid({"command": ["x"], "successCodes": ["0"]})
    assert not validator.is_valid({"idempotent": True})
    assert not validator.is_valid({"command": ["x"], "success_codes": [0]})
    assert schema["title"] == "RunCommand"
    assert argschema.schema(odd)["description"] == "Be odd."


def test_the_schema_describes_every_argument() -> None:
    properties: Any = argschema.schema(SNAPSHOT)["properties"]
    assert properties["keep"]["description"] == "How many to keep."
    assert properties["keep"]["default"] == 1
    assert properties["driver"]["anyOf"][0] == {"enum": ["file", "memory"], "type": "string"}
