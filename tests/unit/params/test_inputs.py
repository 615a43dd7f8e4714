from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.base.errors import RunnerError
from runner.base.secret import Secret
from runner.model.blueprint import Input
from runner.params import inputs


def declare(name: str, type_name: str = "string", **facts: Any) -> Input:
    known: dict[str, Any] = {
        "default": None,
        "has_default": "default" in facts,
        "required": False,
        "enum": (),
        "pattern": None,
        "secret": False,
        "description": "",
        "pointer": f"/inputs/{name}",
    }
    return Input(name=name, type=type_name, **(known | facts))


class Resolver:
    def __init__(self, tmp_path: Path, *declared: Input) -> None:
        self.declared = {each.name: each for each in declared}
        self.tmp_path = tmp_path

    def __call__(self, **given: Any) -> tuple[dict[str, Any], list[RunnerError]]:
        known: dict[str, Any] = {"sets": [], "set_files": [], "files": [], "environment": {}}
        return inputs.resolve(
            self.declared, blueprint_dir=self.tmp_path / "blueprint", cwd=self.tmp_path, **(known | given)
        )

    def problems(self, **given: Any) -> list[tuple[str, str, str]]:
        return [(found.code, found.message, found.hint) for found in self(**given)[1]]


@pytest.mark.parametrize(
    ("type_name", "text", "expected"),
    [
        ("string", "12", "12"),
        ("string", "a=b", "a=b"),
        ("string", "", ""),
        ("integer", "-12", -12),
        ("number", "1.5", 1.5),
        ("number", "2", 2),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("array", '["a", 1]', ["a", 1]),
        ("object", '{"a": [1]}', {"a": [1]}),
    ],
)
def test_set_reads_a_value_by_its_declared_type(tmp_path: Path, type_name: str, text: str, expected: object) -> None:
    values, problems = Resolver(tmp_path, declare("x", type_name))(sets=[f"x={text}"])
    assert (values, problems) == ({"x": expected}, [])
    assert type(values["x"]) is type(expected)


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("integer", "1.0"),
        ("integer", "x"),
        ("integer", "9" * 5000),
        ("number", "x"),
        ("number", "true"),
        ("boolean", "yes"),
        ("boolean", "True"),
        ("array", "a,b"),
        ("array", "{}"),
        ("array", "[" * 100000),
        ("object", "[]"),
        ("path", ""),
        ("path", "a\0b"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, type_name: str, text: str) -> None:
    values, (problem,) = Resolver(tmp_path, declare("x", type_name))(sets=[f"x={text}"])
    assert values == {}
    assert problem.code == "KB512"
    assert len(problem.message) < 200


def test_enum_and_pattern_are_kept(tmp_path: Path) -> None:
    resolver = Resolver(tmp_path, declare("mode", enum=("a", "b")), declare("label", pattern="[a-z]+"))
    assert resolver(sets=["mode=b", "label=abc"]) == ({"mode": "b", "label": "abc"}, [])
    assert resolver.problems(sets=["mode=c", "label=abc\n"]) == [
        ("KB512", 'the input "mode" must be one of "a", "b", got "c"', 'choose one of: "a", "b"'),
        ("KB512", 'the input "label" must match [a-z]+, got "abc\\n"', "write a text that matches [a-z]+"),
    ]


def test_the_more_explicit_source_wins(tmp_path: Path) -> None:
    resolver = Resolver(tmp_path, declare("x", default="default"))
    (tmp_path / "first.yaml").write_text("x: first")
    (tmp_path / "second.json").write_text('{"x": "second"}')
    (tmp_path / "value").write_text("set-file\n")
    assert resolver()[0] == {"x": "default"}
    assert resolver(files=[Path("first.yaml"), Path("second.json")])[0] == {"x": "second"}
    assert resolver(files=[Path("second.json")], set_files=["x=value"])[0] == {"x": "set-file"}
    assert resolver(set_files=["x=value"], sets=["x=1", "x=2"])[0] == {"x": "2"}


