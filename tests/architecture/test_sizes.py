"""Files and functions stay small: limits that nobody keeps by accident."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from typing import Any

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
MEDIAN_FILE = 150
MEDIAN_FUNCTION = 10
P95_FUNCTION = 45


def _functions(module: Any) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{module.place}:{node.lineno} {node.name}"


def _all_functions(modules: list[Any]) -> list[tuple[int, str]]:
    return [found for module in modules for found in _functions(module)]


def test_no_file_is_longer_than_400_lines(modules: list[Any]) -> None:
    assert [f"{module.place}: {module.lines}" for module in modules if module.lines > LONGEST_FILE] == []


def test_no_function_is_longer_than_60_lines(modules: list[Any]) -> None:
    assert [f"{place}: {lines}" for lines, place in _all_functions(modules) if lines > LONGEST_FUNCTION] == []


def test_half_of_the_files_have_at_most_150_lines(modules: list[Any]) -> None:
    assert statistics.median(module.lines for module in modules) <= MEDIAN_FILE


def test_half_of_the_functions_have_at_most_10_lines(modules: list[Any]) -> None:
    assert statistics.median(lines for lines, _ in _all_functions(modules)) <= MEDIAN_FUNCTION


def test_of_twenty_functions_nineteen_have_at_most_45_lines(modules: list[Any]) -> None:
    lengths = [lines for lines, _ in _all_functions(modules)]
    assert statistics.quantiles(lengths, n=20)[-1] <= P95_FUNCTION


def test_every_function_says_what_it_returns(modules: list[Any]) -> None:
    silent = [
        f"{module.place}:{node.lineno} {node.name}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is None
    ]
    assert silent == []
