from __future__ import annotations

import re
import sys
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base import errors
from runner.base.secret import MASK, Secret
from runner.templates import evaluate, functions, kinds, problem, render, template
from tests import effort

ROOTS: dict[str, Any] = {
    "inputs": {"items": ["a", "b"], "count": 3, "flag": True, "name": "pg", "none": None, "a-b": {"c": 1}},
    "phases": {"dump": {"outputs": {"path": "/x", "rows": [{"n": 1}, {"n": 2}]}}},
}


def value(text: str, roots: dict[str, Any] | None = None) -> Any:
    return template.parse(text).render(ROOTS if roots is None else roots)


def codes(text: str) -> list[str]:
    return [found.code for found in template.parse(text).problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ inputs.items }}", ["a", "b"]),
        ("{{ inputs.count }}", 3),
        ("{{- inputs.count -}}", 3),
        ("{{inputs.none}}", None),
        ("{{ inputs['a-b'].c }}", 1),
        ("{{ phases.dump.outputs.rows[1].n }}", 2),
        ("{{ phases.dump.outputs.rows[-1].n }}", 2),
        ("{{ phases.dump.outputs.rows.0.n }}", 1),
        ("{{ -1 }}", -1),
        ("{{ [1, 'a', {'k': true}] }}", [1, "a", {"k": True}]),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ '}}' }}", "}}"),
        (r"{{ '\\d\'\n\u00e9' }}", "\\d'\né"),
        ('{{ "{{" }}', "{{"),
        ("{{ 1 if inputs.flag else 2 }}", 1),
        ("{{ inputs.count > 2 and not inputs.none }}", True),
        ("{{ 1 < inputs.count <= 3 }}", True),
        ("{{ 'a' in inputs.items }}", True),
        ("{{ 'z' not in inputs.items }}", True),
        ("{{ inputs.none or 'x' }}", "x"),
    ],
)
def test_exactly_one_expression_yields_the_typed_value(text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" {{ inputs.count }}", " 3"),
        ("{{ inputs.count }}\n", "3\n"),
        ("{{ inputs.flag }}{{ inputs.none }}", "truenull"),
        ("{{ inputs.items }};", '["a","b"];'),
        ("a {# said aside #}b", "a b"),
        ("a {{- inputs.name -}} b", "apgb"),
        ("a\r\n{{ inputs.name }}\r\n", "a\r\npg\r\n"),
        ("a }} b", "a }} b"),
        ("echo ${#list} {{ inputs.name }} ${#more}", "echo ${#list} pg ${#more}"),
        ("${#a} {{ inputs.name }} #}", "${#a} pg #}"),
        ("{# three #}{{ inputs.count }}", "3"),
        ("printf '{%s}' {{ inputs.name }}", "printf '{%s}' pg"),
        ('{{ "{{ inputs.name }}" }} ', "{{ inputs.name }} "),
    ],
)
def test_anything_else_yields_text(text: str, expected: str) -> None:
    assert value(text) == expected


def test_text_that_a_template_yields_is_not_parsed_again() -> None:
    roots = {"inputs": {"evil": "{{ inputs.name }}", "name": "pg"}}
    assert value("{{ inputs.evil }} {{ inputs.evil }}", roots) == "{{ inputs.name }} {{ inputs.name }}"