@pytest.mark.parametrize(
    ("content", "text"), [("a\n", "a"), ("a\r", "a\r"), ("a\n\n", "a\n"), ("a\r\n", "a"), ("a", "a"), ("\n", "")]
)
def test_set_file_strips_one_final_line_break(tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "value").write_bytes(content.encode())
    assert Resolver(tmp_path, declare("x"))(set_files=["x=value"])[0] == {"x": text}


def test_a_path_starts_where_it_was_written_and_becomes_absolute(tmp_path: Path) -> None:
    resolver = Resolver(tmp_path, declare("data", "path", default="./data"))
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "inputs.yaml").write_text("data: dump")
    assert resolver()[0] == {"data": str(tmp_path / "blueprint" / "data")}
    assert resolver(sets=["data=dump"])[0] == {"data": str(tmp_path / "dump")}
    assert resolver(files=[Path("there/inputs.yaml")])[0] == {"data": str(tmp_path / "there" / "dump")}
    assert resolver(sets=["data=/dump"])[0] == {"data": "/dump"}


class TestSecrets:
    def resolver(self, tmp_path: Path) -> Resolver:
        return Resolver(tmp_path, declare("password", secret=True, required=True, pattern="[a-z0-9]+"))

    def test_a_secret_comes_from_the_environment_or_a_file_as_a_placeholder(self, tmp_path: Path) -> None:
        (tmp_path / "value").write_text("filed\n")
        (tmp_path / "inputs.yaml").write_text("password: written\n")
        resolver = self.resolver(tmp_path)
        environment = {"RUNNER_INPUT_PASSWORD": "told", "RUNNER_INPUT_OTHER": "x"}
        sources: list[tuple[dict[str, Any], str]] = [
            ({"environment": environment}, "told"),
            ({"environment": environment, "set_files": ["password=value"]}, "filed"),
            ({"files": [Path("inputs.yaml")]}, "written"),
        ]
        for given, text in sources:
            values, problems = resolver(**given)
            assert problems == []
            assert isinstance(values["password"], Secret)
            assert (values["password"].label, values["password"].reveal()) == ("inputs.password", text)

    def test_set_refuses_a_secret_without_repeating_it(self, tmp_path: Path) -> None:
        assert self.resolver(tmp_path).problems(sets=["password=hunter2"]) == [
            (
                "KB703",
                'the input "password" is secret and cannot be set on the command line',
                "pass it with --set-file password=PATH or in RUNNER_INPUT_PASSWORD",
            )
        ]

    def test_no_message_shows_the_value(self, tmp_path: Path) -> None:
        (tmp_path / "binary").write_bytes(b"HUNTER2\xff")
        (tmp_path / "inputs.yaml").write_text("password: HUNTER2\n")
        for given in (
            {"environment": {"RUNNER_INPUT_PASSWORD": "HUNTER2"}},
            {"set_files": ["password=binary"]},
            {"files": [Path("inputs.yaml")]},
            {"sets": ["HUNTER2"]},
            {"sets": ["password=HUNTER2"]},
        ):
            values, problems = self.resolver(tmp_path)(**given)
            assert problems
            assert "HUNTER2" not in repr([(p, p.details, p.hint, p.context, p.__cause__) for p in problems])
            assert values == {}
            assert all(problem.span is None for problem in problems), "its line would be shown"

    def test_an_environment_variable_sets_no_other_input(self, tmp_path: Path) -> None:
        assert Resolver(tmp_path, declare("x"))(environment={"RUNNER_INPUT_X": "y"}) == ({}, [])


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    resolver = Resolver(
        tmp_path,
        declare("count", "integer"),
        declare("name", required=True, description="Its name."),
        declare("token", secret=True),
    )
    (tmp_path / "inputs.yaml").write_text("countt: 3\ncount: many\n")
    found = resolver.problems(
        files=[Path("inputs.yaml"), Path("nowhere.yaml")], set_files=["x=nowhere"], sets=["token=t", "nonsense"]
    )
    assert [code for code, _, _ in found] == ["KB511", "RT103", "RT103", "KB703", "RT101", "KB512", "KB510"]
    assert found[0][2] == 'did you mean "count"?'


