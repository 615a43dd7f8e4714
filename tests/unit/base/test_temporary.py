"""The account of temporary space."""

from __future__ import annotations

import pytest

from runner.base import errors, temporary


def test_shares_of_a_run_have_one_limit() -> None:
    space = temporary.TemporarySpace(100)
    with space.share("the first") as first, space.share("the second") as second:
        first.take(60)
        second.take(40)
        with pytest.raises(errors.EnvironmentProblem) as caught:
            second.take(1)
    assert caught.value.message == (
        "the second needs 41 B of temporary space, but limits.temporary allows 100 B, of which this run has taken 60 B"
        " already"
    )
    assert "one after another" in caught.value.hint


def test_what_is_given_back_can_be_taken_again() -> None:
    space = temporary.TemporarySpace(100)
    for _ in range(3):
        with space.share("one") as share:
            share.take(100)


def test_what_is_refused_is_not_counted() -> None:
    share = temporary.TemporarySpace(100).share("one")
    with pytest.raises(errors.EnvironmentProblem) as caught:
        share.take(101)
    assert "already" not in caught.value.message
    share.take(100)


def test_without_a_limit_everything_is_allowed() -> None:
    share = temporary.TemporarySpace().share("one")
    share.take(1 << 60)
    assert not share.is_limited