@pytest.mark.parametrize("name", ["items", "keys", "get", "mro"])
def test_attributes_are_items_and_never_methods(name: str) -> None:
    assert value("{{ inputs." + name + " }}", {"inputs": {name: "mine"}}) == "mine"
    with pytest.raises(problem.Missing, match=rf"inputs\.{name} is not defined"):
        value("{{ inputs." + name + " }}", {"inputs": {"other": 1}})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ inputs.count", "KB401"),
        ("{{ }}", "KB401"),
        ("{{ inputs. }}", "KB401"),
        ("{{ a b }}", "KB401"),
        ("{{ 'open }}", "KB401"),
        (r"{{ inputs.name | replace('\d', '') }}", "KB401"),
        (r"{{ inputs.name | replace('\x1', '') }}", "KB401"),
        ("{{ inputs.name | shout }}", "KB402"),
        ("{{ inputs.name | toJsn }}", "KB402"),
        ("{% if inputs.flag %}x{% endif %}", "KB403"),
        ("{% for x in y %}{% endfor %}", "KB403"),
        ("{{ inputs.name.upper() }}", "KB403"),
        ("{{ range(10) }}", "KB403"),
        ("{{ ''.__class__ }}", "KB403"),
        ("{{ inputs.name.__class__.__mro__ }}", "KB403"),
        ("{{ 1 + 1 }}", "KB403"),
        ("{{ 'a' * 1000000000 }}", "KB403"),
        ("{{ 9 ** 9 ** 9 }}", "KB403"),
        ("{{ 'a' ~ 'b' }}", "KB403"),
        ("{{ inputs[inputs.name] }}", "KB403"),
        ("{{ phases[x] }}", "KB403"),
        ("{{ inputs.items[0:1] }}", "KB403"),
        ("{{ inputs.name is defined }}", "KB403"),
        ("{{ (1, 2) }}", "KB403"),
        ("{{ 1 if inputs.flag }}", "KB403"),
        ("{{ inputs.x | default(*inputs.items) }}", "KB403"),
        ("{{ -inputs.count }}", "KB403"),
        ("{{ " + "(" * 50 + "1" + ")" * 50 + " }}", "KB403"),
        ("{{ " + "not " * 2000 + "1 }}", "KB403"),
        ("{{ " + "not " * 900 + "1 }}", "KB403"),
        ("{{ " + "9" * 5000 + " }}", "KB403"),
        ("{{ inputs.name | replace('a') }}", "KB405"),
        ("{{ inputs.name | upper('a') }}", "KB405"),
        ("{{ inputs.name | indent(wide=3) }}", "KB405"),
    ],
)
def test_what_is_not_on_the_list_is_refused_before_anything_runs(text: str, code: str) -> None:
    found = template.parse(text).problems
    assert {each.code for each in found} == {code}
    for each in found:
        assert 0 <= each.offset <= len(text)
        assert each.offset + each.length <= len(text)
    with pytest.raises(problem.TemplateError) as raised:
        value(text)
    assert raised.value.code == code


def test_all_problems_of_a_text_are_found() -> None:
    assert codes("{{ a.b() }} {{ x | nope }} {% set a = 1 %} {{ 1 + 1 }}") == ["KB403", "KB403", "KB402", "KB403"]


def test_an_unknown_filter_suggests_the_closest() -> None:
    (found,) = template.parse("{{ a | tojsn }}").problems
    assert found.hint == 'did you mean "toJson"?'


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{{ inputs.nam }}", "inputs.nam is not defined", 'did you mean "name"?'),
        ("{{ input.name }}", "input is not defined", 'did you mean "inputs"?'),
        ("{{ inputs.name.first }}", "inputs.name.first is not defined", "inputs.name is a text"),
        ("{{ inputs.items[7] }}", "inputs.items[7] is not defined", "inputs.items has 2 items"),
        ("{{ inputs['a-b'].d }}", 'inputs["a-b"].d is not defined', "expected one of: c"),
        ("{{ inputs.nam | upper }}", "inputs.nam is not defined", 'did you mean "name"?'),
    ],
)
def test_reading_something_undefined_names_it_and_what_exists(text: str, message: str, hint: str) -> None:
    with pytest.raises(problem.Missing) as raised:
        value(text)
    assert (raised.value.code, raised.value.message, raised.value.hint) == ("KB404", message, hint)


def test_default_covers_what_is_undefined_and_what_was_skipped() -> None:
    roots = {"phases": {"dump": {"outputs": evaluate.Absent('phase "dump" was skipped')}}, "inputs": {"none": None}}
    assert value("{{ phases.dump.outputs.path | default('-') }}", roots) == "-"
    assert value("{{ inputs.x.y | default(1) }}", roots) == 1
    assert value("{{ inputs.none | default(1) }}", roots) is None
    assert value("{{ inputs.x | default(inputs.y) | default(otherwise=2) }}", roots) == 2
    assert value("{{ inputs.none | default(inputs.y) }}", roots) is None
    with pytest.raises(problem.Missing, match=r'phases\.dump\.outputs is not defined: phase "dump" was skipped'):
        value("{{ phases.dump.outputs.path }}", roots)


@pytest.mark.parametrize(
    "text",
    [
        "{{ inputs.count | upper }}",
        "{{ 'x' | fromJson }}",
        "{{ '%%%' | b64dec }}",
        "{{ 'a' | bytes }}",
        "{{ 'soon' | duration }}",
        "{{ 'x' | date }}",
        "{{ inputs.deep | fromJson }}",
        "{{ inputs.digits | bytes }}",
        "{{ inputs.name | date('%9999999d') }}",
        "{{ 99999999999999 | date }}",
        "{{ 'x' | join(',') }}",
        "{{ 'x' | split('') }}",
        "{{ 'x' | replace('', 'y') }}",
        "{{ 'x' | indent(1000) }}",
        "{{ 1 < 'a' }}",
        "{{ 1 in 5 }}",
        "{{ 1e999 | toJson }}",
        "a{{ 1e999 }}",
    ],
)
def test_a_failing_filter_or_comparison_is_an_error_of_its_own(text: str) -> None:
    with pytest.raises(problem.TemplateError) as raised:
        value(text, {"inputs": {**ROOTS["inputs"], "deep": "[" * 100_000, "digits": "9" * 400}})
    assert raised.value.code == "KB405"