def test_a_value_in_a_file_is_reported_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "inputs.yaml").write_text("# mine\ncount: many\n")
    _, (problem,) = Resolver(tmp_path, declare("count", "integer"))(files=[Path("inputs.yaml")])
    assert problem.span is not None
    assert (problem.span.file, problem.span.line, problem.span.column) == ("inputs.yaml", 2, 8)


@pytest.mark.parametrize(("text", "code"), [("[1]", "KB512"), ("", "KB106"), ("a: 1\na: 2", "KB102"), ("{", "KB101")])
def test_a_file_that_holds_no_inputs_is_refused(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "inputs.yaml").write_text(text)
    found = Resolver(tmp_path, declare("a")).problems(files=[Path("inputs.yaml")])
    assert [each for each, _, _ in found] == [code]


def test_an_optional_input_that_is_not_given_is_left_out(tmp_path: Path) -> None:
    assert Resolver(tmp_path, declare("x"), declare("y"))(sets=["x=1"]) == ({"x": "1"}, [])


def test_several_problems_make_one_error(tmp_path: Path) -> None:
    _, problems = Resolver(tmp_path, declare("a", required=True), declare("b", required=True))()
    error = inputs.as_error(problems)
    assert (error.code, error.message, error.details) == (
        "KB510",
        'the input "a" is missing',
        'KB510: the input "b" is missing',
    )


def asking(asked: list[str], answer: str = "hunter2") -> Any:
    def prompt(question: str) -> str:
        asked.append(question)
        return answer

    return prompt


def test_a_required_secret_that_was_given_nowhere_is_asked_for(tmp_path: Path) -> None:
    asked: list[str] = []
    resolver = Resolver(tmp_path, declare("password", secret=True, required=True, description="Of the owner."))
    values, problems = resolver(prompt=asking(asked))
    assert (values["password"].reveal(), problems) == ("hunter2", [])
    assert asked == ['Value of the secret input "password" (Of the owner.)']


def test_an_answer_that_does_not_fit_is_refused_without_being_shown(tmp_path: Path) -> None:
    resolver = Resolver(tmp_path, declare("pin", secret=True, required=True, pattern="[0-9]{4}"))
    assert resolver.problems(prompt=asking([])) == [
        ("KB512", 'the input "pin" must match [0-9]{4}, got something else', "write a text that matches [0-9]{4}")
    ]


@pytest.mark.parametrize(
    ("facts", "given"),
    [
        ({"secret": True}, {}),
        ({"required": True}, {}),
        ({"secret": True, "required": True}, {"environment": {"RUNNER_INPUT_X": "given"}}),
        ({"secret": True, "required": True}, {"sets": ["y=1"]}),
    ],
    ids=["not required", "not secret", "given", "something else is wrong"],
)
def test_nothing_else_is_asked_for(tmp_path: Path, facts: dict[str, Any], given: dict[str, Any]) -> None:
    asked: list[str] = []
    Resolver(tmp_path, declare("x", **facts))(prompt=asking(asked), **given)
    assert asked == []


@pytest.mark.parametrize(
    ("type_name", "text", "fault"),
    [
        ("string", "odd \udcff", 'the input "x" holds text that is not UTF-8'),
        ("path", "odd \udcff", 'the input "x" holds text that is not UTF-8'),
        ("object", '{"\\ud800": 1}', 'the input "x" holds text that is not UTF-8'),
        ("number", "NaN", 'the input "x" holds a number that is not finite'),
        ("array", "[[1e999]]", 'the input "x" holds a number that is not finite'),
    ],
)
def test_what_no_journal_can_hold_is_refused(tmp_path: Path, type_name: str, text: str, fault: str) -> None:
    ((code, message, _),) = Resolver(tmp_path, declare("x", type_name)).problems(sets=[f"x={text}"])
    assert (code, message) == ("KB512", fault)


def test_a_secret_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    resolver = Resolver(tmp_path, declare("x", secret=True))
    ((code, message, _),) = resolver.problems(environment={"RUNNER_INPUT_X": "\udcff"})
    assert (code, message) == ("KB512", 'the input "x" holds text that is not UTF-8')
