"""A broken link is told once, its return once, and a hiccup not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shell.notices.link_watch import LinkWatch

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def told(*states: tuple[int, bool]) -> list[tuple[str, str, int]]:
    """What is told of looks at these minutes: kind, severity, minute."""
    found: list[tuple[str, str, int]] = []

    def notify(kind: str, severity: str, _text: str, at: datetime) -> None:
        found.append((kind, severity, int((at - NOON) / timedelta(minutes=1))))

    watch = LinkWatch("Kraken", notify)
    for minute, ok in states:
        watch.look(ok, "", NOON + timedelta(minutes=minute))
    return found


def test_an_outage_is_told_after_five_minutes_and_its_end_once() -> None:
    looks = [(0, True), (1, False), (3, False), (6, False), (20, False), (21, True), (22, True)]
    assert told(*looks) == [("link", "warning", 6), ("link", "info", 21)]


def test_a_hiccup_is_not_told_and_two_of_them_are_not_one_outage() -> None:
    assert told((0, False), (4, False), (5, True), (6, False), (10, False), (10, True)) == []


def test_a_second_outage_is_told_like_the_first() -> None:
    looks = [(0, False), (6, False), (7, True), (8, False), (13, False), (14, True)]
    assert [kind for kind, _, _ in told(*looks)] == ["link"] * 4
