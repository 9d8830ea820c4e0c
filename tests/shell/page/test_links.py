"""What the page says of links: what the shell wrote of itself, read with the doubt that its age asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shell.page.links import exchange_health, live_health, wall_health

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def live(**changes: Any) -> dict[str, Any]:
    """A shell in order, as the trading loop writes it down."""
    return {
        "at": (NOW - timedelta(seconds=20)).isoformat(), "since": (NOW - timedelta(days=1)).isoformat(), "running": True,
        "link": {"up": True, "connections": 2, "system": "online", "reason": "", "lag_seconds": 0.2, "refused": []},
        "price_age_s": {"BTC/USD": 3.0, "ETH/USD": 9.0}, "slots": {"done": 288, "missed": 0, "incomplete": 0},
        "errors": {"count": 0, "newest": {}}, "beside": [{"name": "control", "ok": True, "sentence": ""}],
    } | changes


def test_a_shell_in_order_has_every_link_in_order() -> None:
    rows = live_health(live(), NOW)
    assert [each.name for each in rows] == ["shell", "Kraken", "clock", "prices", "control"]
    assert all(each.ok for each in rows)


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"running": False}, "shell", "brain up"),
        ({"at": (NOW - timedelta(minutes=10)).isoformat()}, "shell", "silent since"),
        ({"errors": {"count": 3, "newest": {}}}, "shell", "3 errors"),
        ({"link": {"up": False, "connections": 1, "system": "", "reason": "refused", "lag_seconds": 0.1}}, "Kraken", "refused"),
        ({"link": {"up": True, "connections": 1, "system": "maintenance", "reason": "", "lag_seconds": 0.1}}, "Kraken", "maintenance"),
        ({"link": {"up": True, "connections": 1, "system": "online", "reason": "", "lag_seconds": -9.0}}, "clock", "-9.0 s"),
        ({"price_age_s": {"BTC/USD": 3.0, "ETH/USD": 900.0}}, "prices", "ETH/USD"),
        ({"price_age_s": {}}, "prices", "none has come"),
        ({"beside": [{"name": "Telegram", "ok": False, "sentence": "two programs share the token"}]}, "Telegram", "two programs"),
    ],
)
def test_what_is_wrong_is_told_on_its_own_row(changes: dict[str, Any], name: str, words: str) -> None:
    wrong = [each for each in live_health(live(**changes), NOW) if not each.ok]
    assert [each.name for each in wrong] == [name]
    assert words in wrong[0].sentence


def test_a_home_without_a_shell_tells_of_none_and_a_wall_not_measured_is_not_in_order() -> None:
    assert live_health(None, NOW) == []
    assert not wall_health(None).ok


def test_a_link_that_told_nothing_yet_is_no_connection_and_a_venue_that_told_no_state_yet_is_in_order() -> None:
    assert [(each.name, each.ok) for each in exchange_health({})] == [("Kraken", False), ("clock", False)]
    first = {"up": True, "connections": 1, "system": "unknown", "reason": "", "lag_seconds": 0.1}
    assert [(each.name, each.ok) for each in exchange_health(first)] == [("Kraken", True), ("clock", True)]
