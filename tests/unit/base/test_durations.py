from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runner.base import durations


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0s", timedelta(0)), ("250ms", timedelta(milliseconds=250)), ("1h30m", timedelta(minutes=90))],
)
def test_a_duration_is_read_and_written(text: str, expected: timedelta) -> None:
    assert durations.parse(text) == expected
    assert durations.parse(durations.text(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5x", '"5x" is not a duration such as 30s, 5m or 1h30m'),
        ("", '"" is not a duration such as 30s, 5m or 1h30m'),
        ("-1s", 'the duration "-1s" is negative'),
        ("876601h", 'the duration "876601h" is longer than 100 years'),
    ],
)
def test_what_is_no_duration_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message + "$"):
        durations.parse(text)


def test_the_longest_duration_can_be_added_to_any_moment_of_our_lives() -> None:
    assert datetime(2126, 1, 1, tzinfo=UTC) + durations.LONGEST < datetime.max.replace(tzinfo=UTC)