def test_a_value_that_is_nested_too_deeply_is_an_error_of_its_own() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for text in ("{{ inputs.deep | toJson }}", "x{{ inputs.deep }}", "{{ inputs.deep == 1 }}"):
        with pytest.raises(problem.TemplateError) as raised:
            value(text, {"inputs": {"deep": deep}})
        assert raised.value.code == "KB405"


def test_output_is_bounded() -> None:
    roots = {"inputs": {"big": "a" * 600_000}}
    for text in ("{{ inputs.big }}{{ inputs.big }}", "{{ inputs.big | replace('a', inputs.big) }}"):
        with pytest.raises(problem.TemplateError, match="larger than"):
            value(text, roots)


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_the_example_in_the_docstring_of_each_filter_holds(name: str) -> None:
    shown = re.search(r"Example:\n\s+`(?P<text>.+)` gives `(?P<result>.+)`", functions.FUNCTIONS[name].__doc__ or "")
    assert shown, f"the docstring of {name} has no example"
    assert kinds.text_of(value(shown["text"])) == shown["result"]
    assert f"| {name}" in shown["text"]


class TestSecrets:
    hidden = Secret("inputs.password", lambda: "hunter2")

    def roots(self) -> dict[str, Any]:
        return {"inputs": {"password": self.hidden, "user": "me", "all": {"p": [self.hidden]}}}

    def test_exactly_one_yields_the_secret_itself(self) -> None:
        assert value("{{ inputs.password }}", self.roots()) is self.hidden

    @pytest.mark.parametrize(
        ("text", "revealed"),
        [
            ("{{ inputs.user }}:{{ inputs.password }}", "me:hunter2"),
            ("{{ inputs.password | b64enc }}", "aHVudGVyMg=="),
            ("{{ inputs.password | b64enc | b64dec | upper }}", "HUNTER2"),
            ("{{ inputs.user | replace('me', inputs.password) }}", "hunter2"),
            ("{{ inputs.all | toJson }}", '{"p":["hunter2"]}'),
            ("x{{ inputs.all }}", 'x{"p":["hunter2"]}'),
            ("{{ inputs.password | default('none') }}", "hunter2"),
            ("{{ inputs.password if inputs.user == 'me' else '' }}", "hunter2"),
        ],
    )
    def test_text_and_filters_give_a_secret_that_is_computed_at_reveal(self, text: str, revealed: str) -> None:
        seen: list[int] = []
        roots = self.roots()
        counted = Secret("inputs.password", lambda: seen.append(1) or "hunter2")  # type: ignore[func-returns-value]
        roots["inputs"] |= {"password": counted, "all": {"p": [counted]}}
        result = value(text, roots)
        assert isinstance(result, Secret)
        assert str(result) == MASK
        assert "hunter2" not in result.label
        assert not seen
        assert result.reveal() == revealed

    @pytest.mark.parametrize(
        "text",
        [
            "{{ inputs.password == 'x' }}",
            "{{ 'x' == inputs.password }}",
            "{{ inputs.password in ['x'] }}",
            "{{ 'x' in inputs.all.p }}",
            "{{ inputs.password in [inputs.password] }}",
            "{{ not inputs.all }}",
            "{{ not inputs.password }}",
            "{{ inputs.password and 1 }}",
            "{{ inputs.password or 1 }}",
            "{{ 1 if inputs.password else 2 }}",
            "{{ inputs.password.first }}",
            "{{ inputs.password[0] }}",
        ],
    )
    def test_looking_at_a_secret_is_an_error(self, text: str) -> None:
        with pytest.raises(errors.RunnerError) as raised:
            value(text, self.roots())
        assert raised.value.code == "KB702"

    def test_a_filter_that_fails_on_a_secret_does_not_tell_its_value(self) -> None:
        derived = value("{{ inputs.password | fromJson }}", self.roots())
        with pytest.raises(problem.TemplateError) as raised:
            derived.reveal()
        shown: BaseException | None = raised.value
        while shown is not None:
            assert "hunter2" not in repr(shown)
            shown = shown.__cause__
        assert raised.value.__suppress_context__


