"""The policy of retention; what a store makes of it is in tests/e2e/test_retention.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runner.base import errors
from runner.base.jsonvalue import JsonObject
from runner.locations import retention

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("days", [1, 7, 30, 365])
def test_date_is_at_least_the_period_away_and_changes_seldom(days: int) -> None:
    policy = retention.Policy(mode="compliance", period=timedelta(days=days))
    dates = [policy.until(NOW + timedelta(hours=hour)) for hour in range(days * 24)]
    epoch = max(timedelta(days=1), policy.period / 10)
    for hour, date in enumerate(dates):
        left = date - (NOW + timedelta(hours=hour))
        assert policy.period <= left < policy.period + epoch
    assert len(set(dates)) <= policy.period / epoch + 1


def test_profile_without_retention_has_no_policy() -> None:
    assert retention.policy_of({"type": "s3", "bucket": "b"}) is None


def test_period_is_read_from_the_profile() -> None:
    spec: JsonObject = {"type": "s3", "bucket": "b", "retention": {"mode": "governance", "period": "720h"}}
    assert retention.policy_of(spec) == retention.Policy(mode="governance", period=timedelta(days=30))


@pytest.mark.parametrize("period", ["23h", "1 day", "0s"])
def test_period_shorter_than_a_day_is_refused(period: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        retention.policy_of({"retention": {"mode": "compliance", "period": period}})
    assert caught.value.code == "RT403"
