"""What plain scalars mean in either dialect."""

from __future__ import annotations

import pytest

from runner.document import nodes, scalars

HUGE = "9" * 5000


@pytest.mark.parametrize(
    ("text", "core", "old"),
    [
        ("", None, None),
        ("~", None, None),
        ("null", None, None),
        ("nUll", "nUll", "nUll"),
        ("true", True, True),
        ("FALSE", False, False),
        ("yes", "yes", True),
        ("Off", "Off", False),
        ("y", "y", True),
        ("yEs", "yEs", "yEs"),
        ("1_000", "1_000", 1000),
        ("010", 10, 8),
        ("-010", -10, -8),
        ("08", 8, 8),
        ("0o17", 15, 15),
        ("0x1F", 31, 31),
        ("-0x1F", "-0x1F", -31),
        ("0b11", "0b11", 3),
        ("+7", 7, 7),
        ("-0", 0, 0),
        ("3.0", 3.0, 3),
        ("3.5", 3.5, 3.5),
        (".5", 0.5, 0.5),
        ("1e3", 1000.0, 1000),
        ("1:20", "1:20", "1:20"),
        ("2020-01-01", "2020-01-01", "2020-01-01"),
        (".inf", ".inf", ".inf"),
        ("1e999", "1e999", "1e999"),
        ("_1", "_1", "_1"),
        ("+", "+", "+"),
        ("٣", "٣", "٣"),
        (HUGE, HUGE, HUGE),
    ],
)
def test_plain_scalar_is_typed_by_its_dialect(text: str, core: nodes.Scalar, old: nodes.Scalar) -> None:
    for dialect, expected in ((scalars.core, core), (scalars.old, old)):
        value = dialect(text)
        assert (type(value), value) == (type(expected), expected)


def test_number_without_fraction_stays_a_fraction_at_level_1_only() -> None:
    assert isinstance(scalars.core("3.0"), float)
    assert isinstance(scalars.old("3.0"), int)


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("!", "5", "5"),
        ("tag:yaml.org,2002:str", "true", "true"),
        ("tag:yaml.org,2002:int", "5", 5),
        ("tag:yaml.org,2002:float", "5", 5),
        ("tag:yaml.org,2002:bool", "true", True),
        ("tag:yaml.org,2002:null", "~", None),
    ],
)
def test_tag_decides_the_type(tag: str, text: str, value: nodes.Scalar) -> None:
    assert scalars.tagged(tag, text, scalars.core) == value


@pytest.mark.parametrize(
    ("tag", "text"),
    [("!foo", "5"), ("tag:yaml.org,2002:binary", "aGk="), ("tag:yaml.org,2002:int", "true"), ("!!int", "x")],
)
def test_tag_that_does_not_fit_is_refused(tag: str, text: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        scalars.tagged(tag, text, scalars.core)