class TestReferences:
    def found(self, text: str) -> list[tuple[str, bool, bool]]:
        return [(str(each), each.guarded, each.decides) for each in template.parse(text).references]

    def test_everything_read_is_found_with_how_it_is_used(self) -> None:
        text = (
            "{{ inputs.a | default(inputs.b) }} {{ phases.x.outputs['a-b'][0] if not item.flag else time }} {{ 'no' }}"
        )
        assert self.found(text) == [
            ("inputs.a", True, False),
            ("inputs.b", False, False),
            ("item.flag", False, True),
            ('phases.x.outputs["a-b"][0]', False, False),
            ("time", False, False),
        ]

    def test_references_are_found_in_lists_filters_and_comparisons(self) -> None:
        assert self.found("{{ [inputs.a, {'k': inputs.b}] | join(inputs.c) }}{{ (inputs.d | fromJson).e == 1 }}") == [
            ("inputs.a", False, False),
            ("inputs.b", False, False),
            ("inputs.c", False, False),
            ("inputs.d", False, True),
        ]

    @pytest.mark.parametrize(
        ("text", "part", "shown"),
        [
            ("say {{ phases.dumpp.outputs.path }}", 1, "dumpp"),
            ("{{ x | upper }}{{ a.x.x }}", 2, "x"),
            ('{{ phases["du-mp"].outputs.path }}', 1, "du-mp"),
            ("{{ 'phases.x' | replace('a', phases.x.outputs) }}", 0, "phases"),
            ("{{ a.b[10].c }}", 3, "c"),
            ("{{- inputs.a }} {{ inputs\n.b }}", 1, "b"),
        ],
    )
    def test_each_part_of_a_reference_has_its_place(self, text: str, part: int, shown: str) -> None:
        offset, length = template.parse(text).references[-1].places[part]
        assert text[offset : offset + length] == shown


def test_arguments_are_rendered_deeply_and_errors_name_the_argument() -> None:
    arguments: dict[str, Any] = {
        "env": {"A": ["{{ inputs.count }}", "x{{ inputs.name }}"]},
        "n": 1,
        "{{ no }}": "{{ inputs.flag }}",
    }
    assert render.render_arguments(arguments, ROOTS) == {"env": {"A": [3, "xpg"]}, "n": 1, "{{ no }}": True}
    with pytest.raises(errors.RunnerError) as raised:
        render.render_arguments({"env": {"A/B": ["ok", "{{ inputs.nope }}"]}}, ROOTS)
    assert raised.value.context == {"argument": "/env/A~1B/1"}
    assert render.render("{{ inputs.name }}", ROOTS) == "pg"


def test_templates_are_found_with_their_pointers() -> None:
    assert list(render.templates_in({"a": ["x", "{{ y }}"], "b/c": "{% z %}", "d": 1})) == [
        ("/a/1", "{{ y }}"),
        ("/b~1c", "{% z %}"),
    ]


FRAGMENTS = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{#", "#}", "-", "'", '"', "\\", "(", ")", "[", "]", "{", "}", " ", "inputs", ".", "name"]  # noqa: RUF005
    + ["|", "default", "upper", "not", "if", "else", "and", "==", "<", ",", "1", "0", ":", "\n", "é", "\x00", "~", "*"]
)


@settings(max_examples=effort.examples(120), deadline=None)
@given(st.lists(FRAGMENTS, max_size=40).map("".join) | st.text(max_size=60).map(lambda text: "{{" + text + "}}"))
def test_any_text_parses_to_a_template_or_to_problems(text: str) -> None:
    parsed = template.parse(text)
    for reference in parsed.references:
        assert all(start >= 0 and start + length <= len(text) for start, length in reference.places)
    if not parsed.problems:
        try:
            parsed.render(ROOTS)
        except errors.RunnerError as error:
            assert error.code in {"KB404", "KB405"}  # noqa: PT017


LITERALS = st.recursive(
    st.sampled_from(["inputs.count", "inputs.flag", "inputs.none", "inputs.name", "1", "'a'", "true", "[]"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or", "==", "!=", "in"]), inner).map(lambda p: f"({' '.join(p)})"),
        inner.map(lambda part: f"(not {part})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
    ),
    max_leaves=6,
)


@settings(max_examples=effort.examples(60), deadline=None)
@given(LITERALS)
def test_expressions_mean_what_jinja_says(source: str) -> None:
    compiled = jinja2.Environment(undefined=jinja2.StrictUndefined).compile_expression(source, undefined_to_none=False)
    try:
        expected = compiled(**ROOTS)
    except TypeError:
        with pytest.raises(problem.TemplateError):
            value("{{ " + source + " }}")
    else:
        assert value("{{ " + source + " }}") == expected


def test_parsing_stays_far_from_the_recursion_limit() -> None:
    depth = sys.getrecursionlimit()
    frame, used = sys._getframe(), 0
    while frame.f_back:
        frame, used = frame.f_back, used + 1
    sys.setrecursionlimit(used + 700)
    try:
        for text in (
            "not " * 290 + "1",
            "1" + " if 1 else 1" * 70,
            "a" + "|upper" * 140,
            "a" + ".b" * 140,
            "-" * 290 + "1",
        ):
            template.parse("{{ " + text + " }}")
    finally:
        sys.setrecursionlimit(depth)
