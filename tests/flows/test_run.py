"""The moment a run is for, whoever gave it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect.types._datetime import now

from flows.run import moment
from shell.errors import UsageError


def test_a_moment_of_prefects_own_kind_keeps_its_zone_in_arithmetic() -> None:
    given = now("UTC")
    at = moment(given)
    assert at == given
    assert type(at) is datetime
    assert (at - timedelta(days=30)).tzinfo is UTC


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="without a zone"):
        moment(datetime(2026, 1, 1))
