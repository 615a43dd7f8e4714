"""`docs/filters.md` is generated from the table of template functions (`make docs`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.templates import functions, manual

HEAD = """# Filters

<!-- Generated from the table of template functions by `make docs`; edit their docstrings instead. -->

What templates can do with a value: `{{ value | name(argument) }}`, one after another from left to right. `runner
explain NAME` shows the same in the terminal, and `runner render --template TEXT` tries one out. There is no other way
to compute in a template: no calls, no arithmetic, no loops. The items of a list are read by number (`list[0]`,
`list[-1]`).

A filter on a secret gives a secret, computed only where it is used. No filter makes a text of more than 1 MiB, and
regular expressions are those of [RE2](https://github.com/google/re2/wiki/Syntax), which cannot hang; they take texts of
up to 16 KiB.
"""


def _sections() -> Iterator[str]:
    yield from ("", "| filter | |", "|---|---|")
    for each in manual.filters().values():
        yield f"| [`{each.name}`](#{each.name.lower()}) | {each.summary} |"
    for each in manual.filters().values():
        text, result = each.example
        yield from ("", f"## {each.name}", "", f"`{each.usage}`", "", each.description, "")
        yield from ("```text", text, f"→ {result}", "```")


def page() -> str:
    """Write the page."""
    return HEAD + "\n".join(_sections()) + "\n"


def test_filters_page_freshness(top: Path, request: pytest.FixtureRequest) -> None:
    path = top / "docs" / "filters.md"
    generated = page()
    if request.config.getoption("--update-golden", default=False):
        path.write_text(generated, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == generated, "run `make docs`"


def test_the_page_states_the_limits_that_hold() -> None:
    from runner.templates import kinds, patterns

    assert (kinds.LARGEST_TEXT, patterns.LARGEST_TEXT) == (1 << 20, 16 << 10)


def test_every_filter_is_described() -> None:
    assert set(manual.filters()) == set(functions.FUNCTIONS)
    assert [each.name for each in manual.filters().values() if not each.summary.endswith((".", ";"))] == []
