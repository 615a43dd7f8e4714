"""Filters over lists, mappings, paths and patterns: what they give, what they refuse, and that they end."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from runner.templates import manual, patterns, problem, template

EACH = {"a": {"outputs": {"id": "x/1"}}, "b": {"outputs": {"id": "x/2"}}}


def value(text: str, **roots: object) -> object:
    """Render a template that is one expression."""
    return template.parse("{{ " + text + " }}").render(roots)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("each | pluck('outputs.id')", ["x/1", "x/2"]),
        ("each | values | pluck('outputs')", [{"id": "x/1"}, {"id": "x/2"}]),
        ("(each | keys)[-1]", "b"),
        ("'/srv/' | basename", "srv"),
        ("'/' | basename", ""),
        ("'/' | dirname", "/"),
        ("'name' | dirname", ""),
        ("[] | length", 0),
        ("'däta' | length", 4),
        ("[2, 10, 1] | sort", [1, 2, 10]),
        ("[1, '1', 1] | unique", [1]),
        ("'a.b' | regexMatch('^a[.]b$')", True),
        ("'xa.b' | regexMatch('^a')", False),
        ("'straße 7' | regexReplace('[0-9]+', 'nö')", "straße nö"),
        ("'ab' | regexReplace('(a)(x)?', '\\\\1\\\\2-\\\\\\\\')", "a-\\b"),
        ("'ab' | regexReplace('', '.')", ".a.b."),
    ],
)
def test_filters_give(text: str, result: object) -> None:
    assert value(text, each=EACH) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("each | pluck('outputs.size')", "item 0 has no outputs.size"),
        ("'x' | pluck('y')", "expected a list, got a text"),
        ("[1, 'a'] | sort", "'<' not supported"),
        ("'x' | sort", "expected a list, got a text"),
        ("7 | length", "expected a list, a mapping or a text, got a number"),
        ("[1] | keys", "expected a mapping, got a list"),
        ("'x' | regexMatch('(?=x)')", '"(?=x)" is not a regular expression of RE2'),
        ("'x' | regexMatch('(')", "is not a regular expression of RE2"),
        ("'x' | regexReplace('x', '\\\\1')", "the pattern has no group 1"),
        ("'x' | regexReplace('x', '\\\\q')", "is neither a group such as"),
        ("long | regexMatch('x')", "the text is longer than 16.0 KiB"),
        ("'x' | regexMatch(long)", "the pattern is longer than 1000 characters"),
    ],
)
def test_filters_refuse(text: str, message: str) -> None:
    with pytest.raises(problem.TemplateError) as refused:
        value(text, each=EACH, long="x" * 20_000)
    assert message in refused.value.message


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "((a{0,9}){0,9}){0,9}b"])
def test_no_pattern_hangs(pattern: str) -> None:
    started = time.process_time()
    patterns.matches(pattern, "a" * patterns.LARGEST_TEXT)
    assert time.process_time() - started < 5


def test_replacing_is_cut_off_where_the_result_grows_too_large() -> None:
    with pytest.raises(ValueError, match=r"larger than 1\.0 MiB"):
        patterns.replaced("", "x" * patterns.LARGEST_TEXT, "y" * 1000, 1 << 20)


def test_the_manual_tells_how_a_filter_is_written() -> None:
    found: Mapping[str, manual.Filter] = manual.filters()
    assert found["join"].usage == 'value | join(separator="")'
    assert found["trim"].usage == "value | trim"
    assert found["default"].example == ('{{ inputs.missing | default("none") }}', "none")
