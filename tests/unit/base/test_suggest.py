from __future__ import annotations

import pytest

from runner.base import suggest

MANY = [f"input{number}" for number in range(1000)] + ["database", "paths"]


@pytest.mark.parametrize("name", ["databse", "datbase", "Database", "xdatabase", "databaseb", "atabase"])
def test_a_slip_is_found_among_very_many_names(name: str) -> None:
    assert suggest.closest(name, MANY) == "database"


def test_what_resembles_nothing_has_no_suggestion() -> None:
    assert suggest.closest("zzzzzzzz", MANY) is None
    assert suggest.hint("zzzzzzzz", ["b", "a"]) == "expected one of: a, b"
